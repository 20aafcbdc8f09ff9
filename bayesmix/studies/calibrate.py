"""Is the sampler right? Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari, Gelman 2018).

Parameters are drawn from the priors, data from the parameters, and draws from the posterior of these data. If all three
are of the same model and the sampler is exact, the rank of each parameter among its posterior draws is uniform. The
log-likelihood has a rank too: it tells posteriors that ignore the data (Modrak et al. 2023), which the others do not.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import BayesmixError, BayesmixWarning, SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.sample import Sampler, failure, resolve_sampler
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import flatten, linear_predictor, log_likelihood_of_all, parameter_names
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.refit import sample_model
from bayesmix.results.prediction.simulation import replicated
from bayesmix.studies.prior_simulation import draw_parameters

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.model import Model


LIKELIHOOD = "log-likelihood"
WIDTH = 80  # of lines of text
CHAINS = 2
REFERENCE = 20_000  # sets of uniform ranks that give the band its level


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a worker needs; it pickles."""

    spec: ModelSpec  # data come from it ...
    priors: Priors
    design: Design
    fitted: Fitted  # ... and are fitted by it
    fitted_priors: Priors
    sampler: Sampler | None
    ranks: int  # posterior draws that a rank is among
    thin: int


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Ranks of true parameters among posterior draws, and whether they are uniform.

    Replications whose certificate did not hold are apart: a sampler is wrong only where it says that it is right. Ranks
    are uniform given any data, and so given data whose posterior is certified.
    """

    ranks: pd.DataFrame  # (replicates, parameters), 0 ... draws
    draws: int  # posterior draws that a rank is among
    level: float  # of all tests together
    failed: int = 0  # replicates that could not be fitted
    lost: int = 0  # replicates whose processes were killed
    uncertified: Calibration | None = None  # replicates in which the marginal sampler's certificate did not hold
    rule: str = ""  # how simulated responses are censored, in words

    @property
    def table(self) -> pd.DataFrame:
        """One row a parameter: ``shift, spread, deviation, limit, p, uniform``.

        ``shift`` is that of the mean rank in standard errors: above zero, posteriors lie too low. ``spread`` is the
        variance of the ranks over that of uniform ones: above one, posteriors are too narrow. ``deviation`` is the
        largest distance of the ranks' distribution from uniform in standard errors, ``p`` how often uniform ranks go
        as far, and ``limit`` what they stay below with probability ``1 - level``, all parameters together.
        """
        import pandas as pd

        n, values = len(self.ranks), self.draws + 1
        u = (self.ranks.to_numpy() + 0.5) / values
        uniform = (1.0 - values**-2.0) / 12.0  # variance of the discrete uniform distribution
        shift = (u.mean(axis=0) - 0.5) / np.sqrt(uniform / n)
        reference = _reference(n, self.draws)
        deviation = np.array([_deviation(column, self.draws) for column in self.ranks.to_numpy().T])
        p = np.array([(1.0 + np.sum(reference >= one)) / (1.0 + len(reference)) for one in deviation])
        limit = float(np.quantile(reference, 1.0 - self._each))
        columns = {"shift": shift, "spread": np.mean((u - 0.5) ** 2, axis=0) / uniform, "deviation": deviation}
        frame = pd.DataFrame(columns, index=self.ranks.columns)
        return frame.assign(limit=limit, p=p, uniform=deviation <= limit)

    @property
    def is_uniform(self) -> bool:
        """Whether every parameter's ranks are within the limit; false without any certified replication."""
        return len(self.ranks) > 0 and bool(self.table["uniform"].all())

    def curves(self) -> pd.DataFrame:
        """For figures: ``parameter, rank, difference, lower, upper``, one row a parameter and rank.

        ``difference`` is the share of replicates up to a rank less that of uniform ranks, which stays within the band
        from ``lower`` to ``upper`` at all ranks of all parameters with probability ``1 - level``.
        """
        import pandas as pd

        n, at = len(self.ranks), np.arange(self.draws)
        z = (at + 1.0) / (self.draws + 1.0)
        half = float(np.quantile(_reference(n, self.draws), 1.0 - self._each)) * np.sqrt(z * (1.0 - z) / n)
        parts = [
            pd.DataFrame(
                {
                    "parameter": name,
                    "rank": z,
                    "difference": _shares(self.ranks[name].to_numpy(), self.draws) - z,
                    "lower": -half,
                    "upper": half,
                }
            )
            for name in self.ranks
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def _each(self) -> float:
        return self.level / max(self.ranks.shape[1], 1)

    def __str__(self) -> str:
        n, others = len(self.ranks), 0 if self.uncertified is None else len(self.uncertified.ranks)
        certified = " with a certificate that holds" if others else ""
        lines = [
            f"Simulation-based calibration: {n} replications{certified}, ranks among {self.draws} draws",
            *(self._tests() if n else []),
        ]
        if self.uncertified is not None:
            lines += ["", f"The marginal sampler's certificate did not hold in {others} of {n + others} replications."]
            lines += ["Their ranks, apart:", *self.uncertified._tests()]
        total = n + others + self.failed + self.lost
        if self.failed:
            lines.append(f"{self.failed} of {total} simulated data sets could not be fitted.")
        if self.lost:
            lines.append(f"{self.lost} of {total} replications were lost: their processes were killed.")
        lines += wrap(self.rule, WIDTH)
        return "\n".join(lines)

    def _tests(self) -> Iterator[str]:
        """The table, and what it says."""
        table = self.table
        shown = table[["shift", "spread", "deviation", "p"]].map(lambda value: f"{value:.2f}")
        shown["p"] = [f"{p:.4f}" for p in table["p"]]
        shown["uniform"] = np.where(table["uniform"], "yes", "NO")
        yield from shown.to_string().splitlines()
        yield (
            f"Deviations of uniform ranks stay below {float(table['limit'].iloc[0]):.2f} with probability"
            f" {1.0 - self.level:.0%}, all parameters together."
        )
        yield from self._verdict(table)

    def _verdict(self, table: pd.DataFrame) -> Iterable[str]:
        wrong = table[~table["uniform"]]
        if wrong.empty:
            yield "The ranks are uniform: nothing speaks against the sampler."
        for name, row in wrong.iterrows():
            said = [f"lie too {'low' if row['shift'] > 0 else 'high'}"] if abs(row["shift"]) > 3.0 else []
            said += [f"are too {'narrow' if row['spread'] > 1 else 'wide'}"] if abs(row["spread"] - 1.0) > 0.15 else []
            yield f"The posteriors of {name} {' and '.join(said) or 'have another shape than they should'}."


@explained
def calibrate(  # noqa: PLR0913 - options of a study, named
    model: Model,
    replicates: int = 500,
    *,
    fitted: Model | None = None,
    method: str | Sampler = "auto",
    ranks: int = 99,
    thin: int = 2,
    level: float = 0.05,
    seed: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> Calibration:
    """Simulate from the priors of a model on its design, fit, and rank.

    Parameters
    ----------
    model : formula, design and priors; its responses are not used beyond the scales of the default priors.
    fitted : the model that the data are fitted by, if another: what follows from a wrong prior or likelihood.
    method : as in `Model.sample`.
    ranks : posterior draws that a rank is among.
    thin : posterior draws for each of these; two suffice for the nearly independent ones of the marginal sampler.
    level : probability of a false alarm, all parameters together.
    executor : any ``concurrent.futures.Executor``; here, one after the other, if None. Replications whose process is
        killed are run once more; what is finished is kept.
    progress : show a bar with the time left.
    checkpoint : file in which finished replications are kept. A study that was stopped goes on from there, and one with
        more replications takes those over that it has.

    Raises
    ------
    SpecError
        If a prior is flat, or the two models differ in their parameters.
    DataError
        If the checkpoint is another study's.
    """
    import pandas as pd

    check_level(level, "level")
    other = model if fitted is None else fitted
    names = _names(model.design, model.spec)
    if _names(other.design, other.spec) != names or len(other.design.y) != len(model.design.y):
        raise SpecError("The fitted model must have the parameters and rows of the one that data are simulated from.")
    if model.priors.has_flat:
        raise SpecError('Flat priors cannot be drawn from. Use the default ones, or priors={"sd": "HalfNormal(1)"}.')
    setting = Setting(
        model.spec,
        model.priors,
        model.design,
        Fitted(other.spec, other.design, ""),
        other.priors,
        resolve_sampler(method),
        ranks,
        thin,
    )
    jobs = [(setting, child) for child in np.random.SeedSequence(seed).spawn(replicates)]
    kept = checkpoint_of(checkpoint, _study(setting, seed), list(map(str, range(replicates))))
    results = in_order(replicate, jobs, executor, label="Calibrating", progress=progress, checkpoint=kept)
    found = [result for result in results if result is not None]
    if not found:
        raise SpecError("None of the simulated data sets could be fitted.")
    frame = pd.DataFrame([own for own, _ in found], columns=pd.Index(names, name="parameter"))
    held = np.array([certified for _, certified in found])
    apart = None if held.all() else Calibration(frame[~held].reset_index(drop=True), ranks, level)
    failed, lost, rule = len(results) - len(found), replicates - len(results), other.design.censoring_rule
    return Calibration(frame[held].reset_index(drop=True), ranks, level, failed, lost, apart, rule)


def _study(setting: Setting, seed: int) -> str:
    """What the ranks depend on, as a fingerprint."""
    own = parts_of_model(setting.spec, setting.design, setting.priors)
    other = parts_of_model(setting.fitted.spec, setting.fitted.design, setting.fitted_priors)
    return fingerprint("calibrate", *own, *other, setting.sampler, setting.ranks, setting.thin, seed)


def replicate(setting: Setting, seed: np.random.SeedSequence) -> tuple[Array, bool] | None:
    """Ranks of one set of parameters, and whether the certificate held; None where the data cannot be fitted."""
    rng = np.random.default_rng(seed)
    truth = draw_parameters(setting.priors, setting.design, rng)
    numbers = [int(number >> 1) for number in seed.generate_state(2)]
    drawn = replicated(setting.spec, setting.design, truth, groups="fitted", seed=numbers[0])
    fitted = replace(setting.fitted, design=setting.fitted.design.with_response(*drawn))
    draws = max(math.ceil(setting.ranks * setting.thin / CHAINS), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        try:
            found = sample_model(fitted, setting.fitted_priors, setting.sampler, Schedule(draws, CHAINS, numbers[1]))
        except (BayesmixError, np.linalg.LinAlgError):
            return None
    values = _scalars(fitted, found.with_effects)
    flat = values.reshape(-1, values.shape[-1])
    kept = flat[np.linspace(0, len(flat) - 1, setting.ranks).round().astype(int)]
    true = _scalars(fitted, truth)
    below = np.sum(kept < true, axis=0)
    ties = np.sum(kept == true, axis=0)
    held = "pareto_k" not in found.draws.certificate or failure(found.draws) is None
    return below + rng.integers(0, ties + 1), held


def _scalars(model: Fitted, values: Parameters) -> Array:
    """Parameters, the effects of each term's first level, and the log-likelihood: ``(..., m)``."""
    design, spec = model.design, model.spec
    first = [b[..., 0, :] for b in values.b]
    eta = linear_predictor(design.X, design.offset, design.terms, values)
    total = log_likelihood_of_all(design, spec, values, eta)
    return np.concatenate([flatten(design, values), *first, total[..., None]], axis=-1)


def _names(design: Design, spec: ModelSpec) -> list[str]:
    of_levels = [f"{effect}[{term.group} {term.levels[0]}]" for term in design.terms for effect in term.effects]
    return [*parameter_names(design, spec.dispersion), *of_levels, LIKELIHOOD]


# ---- uniformity -------------------------------------------------------------------------------------------------


def _shares(ranks: Array, draws: int) -> Array:
    """Share of ranks up to ``0 ... draws - 1``: ``(draws,)``."""
    return np.asarray(np.cumsum(np.bincount(ranks, minlength=draws + 1))[:-1] / len(ranks))


def _deviation(ranks: Array, draws: int) -> float:
    """Largest distance of the distribution of ranks from uniform, in its standard errors."""
    return float(_distance(_shares(ranks, draws), draws, len(ranks)))


def _distance(shares: Array, draws: int, n: int) -> Array:
    z = np.arange(1, draws + 1) / (draws + 1.0)
    return np.asarray(np.max(np.abs(shares - z) / np.sqrt(z * (1.0 - z) / n), axis=-1))


@lru_cache(maxsize=8)
def _reference(n: int, draws: int) -> Array:
    """Deviations of ``n`` uniform ranks, `REFERENCE` times; always the same ones."""
    counts = np.random.default_rng(0).multinomial(n, np.full(draws + 1, 1.0 / (draws + 1.0)), size=REFERENCE)
    return _distance(np.cumsum(counts, axis=1)[:, :-1] / n, draws, n)
