"""Fits of one model side by side, beside the figures a document prints, and why they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimate import Ml, estimate
from bayesmix.results.coverage import coverage
from bayesmix.results.fit import Estimate, Posterior
from bayesmix.results.intervals import applicable, side_by_side
from bayesmix.results.layout import Block, to_html, to_markdown, to_text
from bayesmix.results.pooling import pooling
from bayesmix.results.reference import Reference, blocks_of, is_quick
from bayesmix.results.sentences import SAME, explain, legend
from bayesmix.results.singular import explain_singular
from bayesmix.results.typography import decimals_for, fixed_point
from bayesmix.results.walk import Centre, Walk, describe_all, scalars, walk

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Array = np.ndarray

CENTRES = ("mean", "median")
SUMMARY = ("mode", "median", "mean", "sd", "lower", "upper")  # columns of a posterior
STD_ERROR = " std_error"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One row a parameter, the fits in columns; ``print`` it for the causes of their differences."""

    table: pd.DataFrame
    formula: str
    labels: tuple[str, ...]
    fits: tuple[Estimate | Posterior, ...]  # in the order of ``labels``
    walks: tuple[Walk, ...]  # from the first estimate, or posterior, to each other posterior
    notes: tuple[str, ...]  # why there are no more of them
    centre: Centre

    @property
    def steps(self) -> pd.DataFrame:
        """What each cause adds to the difference of the first two fits, parameter x cause; rows add up to it."""
        return self._walk.steps

    @property
    def sentences(self) -> dict[str, str]:
        """Why the first two fits differ, a sentence a parameter."""
        return explain(self._walk, self.fits[0].design)

    @property
    def _walk(self) -> Walk:
        if not self.walks:
            why = " ".join(self.notes) or "compare(posterior, estimate, causes=True) computes them."
            raise SpecError(f"The causes of the differences are not known here. {why}")
        return self.walks[0]

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Wald, Satterthwaite's, profile and credible intervals side by side; profiles take a moment.

        Columns ``"wald lower"``, ``"wald upper"``, ..., of the first estimate and the first posterior.
        """
        fit = self._estimate("intervals")
        methods = (*applicable(fit), "credible")
        return side_by_side(fit, self._posterior, level, methods)

    def coverage(
        self,
        n: int = 500,
        *,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """How often intervals of ``level`` hold the truth, by fitting ``n`` data sets simulated from the estimate.

        Parameters
        ----------
        methods : of ``"wald"``, ``"satterthwaite"``, ``"profile"``, ``"credible"``; all that are quick by default.
        seed : of the data; the same seed gives the same table, whatever the executor.
        executor : any ``concurrent.futures.Executor``, to fit on many processes or machines.
        progress : show a progress bar.

        Returns
        -------
        DataFrame
            One row a parameter, one column a method; ``attrs["n"]`` data sets could be fitted.
        """
        fit = self._estimate("coverage")
        spec = fit.spec if self._posterior is None else self._posterior.spec
        return coverage(fit, spec, n, methods=methods, level=level, seed=seed, executor=executor, progress=progress)

    def _estimate(self, what: str) -> Estimate:
        found = next((fit for fit in self.fits if isinstance(fit, Estimate)), None)
        if found is None:
            raise SpecError(f"{what}() needs an estimate to start from: compare(posterior, model.estimate()).")
        return found

    @property
    def _posterior(self) -> Posterior | None:
        return next((fit for fit in self.fits if isinstance(fit, Posterior)), None)

    def pooling(self, group: str | None = None) -> pd.DataFrame:
        """Coefficients of every group with complete, no and partial pooling, as `bayesmix.pooling` of these fits."""
        return pooling(*self.fits, group=group)

    def to_markdown(self) -> str:
        """The comparison as Markdown."""
        return to_markdown(_blocks(self))

    def to_html(self) -> str:
        """The comparison as HTML: headings, tables and lists without a style of their own."""
        return to_html(_blocks(self))

    def plot(self, kind: str = "forest", **options: Any) -> Figure:
        """Draw the fits side by side: ``"forest"``, with the options of `bayesmix.plots.forest`."""
        from bayesmix.present.plots import of_comparison

        return of_comparison(self, kind, **options)

    def __str__(self) -> str:
        return to_text(_blocks(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.to_html()


def compare(
    *fits: Estimate | Posterior,
    documented: Mapping[str, float] | None = None,
    causes: bool | None = None,
    groups: bool = False,
    centre: Centre = "mean",
) -> Comparison:
    """Put fits of the same model side by side, and say why they differ.

    Parameters
    ----------
    *fits : estimates and posteriors, in any order and number.
    documented : printed figures by parameter name; by default those of the model file the fits come from.
    causes : whether to walk from the first estimate to each posterior, cause by cause. By default where that takes no
        more than a second or two; True refits generalized and big models as well (quadrature, flat priors).
    groups : one row for each coefficient of each level, too.
    centre : ``"mean"`` or ``"median"`` of the posterior: what the differences are taken to.

    Raises
    ------
    SpecError
        If nothing was given, or the fits have different parameters.
    """
    if not fits:
        raise SpecError("compare needs at least one fit: compare(model.sample(), model.estimate()).")
    if centre not in CENTRES:
        raise SpecError(f"There is no centre `{centre}`.{nearest(centre, CENTRES)} Centres: {', '.join(CENTRES)}.")
    _check_same_parameters(fits)
    figures = fits[0].fitted_model.documented if documented is None else documented
    by_label = dict(sorted(zip(labels_of(fits), fits, strict=True), key=lambda pair: isinstance(pair[1], Posterior)))
    walks, notes = _walks(by_label, causes, groups, centre)
    table = _table(by_label, figures, walks, groups, centre)
    return Comparison(table, fits[0].spec.formula.text, tuple(by_label), tuple(by_label.values()), walks, notes, centre)


def _check_same_parameters(fits: Sequence[Estimate | Posterior]) -> None:
    names = fits[0].names
    for fit in fits[1:]:
        if fit.names != names:
            odd = sorted(set(names) ^ set(fit.names))
            raise SpecError(f"These fits are of different models; parameters of only one of them: {', '.join(odd)}.")


def labels_of(fits: Sequence[Estimate | Posterior]) -> list[str]:
    """Method names, numbered where they repeat."""
    base = [fit.method if isinstance(fit, Estimate) else "posterior" for fit in fits]
    return [
        name if base.count(name) == 1 else f"{name} {base[: position + 1].count(name)}"
        for position, name in enumerate(base)
    ]


def _walks(
    fits: Mapping[str, Estimate | Posterior], causes: bool | None, groups: bool, centre: Centre
) -> tuple[tuple[Walk, ...], tuple[str, ...]]:
    """Walk from the first fit to every other posterior, if that is wanted, or quick."""
    (label, start), *others = fits.items()
    ends = [(name, fit) for name, fit in others if isinstance(fit, Posterior)]
    if not ends or causes is False:
        return (), ()
    if causes is None and not is_quick(start):
        return (), ("Why they differ: compare(..., causes=True) takes the time to refit the model and to tell.",)
    found = [walk(start, end, (label, name), centre=centre, groups=groups, costly=bool(causes)) for name, end in ends]
    reasons = dict.fromkeys(way for way in found if isinstance(way, str))
    notes = dict.fromkeys(note for way in found if isinstance(way, Walk) for note in way.notes)
    return tuple(way for way in found if isinstance(way, Walk)), (*reasons, *notes)


# ---- table ------------------------------------------------------------------------------------------------------


def _table(
    fits: Mapping[str, Estimate | Posterior],
    figures: Mapping[str, float],
    walks: Sequence[Walk],
    groups: bool,
    centre: Centre,
) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, pd.Series] = {}
    described = {label: _describe(fit, groups) for label, fit in fits.items()}
    index = next(iter(described.values())).index
    if any(name in figures for name in index):
        columns["documented"] = pd.Series([figures.get(name, np.nan) for name in index], index)
    if walks and "REML" in fits and "ML" not in fits:
        columns["ML"] = _by_maximum_likelihood(fits["REML"], groups)
    start = next(iter(fits))
    for label, table in described.items():
        if isinstance(fits[label], Estimate):
            columns |= {label: table["estimate"], label + STD_ERROR: table["std_error"]}
    if walks and "flat mode" in walks[0].stations:
        columns["flat mode"] = walks[0].stations["flat mode"]
    for label, table in described.items():
        if isinstance(fits[label], Posterior):
            columns |= {_prefix(label) + name: table[name] for name in SUMMARY}
    ends = [label for label in list(fits)[1:] if isinstance(fits[label], Posterior)]
    for label in ends:
        own = described[start]["estimate" if isinstance(fits[start], Estimate) else centre]
        name = "shift" if len(fits) == 2 else f"shift {label}"
        columns[name] = (described[label][centre] - own) / described[label]["sd"]
    for way in walks:
        prefix = "share" if len(walks) == 1 else f"share {way.end}"
        shares = way.shares.where(way.shift.abs() >= SAME)  # shares of nothing are noise
        columns |= {f"{prefix} {cause}": share for cause, share in shares.items()}
    return pd.DataFrame(columns, index=index)


def _prefix(label: str) -> str:
    return "" if label == "posterior" else f"{label} "


def _describe(fit: Estimate | Posterior, groups: bool) -> pd.DataFrame:
    """The columns of one fit."""
    if isinstance(fit, Posterior):
        table = describe_all(Reference(blocks_of(fit, groups=groups)))
        table.index.name = "parameter"
        return table
    values = scalars(fit, groups=groups).rename("estimate").to_frame()
    values["std_error"] = fit.parameters()["std_error"].reindex(values.index)
    return values


def _by_maximum_likelihood(fit: Estimate | Posterior, groups: bool) -> pd.Series:
    point = estimate(fit.design, fit.spec.family, fit.spec.link, Ml())
    return scalars(Estimate(fit.fitted_model, point), groups=groups)


# ---- words ------------------------------------------------------------------------------------------------------


def _blocks(comparison: Comparison) -> Iterator[Block]:
    labels = comparison.labels
    yield Block(f"Comparison of {' and '.join(labels)}", words=(f"Formula: {comparison.formula}",))
    table = comparison.table
    decimals = _decimals(comparison)
    point = [name for name in table.columns if _is_point(name, labels)]
    if point:
        yield _numbers("Estimates", table[point], decimals)
    for label, fit in zip(labels, comparison.fits, strict=True):
        if isinstance(fit, Posterior):
            names = [*(_prefix(label) + name for name in SUMMARY), "shift", f"shift {label}"]
            own = table[[name for name in names if name in table]]
            own.columns = [name.removeprefix(_prefix(label)) for name in own.columns]
            yield _numbers(label.capitalize(), own, decimals, tuple(_on_shift(comparison, own)))
    for way in comparison.walks:
        yield from _on_walk(way, comparison, decimals)
    singular = _on_singular(comparison)
    if singular:
        yield Block("Singular fit", words=singular)
    if comparison.notes:
        yield Block("Not computed", words=comparison.notes)


def _is_point(name: str, labels: Sequence[str]) -> bool:
    return name in {"documented", "ML", *labels} or name.endswith(STD_ERROR) or name == "flat mode"


def _decimals(comparison: Comparison) -> list[int]:
    """Decimals by row: three significant digits of a posterior sd or a standard error, else of the value itself."""
    table = comparison.table
    spread = [name for name in table.columns if name.endswith(("sd", STD_ERROR))]
    found = []
    for _, row in table.iterrows():
        sizes = [row[name] for name in spread if row[name] > 0.0] or [abs(row.dropna().iloc[0])]
        found.append(decimals_for(float(min(sizes))))
    return found


def _numbers(title: str, table: pd.DataFrame, decimals: Sequence[int], words: tuple[str, ...] = ()) -> Block:
    """A block of numbers; shifts have decimals of their own, documented figures are as printed."""
    columns = []
    for name in table.columns:
        if name == "documented":
            cells = ["" if np.isnan(value) else f"{value:.7g}" for value in table[name]]
        elif name.startswith("shift"):
            cells = [fixed_point(value, 2) for value in table[name]]
        else:
            cells = [fixed_point(value, places) for value, places in zip(table[name], decimals, strict=True)]
        columns.append((_heading(name), tuple(cells)))
    return Block(title, tuple(map(str, table.index)), tuple(columns), words)


def _heading(name: str) -> str:
    return {"lower": "2.5 %", "upper": "97.5 %"}.get(name, name.replace("std_error", "std. error"))


def _on_shift(comparison: Comparison, table: pd.DataFrame) -> Iterator[str]:
    if any(name.startswith("shift") for name in table.columns):
        yield f"shift: (posterior {comparison.centre} - {comparison.labels[0]}) / posterior sd"


def _on_walk(way: Walk, comparison: Comparison, decimals: Sequence[int]) -> Iterator[Block]:
    steps = way.steps
    cells = [(way.start, way.stations.iloc[:, 0]), *((f"+ {cause}", steps[cause]) for cause in steps.columns)]
    cells += [(f"= {way.centre}", way.stations.iloc[:, -1]), ("+- MCSE", way.mcse)]
    columns = tuple(
        (heading, tuple(fixed_point(value, places) for value, places in zip(values, decimals, strict=True)))
        for heading, values in cells
    )
    sentences = explain(way, comparison.fits[0].design)
    words = (legend(way), *(f"{name}: {text}" for name, text in sentences.items()))
    names = tuple(map(str, steps.index))
    yield Block(f"Why they differ: from {way.start} to the {way.centre} of the {way.end}", names, columns, words)


def _on_singular(comparison: Comparison) -> tuple[str, ...]:
    posterior = comparison._posterior
    estimates = (fit for fit in comparison.fits if isinstance(fit, Estimate))
    return next((words for fit in estimates if (words := explain_singular(fit, posterior))), ())
