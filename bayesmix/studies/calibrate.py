"""Is the sampler right? Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari, Gelman 2018).

Parameters are drawn from the priors, data from the parameters, and draws from the posterior of these data. If all three
are of the same model and the sampler is exact, the rank of each parameter among its posterior draws is uniform. The
log-likelihood has a rank too: it tells posteriors that ignore the data (Modrak et al. 2023), which the others do not.
Ranks are among nearly independent draws: a run whose draws are worth fewer than these is made longer and thinned (Talts
et al., algorithm 2), since ranks among draws that depend on each other pile up at both ends.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.memory import too_much
from bayesmix.errors import BayesmixError, BayesmixWarning, SpecError, first_line
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.diagnostics import convergence
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.sample import Sampler, failure, resolve_sampler
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_time
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import flatten, linear_predictor, log_likelihood_of_all, parameter_names
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.records import PosteriorRecord
from bayesmix.results.fits.refit import sample_model
from bayesmix.results.prediction.simulation import replicated
from bayesmix.studies.prior_simulation import draw_parameters
from bayesmix.studies.uniformity import POWER, detectable_shift, deviation, limit, p_value, shares

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.model import Model


LIKELIHOOD = "log-likelihood"
WIDTH = 80  # of lines of text
CHAINS = 2
SPARE = 1.5  # times as long as its effective sample size asks for is the next run, for that is a guess itself
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")  # of a row, a level or a size, in a message
LONGEST = 20  # times as long as the first at most


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
    uncertified: Calibration | None = None  # replicates in which the sampler's certificate did not hold
    rule: str = ""  # how simulated responses are censored, in words
    late: int = 0  # replicates that were not begun in time
    reasons: Mapping[str, int] = field(default_factory=dict)  # why data could not be fitted, the most frequent first

    @property
    def table(self) -> pd.DataFrame:
        """One row a parameter: ``shift, spread, deviation, limit, p, uniform``.

        ``shift`` is that of the mean rank in standard errors: above zero, posteriors lie too low. ``spread`` is the
        variance of the ranks over that of uniform ones: above one, posteriors are too narrow. ``deviation`` is the
        largest distance of the ranks' distribution from uniform in standard errors, ``p`` how often uniform ranks go
        as far (exact), and ``limit`` what they stay below with probability ``1 - level``, all parameters together.
        """
        import pandas as pd

        n, values = len(self.ranks), self.draws + 1
        u = (self.ranks.to_numpy() + 0.5) / values
        uniform = (1.0 - values**-2.0) / 12.0  # variance of the discrete uniform distribution
        shift = (u.mean(axis=0) - 0.5) / np.sqrt(uniform / n)
        largest = [deviation(column, self.draws) for column in self.ranks.to_numpy().T]
        p = np.array([p_value(one, n, self.draws) for one in largest])
        columns = {"shift": shift, "spread": np.mean((u - 0.5) ** 2, axis=0) / uniform, "deviation": largest}
        frame = pd.DataFrame(columns, index=self.ranks.columns)
        return frame.assign(limit=limit(self._each, n, self.draws), p=p, uniform=p > self._each)

    @property
    def is_uniform(self) -> bool:
        """Whether every parameter's ranks are within the limit; false without any certified replication."""
        return len(self.ranks) > 0 and bool(self.table["uniform"].all())

    @property
    def p(self) -> float:
        """p-value of all parameters together, by Bonferroni: one number for studies of many models; NaN of no ranks."""
        return min(1.0, self.ranks.shape[1] * float(self.table["p"].min())) if len(self.ranks) else math.nan

    @property
    def detectable_shift(self) -> float:
        """Posterior standard deviations off that would be found in four of five studies: what uniform ranks can say.

        Of normal posteriors all of which lie so far to one side, with this number of replications, at ``level``;
        infinite where these are too few to find anything.
        """
        return detectable_shift(self._each, len(self.ranks), self.draws) if len(self.ranks) else math.inf

    def curves(self) -> pd.DataFrame:
        """For figures: ``parameter, rank, difference, lower, upper``, one row a parameter and rank.

        ``difference`` is the share of replicates up to a rank less that of uniform ranks, which stays within the band
        from ``lower`` to ``upper`` at all ranks of all parameters with probability ``1 - level``.
        """
        import pandas as pd

        n, at = len(self.ranks), np.arange(self.draws)
        z = (at + 1.0) / (self.draws + 1.0)
        half = limit(self._each, n, self.draws) * np.sqrt(z * (1.0 - z) / n)
        parts = [
            pd.DataFrame(
                {
                    "parameter": name,
                    "rank": z,
                    "difference": shares(self.ranks[name].to_numpy(), self.draws) - z,
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
            lines += ["", f"The sampler's own certificate did not hold in {others} of {n + others} replications."]
            lines += ["Their ranks, apart:", *self.uncertified._tests()]
        total = n + others + self.failed + self.lost + self.late
        if self.failed:
            lines.append(f"{self.failed} of {total} simulated data sets could not be fitted.")
            lines += _counted(self.reasons)
        if self.lost:
            lines.append(f"{self.lost} of {total} replications were lost: their processes were killed.")
        if self.late:
            lines.append(f"{self.late} of {total} replications were not begun: the time was over.")
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
            yield "Nothing speaks against the sampler. So many replications find posteriors that all lie"
            yield f"{self.detectable_shift:.2g} standard deviations off with probability {POWER:.0%}, no less."
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
    seconds: float | None = None,
) -> Calibration:
    """Simulate from the priors of a model on its design, fit, and rank.

    Parameters
    ----------
    model : formula, design and priors; its responses are not used beyond the scales of the default priors.
    fitted : the model that the data are fitted by, if another: what follows from a wrong prior or likelihood.
    method : as in `Model.sample`.
    ranks : posterior draws that a rank is among.
    thin : posterior draws for each of these to begin with; two suffice for the nearly independent ones of the marginal
        sampler. Where draws are worth fewer independent ones than a rank is among, more are made.
    level : probability of a false alarm, all parameters together.
    executor : any ``concurrent.futures.Executor``; here, one after the other, if None. Replications whose process is
        killed are run once more; what is finished is kept.
    progress : show a bar with the time left.
    checkpoint : file in which finished replications are kept. A study that was stopped goes on from there, and one with
        more replications takes those over that it has.
    seconds : by the clock, after which no replication is begun; those that are come to their end, and ``late`` is how
        many are left. Replications that take long are not left out, which would leave out the parameters that make them
        so. Counts of ranks are unbiased (Wald 1945), but the last replication is likelier a slow one: of a handful the
        ranks may be uneven where time depends on parameters. Resumed from a checkpoint, a study has as many again.

    Raises
    ------
    SpecError
        If a prior is flat, the two models differ in their parameters, there are no seconds, or no data set could be
        fitted: the message has the reasons, with their counts.
    FitError
        If no replication was begun in time, or all processes were killed.
    DataError
        If the checkpoint is another study's.
    """
    import pandas as pd

    check_level(level, "level")
    _check(model, fitted, ranks, thin)
    if seconds is not None and not seconds > 0.0:
        raise SpecError(f"seconds={seconds:g}: a time above zero is needed, or None for no limit.")
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
    results, late = in_time(replicate, jobs, executor, seconds, label="Calibrating", progress=progress, checkpoint=kept)
    found = [result for result in results if not isinstance(result, str)]
    reasons = _alike(result for result in results if isinstance(result, str))
    if not found:
        raise SpecError("\n".join(["None of the simulated data sets could be fitted.", *_counted(reasons)]))
    frame = pd.DataFrame([own for own, _ in found], columns=pd.Index(names, name="parameter"))
    held = np.array([certified for _, certified in found])
    apart = None if held.all() else Calibration(frame[~held].reset_index(drop=True), ranks, level)
    failed, lost, rule = len(results) - len(found), replicates - len(results) - late, other.design.censoring_rule
    return Calibration(frame[held].reset_index(drop=True), ranks, level, failed, lost, apart, rule, late, reasons)


def _alike(said: Iterable[str]) -> dict[str, int]:
    """Numbers of replications by reason, the most frequent first; reasons that differ in numbers only are one."""
    found: dict[str, list[str]] = {}
    for one in said:
        found.setdefault(NUMBER.sub("#", one), []).append(one)
    return {own[0]: len(own) for own in sorted(found.values(), key=len, reverse=True)}


def _counted(reasons: Mapping[str, int]) -> Iterator[str]:
    """Lines of a table: how often, and why."""
    for reason, number in reasons.items():
        yield from wrap(reason, WIDTH, initial_indent=f"{number:6d}  ", subsequent_indent=" " * 8)


def _check(model: Model, fitted: Model | None, ranks: int, thin: int) -> None:
    for one in (model, fitted):
        if one is not None and not hasattr(one, "design"):
            raise SpecError(f"calibrate takes models, not {type(one).__name__} {one!r:.80}.")
    if ranks < 1 or thin < 1:
        raise SpecError(f"ranks={ranks}, thin={thin}: at least one draw is needed.")
    if (size := too_much(float(LONGEST) * ranks * thin * model.design.X.shape[1])) is not None:
        raise SpecError(f"ranks={ranks}, thin={thin}: the draws would take {size}. A hundred ranks tell enough.")


def _study(setting: Setting, seed: int) -> str:
    """What the ranks depend on, as a fingerprint."""
    own = parts_of_model(setting.spec, setting.design, setting.priors)
    other = parts_of_model(setting.fitted.spec, setting.fitted.design, setting.fitted_priors)
    return fingerprint("calibrate, with reasons", *own, *other, setting.sampler, setting.ranks, setting.thin, seed)


def replicate(setting: Setting, seed: np.random.SeedSequence) -> tuple[Array, bool] | str:
    """Ranks of one set of parameters, and whether the certificate held; where data cannot be fitted, the reason."""
    rng = np.random.default_rng(seed)
    truth = draw_parameters(setting.priors, setting.design, rng)
    numbers = [int(number >> 1) for number in seed.generate_state(2)]
    drawn = replicated(setting.spec, setting.design, truth, groups="fitted", seed=numbers[0])
    fitted = replace(setting.fitted, design=setting.fitted.design.with_response(*drawn))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        try:
            found, values, size = _nearly_independent(setting, fitted, numbers[1])
        except (BayesmixError, np.linalg.LinAlgError) as error:
            return f"{type(error).__name__}: {first_line(error)}"
    flat = values.reshape(-1, values.shape[-1])
    kept = flat[np.linspace(0, len(flat) - 1, setting.ranks).round().astype(int)]
    true = _scalars(fitted, truth)
    below = np.sum(kept < true, axis=0)
    ties = np.sum(kept == true, axis=0)
    return below + rng.integers(0, ties + 1), size >= setting.ranks and _is_trusted(found)


def _nearly_independent(setting: Setting, fitted: Fitted, seed: int) -> tuple[PosteriorRecord, Array, float]:
    """A posterior, its scalars ``(chain, draw, m)``, and how many independent draws the least mixed is worth.

    Draws that the sampler itself does not trust are not made more: that takes longest, and nothing comes of it.
    """
    draws = first = max(math.ceil(setting.ranks * setting.thin / CHAINS), 4)
    while True:
        found = sample_model(fitted, setting.fitted_priors, setting.sampler, Schedule(draws, CHAINS, seed))
        values = _scalars(fitted, found.with_effects)
        size = _smallest_ess(values)
        if size >= setting.ranks or draws == LONGEST * first or not _is_trusted(found):
            return found, values, size
        draws = math.ceil(min(SPARE * draws * setting.ranks / max(size, 1.0), LONGEST * first))


def _smallest_ess(values: Array) -> float:
    """Of scalars ``(chain, draw, m)``, those that are constant by construction left out; chains that stay have none."""
    moving = values[..., np.ptp(values, axis=(0, 1)) > 0.0]
    return float(np.min(np.nan_to_num(convergence(moving).ess_bulk), initial=np.inf))


def _is_trusted(found: PosteriorRecord) -> bool:
    """Whether the sampler says that its draws can be used; chains of a study are too short for R-hat to tell.

    Of alternating moves nothing else would: how many independent draws they are worth has been looked at.
    """
    if found.draws.method == "nuts":
        return not found.draws.divergences
    return "pareto_k" not in found.draws.certificate or failure(found.draws) is None


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
