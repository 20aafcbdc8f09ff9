"""Refits: a model fitted again by another method, with other priors, to some of its rows or to other responses.

The only place of the results that runs an engine. What is learnt of a fit by a refit to its own data is kept with it:
the maximum likelihood fit that a comparison, a test and a profile need is one fit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.matrix import independent
from bayesmix.errors import ConvergenceWarning, SpecError, warn_user
from bayesmix.inference.estimation.distributional_regression import Regression, fit_regression
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.glm import Glm, fit_glm
from bayesmix.inference.estimation.identifiability import check_identifiable
from bayesmix.inference.estimation.laplace_reml import restricted_estimate
from bayesmix.inference.estimation.methods import Method, likelihood_method, method_like, resolve_method
from bayesmix.inference.estimation.point_estimates import PointEstimates
from bayesmix.inference.parameters.heavy_tails import with_normal_effects
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.inference.sampling.continued import check_continued, joined, seed_after
from bayesmix.inference.sampling.draws import Schedule, fresh_seed
from bayesmix.inference.sampling.sample import Sampler, resolve_sampler, sample
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.accessors import centre, priors_of
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord

NEAR = 4.0  # logarithms of a dispersion within which that of some of the rows is
_MADE: WeakKeyDictionary[FitRecord, dict[Hashable, Any]] = WeakKeyDictionary()  # of a fit as long as it lives
_LOCK = Lock()


# ---- point estimates --------------------------------------------------------------------------------------------


def estimate_again(fit: FitRecord, method: Method | None = None, *, design: Design | None = None) -> EstimateRecord:
    """The point estimate of a fit's model by another method, or on another design; on its own design once a fit.

    Parameters
    ----------
    method : that of the fit by default; of a posterior the method of ``model.estimate()``.
    design : rows or responses instead of the fit's own.
    """
    chosen = _method_of(fit) if method is None else method
    if design is not None:
        return estimate_model(replace(fit.fitted_model, design=design), chosen)
    if isinstance(fit, EstimateRecord) and fit.point.method == chosen:
        return fit
    return _once(fit, chosen, lambda: estimate_model(fit.fitted_model, chosen))


def with_design(fit: EstimateRecord, design: Design) -> EstimateRecord:
    """The same estimate beside another form of its rows."""
    return EstimateRecord(replace(fit.fitted_model, design=design), fit.point)


def estimated(model: Fitted, method: Method) -> EstimateRecord:
    """The point estimate of a model; what is wrong with it is warned about.

    Raises
    ------
    SpecError
        If some parameters cannot be told from others, whatever the responses.
    """
    check_identifiable(model.design, model.spec)
    found = estimate_model(model, method)
    for problem in found.problems:
        warn_user(problem, ConvergenceWarning)
    return found


def with_normal_effects_estimated(model: Fitted) -> EstimateRecord:
    """The point estimate of a model with normal effects in place of t distributed ones: itself for most."""
    normal = replace(model, design=with_normal_effects(model.design))
    return estimated(normal, resolve_method("auto", model.spec))


def estimated_like(fit: EstimateRecord, model: Fitted) -> EstimateRecord:
    """The estimate of another model by the method of a fit, or, where that does not suit it, by its own."""
    return estimated(model, method_of(fit, model))


def method_of(fit: EstimateRecord, model: Fitted) -> Method:
    """The method of a fit where it suits another model, else that model's own."""
    groups = len(model.design.group_sizes)
    return method_like(fit.point.method, model.spec, groups)


def by_maximum_likelihood(fit: EstimateRecord) -> EstimateRecord:
    """The estimate whose criterion is a likelihood of all data: of a REML fit that by ML, any other itself."""
    return estimate_again(fit, likelihood_method(fit.point.method, fit.spec))


def restricted(fit: EstimateRecord) -> EstimateRecord | None:
    """A counterpart of REML, once a fit; None where there is REML itself, and where it would be dear."""

    def found() -> EstimateRecord | None:
        point = restricted_estimate(fit.design, fit.spec, fit.point)
        return None if point is None else EstimateRecord(fit.fitted_model, point)

    return _once(fit, "restricted", found)


def regression(fit: FitRecord, rows: Array) -> tuple[Array, Array]:
    """Coefficients and standard errors ``(p,)`` of the fixed part alone on some rows; NaN where those do not tell.

    Parameters
    ----------
    rows : (n,) bool.

    Raises
    ------
    SpecError
        If the model has smooths, of which a regression on the fixed part would leave out the curve.
    """
    fit.design.check_rows("A regression for each level")
    smooth = next((term.smooth for term in fit.design.terms if term.is_population), None)
    if smooth is not None:
        raise SpecError(
            f"The curve `{smooth}` is no part of a regression without random effects, which pooling of levels is"
            " compared with. Leave the smooth out, or look at `fit.coef()` and `fit.smooths()`."
        )
    return _on_columns(fit, rows, fit.design.X, centre(fit, fit.values.beta))


def no_pooling(fit: FitRecord, codes: Array, varying: Array) -> tuple[Array, Array]:
    """Coefficients and standard errors ``(J, p)`` where what varies between levels is each level's own.

    One regression, in which a coefficient that does not vary is common to all levels. Where all vary, or none, that is
    a regression of each level by itself, with a dispersion of its own. NaN of levels that do not tell, and of all where
    the regression is beyond a few seconds.

    Parameters
    ----------
    codes : (n,) level of each row.
    varying : (p,) bool, whether the coefficient varies between levels.
    """
    levels, X, start = int(codes.max()) + 1, fit.design.X, centre(fit, fit.values.beta)
    if varying.all() or not varying.any():
        each = [regression(fit, codes == level) for level in range(levels)]
        return np.stack([beta for beta, _ in each]), np.stack([error for _, error in each])
    beta, error = np.full((2, levels, X.shape[1]), np.nan)
    rows_of = np.tile(codes, len(X) // len(codes))
    alone = [_on_columns(fit, codes == level, X[:, varying], start[varying])[0] for level in range(levels)]
    told = np.flatnonzero([np.isfinite(own).any() for own in alone])
    columns, k = len(told) * int(varying.sum()) + int((~varying).sum()), int(varying.sum())
    if not len(told) or len(X) * columns**2 > DEAREST:
        return beta, error
    own = np.concatenate([X[:, varying] * (rows_of == level)[:, None] for level in told], axis=1)
    starts = np.concatenate([np.tile(start[varying], len(told)), start[~varying]])
    kept = np.isin(codes, told)
    found = _on_columns(fit, kept, np.concatenate([own, X[:, ~varying]], axis=1), starts)
    for whole, values in zip((beta, error), found, strict=True):
        whole[np.ix_(told, np.flatnonzero(varying))] = values[: k * len(told)].reshape(len(told), k)
        whole[np.ix_(told, np.flatnonzero(~varying))] = values[k * len(told) :]
    return beta, error


DEAREST = 2_000_000_000  # rows times squared columns of a regression of all levels at once


def _on_columns(fit: FitRecord, rows: Array, X: Array, start: Array) -> tuple[Array, Array]:
    """A regression of some rows on columns ``X (n, p)``, one block of rows a linear predictor; its search's start."""
    if not fit.spec.is_simple or fit.spec.family.crude is not None or fit.design.outcome.bounds is not None:
        return _distributional_regression(fit, rows, X, start)
    design, spec = fit.design, fit.spec
    beta, error = np.full((2, X.shape[1]), np.nan)
    X = X[rows]
    kept = list(independent(X))
    trials = design.trials[rows]
    found: Glm = fit_glm(
        X[:, kept], design.y[rows], trials, design.weights[rows], design.offset[rows], spec.family, spec.link
    )
    if found.converged:
        beta[kept], error[kept] = found.beta, np.sqrt(np.diagonal(found.beta_cov))
    return beta, error


def _distributional_regression(fit: FitRecord, rows: Array, X: Array, start: Array) -> tuple[Array, Array]:
    """The same of several linear predictors, or of responses with bounds: the estimate without random effects."""
    beta, error = np.full((2, X.shape[1]), np.nan)
    some = fit.design.take(np.flatnonzero(rows), ())
    X = X[np.tile(rows, len(X) // len(rows))]
    kept = list(independent(X))
    start = start[kept]
    likelihood, X = likelihood_of(some, fit.spec), X[:, kept]

    def at(log_dispersion: float) -> Regression:
        return fit_regression(likelihood, X, some.offset, start, dispersion=np.exp(log_dispersion), is_start=False)

    def deviance(log_dispersion: float) -> float:
        eta = X @ at(log_dispersion).beta + some.offset
        return -2.0 * float(likelihood.value(eta, np.exp(log_dispersion)).sum())

    found = at(_lowest(deviance, fit) if likelihood.has_dispersion else 0.0)
    if found.converged:
        beta[kept], error[kept] = found.beta, np.sqrt(np.diagonal(found.beta_cov))
    return beta, error


def _lowest(function: Callable[[float], float], fit: FitRecord) -> float:
    """Logarithm of the dispersion at which a function is lowest, near that of a fit."""
    from scipy.optimize import minimize_scalar

    middle = float(np.mean(np.log(np.asarray(fit.values.dispersion))))
    return float(minimize_scalar(function, bounds=(middle - NEAR, middle + NEAR), method="bounded").x)


def _method_of(fit: FitRecord) -> Method:
    if isinstance(fit, EstimateRecord):
        return fit.point.method
    return resolve_method("auto", fit.spec)


def estimate_model(model: Fitted, method: Method) -> EstimateRecord:
    """The point estimate of a model, made without a warning."""
    return EstimateRecord(model, estimate(model.design, model.spec, method))


def one_of_many(fit: EstimateRecord, found: PointEstimates, i: int, design: Design) -> EstimateRecord:
    """One of many estimates for other responses, those of ``design``, as a fit of its own.

    Parameters
    ----------
    fit : in whose coordinates the many are.
    """
    return EstimateRecord(replace(fit.fitted_model, design=design), found.one(i, fit.point))


def _once[T](fit: FitRecord, what: Hashable, make: Callable[[], T]) -> T:
    """What was made of a fit before, or is made now; two threads may make it twice, the same."""
    with _LOCK:
        made = _MADE.setdefault(fit, {})
    if what not in made:
        made[what] = make()
    found: T = made[what]
    return found


# ---- posteriors -------------------------------------------------------------------------------------------------


def sample_again(
    fit: FitRecord,
    method: Sampler | None,
    schedule: Schedule,
    *,
    design: Design | None = None,
    spec: ModelSpec | None = None,
    priors: Priors | None = None,
) -> PosteriorRecord:
    """The posterior of a fit's model, drawn again: other draws, other priors, or another design.

    Parameters
    ----------
    method : None chooses, as ``"auto"`` does.
    design : rows or responses instead of the fit's own.
    spec : with other priors than the fit's.
    priors : those of ``spec`` on ``design`` by default; refits to some of the rows keep the priors of the whole.
    """
    model = fit.fitted_model
    model = replace(model, design=model.design if design is None else design, spec=model.spec if spec is None else spec)
    if priors is None:
        is_own = design is None and spec is None
        priors = priors_of(fit) if is_own else resolve(model.spec, model.design)
    return sample_model(model, priors, method, schedule)


def sampled_like(post: PosteriorRecord, model: Fitted, *, seed: int, progress: bool) -> PosteriorRecord:
    """The posterior of another model, as many draws by the same engine; an exact one is chosen anew."""
    chains, draws = post.values.lead
    method = None if post.method == "marginal" else resolve_sampler(post.method)
    return sample_model(model, resolve(model.spec, model.design), method, Schedule(draws, chains, seed, progress))


def sample_model(
    model: Fitted, priors: Priors, method: Sampler | None, schedule: Schedule, *, after: PosteriorRecord | None = None
) -> PosteriorRecord:
    """The posterior of a model with its priors, or more draws of it, that go on where one ended."""
    before = None if after is None else after.draws
    draws = sample(model.design, model.spec, method, schedule, priors=priors, after=before)
    return PosteriorRecord(model, draws, priors)


def one_after_the_other(parts: Sequence[PosteriorRecord], *, seed: int | None, note: str = "") -> PosteriorRecord:
    """The posterior of parts that continue each other."""
    whole, first = joined([part.draws for part in parts]), parts[0]
    notes = (*whole.notes, note) if note else whole.notes
    return PosteriorRecord(first.fitted_model, replace(whole, seed=seed, notes=notes), first.priors)


def extended(post: PosteriorRecord, draws: int, *, progress: bool) -> PosteriorRecord:
    """A posterior with more draws a chain, by the engine that drew it."""
    check_continued(post.method)
    if draws < 1:
        raise SpecError(f"draws={draws}: at least one more draw of each chain is needed.")
    chains, drawn = post.values.lead
    seed = fresh_seed() if post.draws.seed is None else seed_after(post.draws.seed, drawn)
    schedule = Schedule(draws, chains, seed, progress)
    more = sample_model(post.fitted_model, post.priors, None, schedule, after=post)
    return one_after_the_other([post, more], seed=post.draws.seed)
