"""What a regression that ignores groups says of its standard error, and what that error is: by simulation.

Each of ``groups`` groups has an intercept ``a ~ N(0, 1)`` and a slope ``1 + a + N(0, 1)``, and ``rows`` rows
``y = a + slope x + N(0, 1)`` with ``x ~ N(0, 1)``. The slope that all groups share on average is 1.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import BayesmixWarning, SpecError, nearest
from bayesmix.language.arguments import explained
from bayesmix.model import Model
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.results.fits.level import check_level

if TYPE_CHECKING:
    import pandas as pd


SLOPE = 1.0  # the average of the groups'
FORMULA = "y ~ x + (x | group)"
DRAWS = 500  # of each of two chains, for a posterior


@dataclass(frozen=True, slots=True)
class Setting:
    """What a worker needs to simulate one sample and to fit it; it pickles."""

    groups: int
    rows: int
    estimators: tuple[str, ...]
    level: float


@dataclass(frozen=True, slots=True)
class Slope:
    """What one estimator says of one sample."""

    slope: float  # the average one
    std_error: float  # as reported; NaN where the estimator has none
    lower: float
    upper: float
    by_group: Array  # (groups,)


@dataclass(frozen=True, slots=True, eq=False)
class StandardErrors:
    """Replicates of the study and what they amount to."""

    replicates: pd.DataFrame  # replicate, estimator, slope, std_error, lower, upper, group_error
    sample: pd.DataFrame  # the last sample: group, x, y, and the group's true intercept and slope

    @property
    def table(self) -> pd.DataFrame:
        """One row an estimator.

        Columns ``actual_se`` (the spread of the estimates of the average slope) and its Monte Carlo error ``mcse``,
        ``reported_se`` (the mean of what is reported), their ratio ``reported_over_actual``, ``coverage`` of the
        intervals, and ``group_error``, the root mean square error of the groups' own slopes.
        """
        import pandas as pd

        by_estimator = self.replicates.groupby("estimator", sort=False)
        actual, n = by_estimator["slope"].std(), by_estimator["slope"].size()
        reported = by_estimator["std_error"].mean()
        inside = self.replicates["lower"].lt(SLOPE) & self.replicates["upper"].gt(SLOPE)
        held = inside.where(self.replicates["lower"].notna()).groupby(self.replicates["estimator"], sort=False).mean()
        columns = {
            "actual_se": actual,
            "mcse": actual / np.sqrt(2.0 * (n - 1)),
            "reported_se": reported,
            "reported_over_actual": reported / actual,
            "coverage": held.astype(float),
            "group_error": np.sqrt((self.replicates["group_error"] ** 2).groupby(self.replicates["estimator"]).mean()),
        }
        return pd.DataFrame(columns).loc[list(actual.index)]


@explained
def standard_errors(  # noqa: PLR0913 - options of a study, named
    groups: int = 10,
    rows: int = 10,
    replicates: int = 1000,
    *,
    estimators: Sequence[str] = ("common", "separate", "reml"),
    level: float = 0.95,
    seed: int = 1000,
    executor: Executor | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> StandardErrors:
    """Compare the actual with the reported standard error of a slope whose groups differ.

    Parameters
    ----------
    groups, rows : number of groups, and of rows in each.
    replicates : number of samples.
    estimators : of ``"common"`` (least squares, one slope for all groups and an intercept for each),
        ``"separate"`` (least squares in each group), ``"reml"`` and ``"posterior"`` of ``y ~ x + (x | group)``.
    level : coverage that intervals claim.
    seed : each replicate has a seed of its own, spawned from this one: the results are the same on any executor.
    executor : any ``concurrent.futures.Executor``, to fit on many processes or machines; here, one by one, if None.
    progress : show a bar with the time left.
    checkpoint : file in which finished replicates are kept. A study that was stopped goes on from there, and one with
        more replicates takes those over that it has.
    """
    import pandas as pd

    check_level(level, "level")
    setting = Setting(groups, rows, _check(groups, rows, replicates, estimators), level)
    seeds = np.random.SeedSequence(seed).spawn(replicates)
    jobs = [(setting, one) for one in seeds]
    kept = checkpoint_of(checkpoint, fingerprint("standard_errors", setting, seed), list(map(str, range(replicates))))
    found = in_order(replicate, jobs, executor, label="Simulating", progress=progress, checkpoint=kept)
    table = pd.DataFrame([{"replicate": i, **row} for i, parts in enumerate(found) for row in parts])
    return StandardErrors(table, simulate(setting, np.random.default_rng(seeds[-1])))


def _check(groups: int, rows: int, replicates: int, estimators: Sequence[str]) -> tuple[str, ...]:
    if groups < 2 or rows < 3 or replicates < 2:
        raise SpecError(
            f"groups={groups}, rows={rows}, replicates={replicates}: at least 2, 3 and 2 are needed to fit a line in"
            " each group and to see estimates spread."
        )
    for name in estimators:
        if name not in ESTIMATORS:
            known = ", ".join(ESTIMATORS)
            raise SpecError(f"There is no estimator `{name}`.{nearest(name, ESTIMATORS)} Estimators: {known}.")
    return tuple(dict.fromkeys(estimators))


def simulate(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """One sample: ``group, x, y, intercept, slope``."""
    import pandas as pd

    intercept = rng.standard_normal(setting.groups)
    slope = SLOPE + intercept + rng.standard_normal(setting.groups)
    code = np.repeat(np.arange(setting.groups), setting.rows)
    x, noise = rng.standard_normal((2, len(code)))
    levels = [f"group {j + 1}" for j in range(setting.groups)]
    labels = pd.Categorical([levels[j] for j in code], categories=levels)
    y = intercept[code] + slope[code] * x + noise
    return pd.DataFrame({"group": labels, "x": x, "y": y, "intercept": intercept[code], "slope": slope[code]})


def replicate(setting: Setting, seed: np.random.SeedSequence) -> list[dict[str, object]]:
    """Simulate one sample and fit it by every estimator: one row of `StandardErrors.replicates` each."""
    sample = simulate(setting, np.random.default_rng(seed))
    truth = sample["slope"].to_numpy()[:: setting.rows]
    rows: list[dict[str, object]] = []
    for name in setting.estimators:
        found = ESTIMATORS[name](sample, setting, int(seed.generate_state(1)[0] >> 1))
        numbers = {"slope": found.slope, "std_error": found.std_error, "lower": found.lower, "upper": found.upper}
        error = float(np.sqrt(np.mean((found.by_group - truth) ** 2)))
        rows.append({"estimator": name, **numbers, "group_error": error})
    return rows


# ---- estimators -------------------------------------------------------------------------------------------------


def _common(sample: pd.DataFrame, setting: Setting, seed: int) -> Slope:
    """``lm(y ~ x + group)``: by what is left of x and y beside the groups' means."""
    from scipy.special import stdtrit

    x, y = _within(sample, setting)
    size = float(np.sum(x**2))
    slope = float(np.sum(x * y)) / size
    freedom = x.size - setting.groups - 1
    error = math.sqrt(float(np.sum((y - slope * x) ** 2)) / freedom / size)
    half = float(stdtrit(freedom, 0.5 + 0.5 * setting.level)) * error
    return Slope(slope, error, slope - half, slope + half, np.full(setting.groups, slope))


def _separate(sample: pd.DataFrame, setting: Setting, seed: int) -> Slope:
    """``lm(y ~ x)`` in each group: a slope of each, none of all."""
    x, y = _within(sample, setting)
    slopes = np.sum(x * y, axis=1) / np.sum(x**2, axis=1)
    return Slope(float(slopes.mean()), math.nan, math.nan, math.nan, slopes)


def _within(sample: pd.DataFrame, setting: Setting) -> Array:
    """Deviations of x and y from the means of their groups: ``(2, groups, rows)``."""
    columns = sample[["x", "y"]].to_numpy().T.reshape(2, setting.groups, setting.rows)
    return np.asarray(columns - columns.mean(axis=2, keepdims=True))


def _reml(sample: pd.DataFrame, setting: Setting, seed: int) -> Slope:
    from scipy.special import stdtrit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        fit = Model(FORMULA, sample).estimate("reml", progress=False)
    numbers = dict(fit.satterthwaite().loc["x"])
    slope, error, df = (float(numbers[name]) for name in ("estimate", "std_error", "df"))
    half = float(stdtrit(df, 0.5 + 0.5 * setting.level)) * error
    return Slope(slope, error, slope - half, slope + half, fit.coef()["group"]["x"].to_numpy())


def _posterior(sample: pd.DataFrame, setting: Setting, seed: int) -> Slope:
    fit = Model(FORMULA, sample).sample(draws=DRAWS, chains=2, seed=seed, progress=False)
    numbers = dict(fit.parameters(setting.level).loc["x"])
    mean, sd, lower, upper = (float(numbers[name]) for name in ("mean", "sd", "lower", "upper"))
    return Slope(mean, sd, lower, upper, fit.coef()["group"]["x"].to_numpy())


ESTIMATORS: dict[str, Callable[[pd.DataFrame, Setting, int], Slope]] = {
    "common": _common,
    "separate": _separate,
    "reml": _reml,
    "posterior": _posterior,
}
