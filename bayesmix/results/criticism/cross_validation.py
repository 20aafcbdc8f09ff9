"""Expected log predictive densities: PSIS-LOO, leave one group out, k-fold, with exact refits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, is_same_response
from bayesmix.data.design.subset import as_new, split
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.diagnostics import mean_ess
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.marginal.sampler import Marginal
from bayesmix.inference.sampling.marginal.t_mixture import ApproximationError
from bayesmix.inference.sampling.nuts.nuts import Nuts
from bayesmix.inference.sampling.sample import failure
from bayesmix.language.arguments import explained
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.results.criticism.elpd import Elpd, psis_loo
from bayesmix.results.criticism.elpd_comparison import compare_elpd
from bayesmix.results.criticism.new_level_density import log_density
from bayesmix.results.fits.linear_predictor import codes_of, find_group
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.named_fits import by_formula, named_fits
from bayesmix.results.fits.records import PosteriorRecord
from bayesmix.results.fits.refit import sample_again
from bayesmix.results.storage.datatree import posterior_dataset

if TYPE_CHECKING:
    import pandas as pd


FEWER = 4  # how many times fewer draws tell the marginal likelihood than describe a posterior
PRECISE = 0.03  # Monte Carlo error of a log marginal likelihood that no elpd shows, whose standard error is above one


def loo(
    post: PosteriorRecord,
    *,
    refit: bool | None,
    seed: int,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> Elpd:
    """PSIS-LOO over rows; rows whose Pareto k is high are left out by a refit.

    ``checkpoint``: file in which densities of refits are kept, so that what was stopped goes on.
    """

    def exact(rows: Array) -> Iterable[float]:
        units = np.arange(len(post.design.y))
        return _without_each(post, units, rows, what="rows", seed=seed, progress=progress, checkpoint=checkpoint)

    names = ("loo", "rows")
    if refit and post.spec.has_row_covariance:
        raise _not_in_parts(post, "loo(refit=True)")
    refits = _is_cheap(post) and not post.spec.has_row_covariance if refit is None else refit
    return _elpd(post, post.log_likelihood(), refits, exact, names)


def logo(
    post: PosteriorRecord,
    group: str | None,
    *,
    refit: bool | str | None,
    seed: int,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> Elpd:
    """Leave one group out: the group's rows together, its random effects integrated out.

    ``checkpoint``: as of `loo`.
    """
    if post.spec.has_row_covariance:
        raise _not_in_parts(post, "logo()")
    found = find_group(post.design, group)
    codes = codes_of(post.design, found)
    parts = [as_new(post.design, np.flatnonzero(codes == level), found.group) for level in range(len(found.levels))]
    pointwise = np.stack([log_density(post.spec, part, post.with_effects) for part in parts], axis=-1)

    def exact(levels: Array) -> Iterable[float]:
        return _without_each(post, codes, levels, what="levels", seed=seed, progress=progress, checkpoint=checkpoint)

    names = ("logo", f"levels of {found.group}")
    return _elpd(post, pointwise, _is_cheap(post) if refit is None else refit, exact, names)


def _without_each(  # noqa: PLR0913 - options of a study, named
    post: PosteriorRecord,
    units: Array,
    chosen: Array,
    *,
    what: str,
    seed: int,
    progress: bool,
    checkpoint: str | Path | None,
) -> list[float]:
    """Exact log densities of the rows of each chosen unit, given all others."""
    kept = checkpoint_of(checkpoint, _told(post, units, seed, *_evidence(post)), list(map(str, chosen)))
    jobs = [(post, units, unit, seed) for unit in chosen]
    label = f"Fitting without {what}"
    return in_order(_without, jobs, None, label=label, progress=progress, checkpoint=kept, transient=True)


def _without(post: PosteriorRecord, units: Array, unit: int, seed: int) -> float:
    return left_out(post, units != unit, seed)


def _evidence(post: PosteriorRecord) -> tuple[float | None, float | None]:
    """Of all rows, which `left_out` takes from the draws, and by how many draws it tells that of fewer."""
    certificate = post.draws.certificate
    return certificate.get("log_evidence"), certificate.get("log_evidence_error")


def kfold(  # noqa: PLR0913 - options of a study, named
    post: PosteriorRecord,
    k: int,
    group: str | None,
    *,
    seed: int,
    executor: Executor | None = None,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> Elpd:
    """Leave a fold of rows out at a time; with ``group`` the rows of a level stay together.

    ``checkpoint``: file in which finished folds are kept, so that what was stopped goes on.

    Raises
    ------
    FitError
        If the process of a fold was killed, and killed again: a sum over the rows needs all of them.
    DataError
        If the checkpoint is another study's.
    """
    if post.spec.has_row_covariance:
        raise _not_in_parts(post, "kfold()")
    design, n = post.design, len(post.design.y)
    rng = np.random.default_rng(seed)
    units = np.arange(n)
    if group is not None:
        units = codes_of(design, find_group(design, group))
    count = int(units.max()) + 1
    if not 2 <= k <= count:
        raise SpecError(f"k={k} folds cannot be made of {count} {'rows' if group is None else f'levels of {group}'}.")
    fold = rng.permutation(np.arange(count) % k)[units]

    kept = checkpoint_of(checkpoint, _told(post, fold, seed), list(map(str, range(k))))

    def exact(_: Array) -> Iterable[float]:
        jobs = [(post, fold != number, seed) for number in range(k)]
        found = in_order(_held_out, jobs, executor, label="Folds", progress=progress, checkpoint=kept)
        if len(found) < k:
            raise FitError(
                f"{k - len(found)} of {k} folds were lost with their processes, and the others are no cross-validation."
                " Use fewer processes."
            )
        result = np.empty(n)
        for number, densities in enumerate(found):
            result[fold == number] = densities
        return result

    return _elpd(post, post.log_likelihood(), "all", exact, ("kfold", "rows"))


def _told(post: PosteriorRecord, units: Array, seed: int, *others: float | None) -> str:
    """What the densities of rows left out, unit by unit, depend on, as a fingerprint."""
    model = parts_of_model(post.spec, post.design, post.priors)
    return fingerprint("left out", *model, post.method, post.values.lead, units, seed, *others)


def _held_out(post: PosteriorRecord, keep: Array, seed: int) -> Array:
    again, others = _refit(post, keep, seed)
    return np.asarray(_pointwise(post, others, again.with_effects))


@explained
def loo_compare(
    *fits: PosteriorRecord | Mapping[str, PosteriorRecord],
    labels: Sequence[str] | None = None,
    method: str = "stacking",
) -> pd.DataFrame:
    """Compare models of the same data by their expected log predictive density, with stacking weights.

    Parameters
    ----------
    *fits : posteriors, or a dict of them by label.
    labels : names of the models; their formulas by default.
    method : ``"stacking"``, ``"BB-pseudo-BMA"`` or ``"pseudo-BMA"``, as in ``arviz.compare``.

    Returns
    -------
    DataFrame
        ArviZ's table, best model first. Rows with a high Pareto k are refitted where that is cheap.

    Raises
    ------
    SpecError
        If there are not two models, or they were not fitted to the same responses.
    """
    named = _posteriors(fits, labels, "loo_compare")
    posteriors = list(named.values())
    if len(posteriors) < 2:
        raise SpecError('loo_compare takes two or more posteriors: loo_compare(a, b), or {"first": a, "second": b}.')
    if any(not is_same_response(posteriors[0].design, other.design) for other in posteriors[1:]):
        raise SpecError("These posteriors are of different responses or rows: their densities cannot be compared.")
    return compare_elpd({name: loo(fit, refit=None, seed=0) for name, fit in named.items()}, method)


@explained
def bayes_factor(first: PosteriorRecord, second: PosteriorRecord) -> dict[str, float]:
    """Bayes factor of the first model over the second, from their marginal likelihoods.

    Returns
    -------
    dict
        ``log_bayes_factor``, its Monte Carlo ``error``, ``bayes_factor``, and the ``probability`` of the first model
        where both were equally probable before. It depends on the priors of the parameters that differ, however many
        data there are.

    Raises
    ------
    SpecError
        If a fit has no marginal likelihood, or the responses differ.
    """
    _posteriors((first, second), None, "bayes_factor")
    if not is_same_response(first.design, second.design):
        raise SpecError("These posteriors are of different responses or rows: their evidence cannot be compared.")
    (one, error_one), (two, error_two) = first.log_evidence, second.log_evidence
    difference = one - two
    return {
        "log_bayes_factor": difference,
        "error": float(np.hypot(error_one, error_two)),
        "bayes_factor": float(np.exp(min(difference, 700.0))),
        "probability": float(1.0 / (1.0 + np.exp(-np.clip(difference, -700.0, 700.0)))),
    }


def _posteriors(
    fits: Sequence[PosteriorRecord | Mapping[str, PosteriorRecord]], labels: Sequence[str] | None, verb: str
) -> dict[str, PosteriorRecord]:
    return named_fits(fits, labels, verb, wanted=(PosteriorRecord,), default=by_formula)


def left_out(post: PosteriorRecord, keep: Array, seed: int, *, by_evidence: bool = True) -> float:
    """Log density of the rows not kept given the others, exactly: by a refit to the others.

    Where both fits have their marginal likelihood it is the difference of those, ``p(y) / p(y kept)``: next to no Monte
    Carlo error, also by fewer draws. The mean of the density over the refit's draws, taken otherwise, is noisy for rows
    far out.
    """
    again, others = _refit(post, keep, seed, draws=_enough(post) if by_evidence else None)
    whole, part = (found.draws.certificate.get("log_evidence") for found in (post, again))
    if by_evidence and whole is not None and part is not None:
        return whole - part
    return _log_mean(log_density(post.spec, others, again.with_effects))


def _pointwise(post: PosteriorRecord, others: Design, values: Parameters) -> list[float]:
    rows = np.arange(len(others.y))[:, None]
    return [_log_mean(log_density(post.spec, others.take(row), values)) for row in rows]


def _not_in_parts(post: PosteriorRecord, verb: str) -> SpecError:
    return SpecError(
        f"`{post.spec.formula.residual}` correlates the rows of a block: {verb} would leave out some of them and is not"
        " supported. loo() gives the density of each row given all others."
    )


def _is_cheap(post: PosteriorRecord) -> bool:
    return post.method == "marginal"


def _enough(post: PosteriorRecord) -> int | None:
    """Draws a chain by which a refit tells its marginal likelihood; None for as many as the fit has."""
    error = post.draws.certificate.get("log_evidence_error")
    if error is None or error * np.sqrt(FEWER) > PRECISE:
        return None
    return max(post.values.lead[1] // FEWER, 1)


def _refit(
    post: PosteriorRecord, keep: Array, seed: int, *, draws: int | None = None
) -> tuple[PosteriorRecord, Design]:
    """Sample again without some rows, with the priors of the whole, as many draws as before by default; those rows.

    By NUTS where fewer rows have no Gaussian approximation, or none that its certificate holds for.
    """
    kept, others = split(post.design, keep)
    chains, whole = post.values.lead
    schedule = Schedule(whole, chains, seed)
    if post.method == "marginal":
        shorter = replace(schedule, draws=draws or whole)
        with suppress(ApproximationError):
            again = sample_again(post, Marginal(), shorter, design=kept, priors=post.priors)
            if failure(again.draws) is None:
                return again, others
    return sample_again(post, Nuts(), schedule, design=kept, priors=post.priors), others


def _log_mean(values: Array) -> float:
    return float(np.logaddexp.reduce(values, axis=None) - np.log(values.size))


def _elpd(
    post: PosteriorRecord,
    pointwise: Array,
    refit: bool | str,
    exact: Callable[[Array], Iterable[float]],
    names: tuple[str, str],
) -> Elpd:
    """The record of ``(chain, draw, units)``, units with a high Pareto k (or all) replaced by exact values."""
    found = psis_loo(pointwise, _efficiency(post), *names)
    if post.spec.has_row_covariance:
        found.advice = 'post.residuals("normalized") of them; refits would leave out parts of blocks'
    k = found.pareto_k.to_numpy()
    units = np.arange(len(k)) if refit == "all" else np.flatnonzero(~(k <= found.good_k))
    if not refit or not len(units):
        return found
    return found.with_exact(units, np.array(list(exact(units))), pointwise)


def _efficiency(post: PosteriorRecord) -> float:
    """Effective over actual number of draws, the mean over all parameters; one of a single chain, as ArviZ has it."""
    chains, draws = post.values.lead
    if chains == 1:
        return 1.0
    variables = posterior_dataset(post.design, post.with_effects, post.spec.family.dispersion).data_vars.values()
    sizes = [mean_ess(one.to_numpy().reshape(chains, draws, -1)) for one in variables]
    return float(np.mean(np.concatenate(sizes))) / (chains * draws)
