"""Decomposition of the difference of an estimate and the summary of a posterior, one cause at a time.

Every stage is a number for each parameter, every step between two stages has one cause, and the steps of a
parameter add up to the difference of the ends. From an estimate the stages are

    ML -> REML -> flat mode -> flat median -> flat mean -> mean, exact -> mean

of which the first is left out where it starts at REML; generalized models start Laplace -> AGQ -> restricted, the last
with the fixed effects integrated out by Laplace's method. *Flat* is the posterior under flat priors, see
`flat_prior_posterior`; mode, median and mean are those of the parameter by itself, all others integrated out. The exact
mean under the priors in force is computed with many draws, so that what is left to that of the draws at hand is Monte
Carlo error; where that would be dear, the step is left out, and the Monte Carlo standard error has to do. Fixed effects
and group coefficients have no mode of their own: the median stands for it. Between two posteriors there are only priors
and Monte Carlo error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesmix.inference.estimation.methods import Agq, Laplace, Ml, Reml
from bayesmix.inference.sampling.diagnostics import mcse
from bayesmix.results.comparison import flat_prior_posterior
from bayesmix.results.comparison.flat_prior_posterior import Reference
from bayesmix.results.fits import linear_predictor
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.linear_predictor import coefficient_names, flatten, flatten_coefficients
from bayesmix.results.fits.marginal_summary import describe
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord
from bayesmix.results.fits.refit import estimate_again, restricted

if TYPE_CHECKING:
    import pandas as pd


Centre = Literal["mean", "median"]
Stage = tuple[str, str, "pd.Series"]  # its label, the cause of the step to it, a number for each parameter

FIXED, LAPLACE, OTHERS = "fixed effects", "Laplace", "other parameters"
SKEWNESS, PRIOR, MONTE_CARLO = "skewness", "prior", "Monte Carlo"
POINTS = {1: 25, 2: 11, 3: 7}  # of quadrature, by the number of effects of a level


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """The way from one fit to a posterior."""

    start: str  # label of the fit it starts from
    end: str  # label of the posterior
    centre: Centre  # what of the posterior it leads to
    stages: pd.DataFrame  # parameter x stage, from the start to the end
    causes: tuple[str, ...]  # of the step to each stage but the first
    sd: pd.Series  # posterior standard deviations
    mcse: pd.Series  # Monte Carlo standard errors of the end
    flat: str  # where the posterior under flat priors comes from
    notes: tuple[str, ...]  # what the decomposition could not separate

    @property
    def steps(self) -> pd.DataFrame:
        """What each cause adds, parameter x cause; rows add up to `difference`."""
        moves = self.stages.diff(axis=1).iloc[:, 1:]
        return moves.T.groupby(list(self.causes), sort=False).sum(min_count=1).T

    @property
    def difference(self) -> pd.Series:
        """The posterior's mean or median minus the start."""
        return self.stages.iloc[:, -1] - self.stages.iloc[:, 0]

    @property
    def shift(self) -> pd.Series:
        """The difference in posterior standard deviations."""
        return self.difference / self.sd

    @property
    def shares(self) -> pd.DataFrame:
        """The part of each cause in the difference; causes against its direction are negative, rows add up to one."""
        return self.steps.div(self.difference, axis=0)


def decompose(
    start: EstimateRecord | PosteriorRecord,
    end: PosteriorRecord,
    labels: tuple[str, str],
    *,
    centre: Centre,
    groups: bool,
    costly: bool,
) -> Decomposition | str:
    """Decomposition from a fit to a posterior of the same model.

    Parameters
    ----------
    centre : what of the posterior to explain.
    groups : group coefficients too.
    costly : whether engines may be run that take longer than a fraction of a second.

    Returns
    -------
    Decomposition, or the reason why there is none.
    """
    match start:
        case PosteriorRecord():
            return _from_posterior(start, end, labels, centre, groups)
        case EstimateRecord():
            return _from_estimate(start, end, labels, centre, groups, costly)


def cause_between(first: EstimateRecord | PosteriorRecord, second: EstimateRecord | PosteriorRecord) -> str | None:
    """The one thing in which the methods of two estimates differ; None if there are more, or none."""
    if not isinstance(first, EstimateRecord) or not isinstance(second, EstimateRecord):
        return None
    match first.point.method, second.point.method:
        case (Ml() | Laplace(), Reml()) | (Reml(), Ml() | Laplace()):
            return FIXED
        case (Laplace(), Agq()) | (Agq(), Laplace()):
            return LAPLACE
        case _:
            return None


def scalars(fit: EstimateRecord, *, groups: bool) -> pd.Series:
    """Parameters of an estimate, and group coefficients where wanted."""
    import pandas as pd

    values, names = flatten(fit.design, fit.values), fit.names
    if groups:
        values = np.concatenate([values, flatten_coefficients(fit.design, fit.values)])
        names = [*names, *coefficient_names(fit.design)]
    return pd.Series(values, index=pd.Index(names, name="parameter"))


def describe_all(found: Reference, interval: float = 0.95, *, is_flat: bool = False) -> pd.DataFrame:
    """Moments, quantiles and modes of every scalar of a reference."""
    import pandas as pd

    tables = [describe(draws, names, interval, is_even=is_flat, ranges=found.ranges) for names, draws in found.blocks]
    return pd.concat(tables)


def _from_estimate(
    start: EstimateRecord, end: PosteriorRecord, labels: tuple[str, str], centre: Centre, groups: bool, costly: bool
) -> Decomposition | str:
    reason = flat_prior_posterior.why_not_flat(end, centre)
    if reason is not None:
        return reason
    flat = flat_prior_posterior.with_flat_priors(end, groups=groups, costly=costly)
    if flat is None:
        return (
            "The posterior under flat priors could not be explored by the quick engine."
            " compare(..., causes=True) takes the time for NUTS."
        )
    stages: list[Stage] = [(labels[0], "", scalars(start, groups=groups))]
    notes: list[str] = []
    better, cause = _without_approximation(start)
    if better is not None:
        stages.append((better.method, cause, scalars(better, groups=groups)))
    elif _is_approximate(start):
        notes.append("Quadrature does not apply here: the Laplace error is part of `other parameters`.")
    integrated = restricted(better or start)
    if integrated is not None:
        stages.append(("restricted", FIXED, scalars(integrated, groups=groups)))
    table = describe_all(flat, is_flat=True)
    median = table["median"]
    stages.append(("flat mode", OTHERS, table["mode"].fillna(median)))
    stages.append(("flat median", SKEWNESS, median))
    if centre == "mean":
        stages.append(("flat mean", SKEWNESS, table["mean"]))
    stages += _ends(end, centre, centre, groups)
    return _decomposed(stages, end, labels, centre, groups, flat.source, tuple(notes))


def _from_posterior(
    start: PosteriorRecord, end: PosteriorRecord, labels: tuple[str, str], centre: Centre, groups: bool
) -> Decomposition:
    """From one posterior to another: their priors and their Monte Carlo errors."""
    stages: list[Stage] = [(labels[0], "", _own(start, centre, groups))]
    if (start.spec.preset, start.spec.priors) == (end.spec.preset, end.spec.priors):
        stages.append((labels[1], MONTE_CARLO, _own(end, centre, groups)))
        return _decomposed(stages, end, labels, centre, groups)
    exact = flat_prior_posterior.with_same_priors(start, groups=groups)
    if exact is not None:
        stages.append((f"{labels[0]}, exact", MONTE_CARLO, describe_all(exact)[centre]))
    return _decomposed([*stages, *_ends(end, labels[1], centre, groups)], end, labels, centre, groups)


def _ends(end: PosteriorRecord, label: str, centre: Centre, groups: bool) -> list[Stage]:
    """The summary under the priors in force: with many draws where they are cheap, then the posterior's own."""
    own = _own(end, centre, groups)
    exact = flat_prior_posterior.with_same_priors(end, groups=groups)
    if exact is None:
        return [(label, PRIOR, own)]
    return [(f"{label}, exact", PRIOR, describe_all(exact)[centre]), (label, MONTE_CARLO, own)]


def _own(fit: PosteriorRecord, centre: Centre, groups: bool) -> pd.Series:
    return describe_all(flat_prior_posterior.reference_of(fit, groups=groups))[centre]


def _without_approximation(start: EstimateRecord) -> tuple[EstimateRecord | None, str]:
    """The next stage of an estimate: REML after ML, quadrature after Laplace; None where it has none."""
    match start.point.method:
        case Ml():
            return estimate_again(start, Reml()), FIXED
        case Laplace():
            points = POINTS.get(sum(len(term.effects) for term in start.design.terms))
            if points is None or len(linear_predictor.groups(start.design)) != 1:
                return None, ""
            return estimate_again(start, Agq(points)), LAPLACE
        case _:
            return None, ""


def _is_approximate(start: EstimateRecord) -> bool:
    """Whether effects are integrated by Laplace's approximation, which is exact of those of linear means."""
    if is_linear(start) or isinstance(start.point.method, Agq):
        return False
    of_means = {r for r, one in enumerate(start.spec.parameters) if one.parameter == 0}
    return (not start.spec.has_linear_means and bool(start.design.terms)) or any(
        not of_means.issuperset(term.owners) for term in start.design.terms
    )


def _decomposed(  # noqa: PLR0913, PLR0917 - ends of a decomposition and its options
    stages: list[Stage],
    end: PosteriorRecord,
    labels: tuple[str, str],
    centre: Centre,
    groups: bool,
    flat: str = "",
    notes: tuple[str, ...] = (),
) -> Decomposition:
    import pandas as pd

    found = flat_prior_posterior.reference_of(end, groups=groups)
    index = stages[0][2].index
    errors = pd.Series(np.concatenate([mcse(draws, centre) for _, draws in found.blocks]), index=index)
    sd = describe_all(found)["sd"]
    table = pd.DataFrame({label: values for label, _, values in stages})
    causes = tuple(cause for _, cause, _ in stages[1:])
    return Decomposition(labels[0], labels[1], centre, table, causes, sd, errors, flat, notes)
