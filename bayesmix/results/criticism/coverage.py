"""How often intervals hold the truth, by simulation: data from the estimate, fitted again as the model was."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import BayesmixError, BayesmixWarning, FitError, SpecError
from bayesmix.inference.estimation.methods import Method, likelihood_method
from bayesmix.inference.estimation.point_estimates import PointEstimates
from bayesmix.inference.estimation.profile import critical_rise, profile_rise
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.results.criticism.confidence_intervals import applicable, chosen_methods, of_all_parameters
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import flatten
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import estimate_again, one_of_many, sample_again
from bayesmix.results.prediction.simulation import replicated
from bayesmix.results.tables.simulation_table import simulation_table

if TYPE_CHECKING:
    import pandas as pd


PIECE = 20  # data sets that are fitted together
DRAWS, CHAINS = 500, 4  # limits with a Monte Carlo error of 5 % of the posterior sd


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What a worker needs to simulate data and to fit them; it pickles."""

    spec: ModelSpec
    estimate: EstimateRecord
    level: float
    methods: tuple[str, ...]


@explained
def coverage(  # noqa: PLR0913 - options of a study, named
    fit: EstimateRecord,
    spec: ModelSpec,
    n: int,
    *,
    methods: Sequence[str] | None,
    level: float,
    seed: int,
    executor: Executor | None,
    progress: bool,
    checkpoint: str | Path | None = None,
) -> pd.DataFrame:
    """Simulate ``n`` data sets from an estimate, with new random effects, and count the intervals that hold the truth.

    Parameters
    ----------
    spec : of the posterior, whose priors hold for credible intervals.
    methods : of `applicable`, and ``"credible"``.
    executor : where the data sets are fitted; here, one after the other, if None.
    checkpoint : file in which what is finished is kept; a study that was stopped goes on from there.

    Returns
    -------
    DataFrame
        One row a parameter, a column a method: the share of intervals that hold the estimate the data came from.
        ``attrs["rule"]`` says how responses are censored; ``attrs["n"]`` data sets could be fitted; a share
        of 0.95 has a Monte Carlo error of ``sqrt(0.05 / n)``.
    """
    import pandas as pd

    check_level(level, "level")
    study = Study(spec, fit, level, _check(fit, methods))
    seeds = [int(child.generate_state(1)[0] >> 1) for child in np.random.SeedSequence(seed).spawn(n)]
    jobs = [(study, seeds[begin : begin + PIECE]) for begin in range(0, n, PIECE)]
    keys = [f"{begin}-{min(begin + PIECE, n)}" for begin in range(0, n, PIECE)]
    kept = None if checkpoint is None else checkpoint_of(checkpoint, _told(study, seed), keys)
    pieces = in_order(replicates, jobs, executor, label="Simulating", progress=progress, checkpoint=kept)
    found = [held for piece in pieces for held in piece if held is not None]
    if not found:
        raise SpecError("None of the simulated data sets could be fitted; the estimate is too close to the boundary.")
    counted = np.sum(~np.isnan(found), axis=0)
    with np.errstate(invalid="ignore"):
        shares = np.nansum(found, axis=0) / counted
    table = pd.DataFrame(shares, index=pd.Index(fit.names, name="parameter"), columns=study.methods)
    return simulation_table(table, fit.design.censoring_rule, n=len(found), level=level)


def _told(study: Study, seed: int) -> str:
    """What the results depend on, as a fingerprint."""
    fit = study.estimate
    parts = parts_of_model(study.spec, fit.design, resolve(study.spec, fit.design))
    values = flatten(fit.design, fit.values)
    return fingerprint("coverage", *parts, values, fit.point.method, study.methods, study.level, seed)


def _check(fit: EstimateRecord, methods: Sequence[str] | None) -> tuple[str, ...]:
    if methods is not None:
        return chosen_methods(fit, methods)
    by_refits = [method for method in applicable(fit) if method != "bootstrap"]
    return (*by_refits, *(["credible"] if is_linear(fit) else []))  # of others they take NUTS for each data set


def replicates(study: Study, seeds: Sequence[int]) -> list[Array | None]:
    """Which intervals of simulated data sets hold the truth: ``(parameters, methods)``, NaN where there is none.

    None for data that cannot be fitted.
    """
    designs = [simulated(study.estimate, seed) for seed in seeds]
    refits = _Refits(study.estimate, designs)
    return [_replicate(study, refits, i, seed) for i, seed in enumerate(seeds)]


def _replicate(study: Study, refits: _Refits, i: int, seed: int) -> Array | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        try:
            fitted = partial(refits.one, i)
            columns = [_holds(study, refits.designs[i], fitted, method, seed) for method in study.methods]
        except (BayesmixError, np.linalg.LinAlgError):
            return None
    return np.column_stack(columns)


def simulated(fit: EstimateRecord, seed: int) -> Design:
    """The design with responses drawn from the estimate, random effects included."""
    return fit.design.with_response(*replicated(fit.spec, fit.design, fit.values, groups="new", seed=seed))


class _Refits:
    """Estimates of simulated data sets by one method or another: all of them at once, for all intervals on them."""

    def __init__(self, fit: EstimateRecord, designs: Sequence[Design]) -> None:
        self.fit, self.designs = fit, designs
        self._found: dict[Method, tuple[PointEstimates, EstimateRecord]] = {}

    def one(self, i: int, method: Method) -> EstimateRecord:
        """The estimate of one data set.

        Raises
        ------
        FitError
            If there is none.
        """
        if method not in self._found:
            near = estimate_again(self.fit, method)
            outcomes = zip(*(design.outcomes for design in self.designs), strict=True)
            responses = [np.stack([one.y for one in own]) for own in outcomes]
            self._found[method] = refit_all(self.fit.design, self.fit.spec, method, responses, near.point), near
        found, near = self._found[method]
        if found.failed[i]:
            raise FitError("A simulated data set cannot be fitted.")
        return one_of_many(near, found, i, self.designs[i])


def _holds(study: Study, design: Design, fitted: Callable[[Method], EstimateRecord], method: str, seed: int) -> Array:
    own = study.estimate.point.method
    truth = flatten(study.estimate.design, study.estimate.values)
    if method == "profile":
        return _profile_holds(fitted(likelihood_method(own, study.spec)), truth, study.level)
    if method == "credible":
        posterior = sample_again(study.estimate, None, Schedule(DRAWS, CHAINS, seed), design=design, spec=study.spec)
        limits = posterior.parameters(study.level)[["lower", "upper"]].to_numpy()
    else:
        limits = of_all_parameters(fitted(own), study.level, method).to_numpy()
    inside = (limits[:, 0] <= truth) & (truth <= limits[:, 1])
    return np.where(np.isnan(limits[:, 0]) | np.isnan(truth), np.nan, inside)


def _profile_holds(fit: EstimateRecord, truth: Array, level: float) -> Array:
    """Profile intervals hold what raises the deviance by less than their quantile: no limit has to be searched."""
    spec, limit = fit.spec, critical_rise(level)
    held = np.full(len(truth), np.nan)
    for j, name in enumerate(fit.names):
        if not np.isnan(truth[j]):
            rise = profile_rise(fit.design, spec, fit.point, name, float(truth[j]))
            held[j] = np.nan if np.isnan(rise) else rise <= limit
    return held
