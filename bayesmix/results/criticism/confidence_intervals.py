"""Confidence intervals of point estimates: profile likelihood, Wald, Satterthwaite, Kenward-Roger, bootstrap."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.errors import ConvergenceWarning, SpecError, nearest
from bayesmix.inference.estimation.profile import Interval, profile_intervals
from bayesmix.inference.parameters.natural_scale import from_link, on_link, standard_errors
from bayesmix.results.fits.degrees_of_freedom import has_freedom, has_kenward_roger, is_linear, quantile
from bayesmix.results.fits.fixed_inference import FixedInference, fixed_inference
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.refit import by_maximum_likelihood
from bayesmix.results.fits.robust_covariance import RobustCovariance

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord

METHODS = ("profile", "wald", "satterthwaite", "kenward-roger", "bootstrap")
FEW_ROWS = 1000  # of linear models, up to which a thousand refits are quick
OF_ALL = ("profile", "bootstrap")  # methods for any parameter, others are for fixed effects


def confidence_intervals(
    fit: EstimateRecord,
    parameters: str | Sequence[str] | None,
    level: float,
    method: str,
    vcov: RobustCovariance | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return ``lower, upper`` by name; see `Estimate.confint`. ``options``: those of a bootstrap, ``progress``."""
    import pandas as pd

    parameters, method = _asked(fit, parameters, method)
    if method not in METHODS:
        raise SpecError(f"There are no `{method}` intervals.{nearest(method, METHODS)} Methods: {', '.join(METHODS)}.")
    check_level(level, "level")
    possible = fit.names if method in OF_ALL else list(fit.design.fixed)
    names = possible if parameters is None else list(parameters)
    for name in names:
        if name not in possible:
            scope = "" if name not in fit.names else f' Only fixed effects have {method} intervals; use "profile".'
            known = [*possible, *METHODS] if len(names) == 1 else possible  # one text may be a method
            raise SpecError(f"There is no parameter `{name}` here.{nearest(name, known)}{scope}")
    if vcov is not None and method in OF_ALL:
        raise SpecError(f'vcov= is for method="satterthwaite" or "wald"; {method}s take no covariance.')
    if method == "profile":
        limits, notes = _profile(fit, names, level, progress=bool(options.get("progress")))
    elif method == "bootstrap":
        from bayesmix.results.criticism.bootstrap import Options, bootstrap_limits

        limits, notes = bootstrap_limits(fit, names, level, Options(**options))
    else:
        limits, notes = (
            _symmetric(fit, names, level, fixed_inference(fit, "asymptotic" if method == "wald" else method, vcov)),
            [],
        )
    table = pd.DataFrame(limits, columns=["lower", "upper"], index=pd.Index(names, name="parameter"))
    if notes:
        table.attrs["notes"] = tuple(notes)
        warnings.warn(" ".join(notes), ConvergenceWarning, stacklevel=3)
    return table


def _asked(fit: EstimateRecord, asked: str | Sequence[str] | None, method: str) -> tuple[Sequence[str] | None, str]:
    """Names and method where one text may stand for either; the name of a parameter goes before that of a method."""
    if not isinstance(asked, str):
        return asked, method
    return (None, asked) if asked in METHODS and asked not in fit.names else ([asked], method)


def side_by_side(
    estimate: EstimateRecord, posterior: PosteriorRecord | None, level: float, methods: Sequence[str]
) -> pd.DataFrame:
    """Intervals of all parameters by each method: columns ``"wald lower"``, ``"wald upper"``, ...; blank where none."""
    import pandas as pd

    check_level(level, "level")
    found = {}
    for method in methods:
        if method == "credible" and posterior is not None:
            found[method] = posterior.parameters(level)[["lower", "upper"]]
        elif method != "credible":
            found[method] = of_all_parameters(estimate, level, method)
    tables = [table.add_prefix(f"{method} ") for method, table in found.items()]
    return pd.concat(tables, axis=1).rename_axis(index="parameter")


def of_all_parameters(estimate: EstimateRecord, level: float, method: str) -> pd.DataFrame:
    """Intervals of all parameters by one method, without a word of progress; blank where there are none."""
    return confidence_intervals(estimate, None, level, method, progress=False).reindex(estimate.names)


def chosen_methods(estimate: EstimateRecord, methods: Sequence[str]) -> tuple[str, ...]:
    """Methods that were asked for, ``"credible"`` among them, in their order.

    Raises
    ------
    SpecError
        If the estimate has no such intervals.
    """
    known = (*applicable(estimate), "credible")
    for method in methods:
        if method not in known:
            raise SpecError(f"There are no `{method}` intervals.{nearest(method, known)} Methods: {', '.join(known)}.")
    return tuple(methods)


def quick(estimate: EstimateRecord) -> tuple[str, ...]:
    """Those of them that take no more than a second or two."""
    design = estimate.design
    is_small = is_linear(estimate) and design.counts is None and design.n <= FEW_ROWS
    return tuple(method for method in applicable(estimate) if method != "bootstrap" or is_small)


def applicable(estimate: EstimateRecord) -> tuple[str, ...]:
    """The methods that an estimate has intervals by."""
    of_linear = ("satterthwaite",) * has_freedom(estimate) + ("kenward-roger",) * has_kenward_roger(estimate)
    return ("wald", *of_linear, "profile", "bootstrap")


def _profile(
    fit: EstimateRecord, names: list[str], level: float, *, progress: bool
) -> tuple[list[tuple[float, float]], list[str]]:
    """Limits, and sentences about those that are not finite numbers."""
    spec, point = fit.spec, by_maximum_likelihood(fit).point
    found = profile_intervals(fit.design, spec, point, names, level, progress=progress)
    return [(one.lower.value, one.upper.value) for one in found], [note for one in found for note in _notes(one)]


def _notes(interval: Interval) -> Iterator[str]:
    for side, limit in (("lower", interval.lower), ("upper", interval.upper)):
        if not math.isfinite(limit.value):
            yield f"`{interval.name}` has no {side} profile limit: {limit.outcome.value}."


def _symmetric(
    fit: EstimateRecord, names: list[str], level: float, inference: FixedInference
) -> list[tuple[float, float]]:
    """On the scale of the predictors, from where limits of one number for all rows are carried through its link."""
    layout = fit.design.layout
    at = [fit.design.fixed.index(name) for name in names]
    centre, slopes = on_link(layout, fit.values.beta)
    error = standard_errors(slopes, inference.cov)[at]
    df = inference.df(np.eye(len(fit.design.fixed))[at])
    limits = np.tile(centre, (2, 1))
    limits[:, at] += np.array([[-1.0], [1.0]]) * quantile(df, level) * error
    return list(zip(*from_link(layout, limits)[:, at].tolist(), strict=True))
