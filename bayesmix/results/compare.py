"""Fits of one model side by side, beside the figures a document prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.errors import SpecError
from bayesmix.results.fit import Estimate, Fit, Posterior

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One row a parameter, the fits in columns."""

    table: pd.DataFrame
    formula: str
    labels: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"Comparison of {' and '.join(self.labels)}", f"Formula: {self.formula}", ""]
        lines.append(format_table(self.table))
        if any(column.startswith("shift") for column in self.table.columns):
            lines += ["", "shift: (posterior median - estimate) / posterior sd"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.table.to_html(float_format=lambda value: f"{value:.4g}")


def compare(*fits: Fit, documented: Mapping[str, float] | None = None) -> Comparison:
    """Put fits of the same model side by side.

    Parameters
    ----------
    *fits : estimates and posteriors, in any order and number.
    documented : printed figures by parameter name; by default those of the model file the fits come from.

    Raises
    ------
    SpecError
        If nothing was given, or the fits have different parameters.
    """
    if not fits:
        raise SpecError("compare needs at least one fit: compare(model.sample(), model.estimate()).")
    names = fits[0].names
    for fit in fits[1:]:
        if fit.names != names:
            odd = sorted(set(names) ^ set(fit.names))
            raise SpecError(f"These fits are of different models; parameters of only one of them: {', '.join(odd)}.")
    import pandas as pd

    figures = fits[0].fitted_model.documented if documented is None else documented
    columns: dict[str, Array] = {}
    if any(name in figures for name in names):
        columns["documented"] = np.array([figures.get(name, np.nan) for name in names])
    labels = _labels(fits)
    ordered = sorted(zip(labels, fits, strict=True), key=lambda pair: isinstance(pair[1], Posterior))
    for label, fit in ordered:
        columns |= _columns(label, fit)
    estimate = next((fit for fit in fits if isinstance(fit, Estimate)), None)
    if estimate is not None:
        for label, fit in ordered:
            if isinstance(fit, Posterior):
                columns[f"shift {label}" if len(fits) > 2 else "shift"] = _shift(fit, estimate)
    table = pd.DataFrame(columns, index=pd.Index(names, name="parameter"))
    return Comparison(table, fits[0].spec.formula.text, tuple(label for label, _ in ordered))


def _labels(fits: Sequence[Fit]) -> list[str]:
    """Method names, numbered where they repeat."""
    base = [fit.method if isinstance(fit, Estimate) else "posterior" for fit in fits]
    return [
        name if base.count(name) == 1 else f"{name} {base[: position + 1].count(name)}"
        for position, name in enumerate(base)
    ]


def _columns(label: str, fit: Fit) -> dict[str, Array]:
    table = fit.parameters()
    if isinstance(fit, Estimate):
        return {label: table["estimate"].to_numpy(), f"{label} std_error": table["std_error"].to_numpy()}
    wanted = ("mode", "median", "mean", "sd", "lower", "upper")
    prefix = "" if label == "posterior" else f"{label} "
    return {f"{prefix}{column}": table[column].to_numpy() for column in wanted}


def _shift(posterior: Posterior, estimate: Estimate) -> Array:
    table = posterior.parameters()
    difference = table["median"].to_numpy() - estimate.parameters()["estimate"].to_numpy()
    return np.asarray(difference / table["sd"].to_numpy())


def format_table(table: pd.DataFrame, digits: int = 4) -> str:
    """A numeric table as text: ``digits`` significant digits, blanks for missing values."""

    def show(value: float) -> str:
        return "" if not np.isfinite(value) else f"{value:.{digits}g}"

    text = table.map(show)
    text.index.name = None
    return str(text.to_string())
