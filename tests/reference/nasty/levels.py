"""Quantiles of more posteriors that are hard to sample: `uv run python tests/reference/nasty/levels.py`.

Of families whose densities need not be concave; as `grids.py`, whose grids, priors and quantiles they are: nothing of
bayesmix is used, densities are SciPy's. A random intercept is integrated level by level over its linear predictor, on
points that all places of the grid share: what a level says of a predictor is computed once, and its integral with the
normal densities of all means and standard deviations is one product of matrices. Where the standard deviation is small
beside the distance of the points, they are Gauss and Hermite's. Adds to `grids.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import grids
import numpy as np
from grids import Array, Axis, Case
from scipy import special, stats

WITHIN = 21  # points of Gauss and Hermite's where the standard deviation is small


@dataclass(frozen=True)
class Level:
    """Rows of one group: ``log_density(eta, *others)`` of each row, and what it is asked at."""

    density: Callable[..., Array]
    low: float
    high: float
    step: float
    centre: str = "Intercept"  # the axis that random intercepts are deviations from; of ratings none, it is zero
    sd: str = "sd(g, Intercept)"


def log_likelihoods(case: Case, level: Level, values: dict[str, Array]) -> Array:
    """Log likelihood at the product of all axes: those of the centre and of sd first, then the others."""
    others = [name for name in values if name not in (level.centre, level.sd)]
    mesh = np.meshgrid(*(values[name] for name in others), indexing="ij") if others else [np.zeros(1)]
    aux = {name: one.ravel() for name, one in zip(others, mesh, strict=False)}
    size = len(mesh[0].ravel())
    centre, sd = values.get(level.centre, np.zeros(1)), values[level.sd]
    labels = np.asarray(case.data["g"])
    columns = {name: np.asarray(value) for name, value in case.data.items() if name != "g"}
    total = np.zeros((len(centre), len(sd), size))
    for group in dict.fromkeys(labels):
        rows = {name: value[labels == group] for name, value in columns.items()}
        total += integrated(level, rows, centre, sd, aux, size)
    return total


def integrated(
    level: Level, rows: dict[str, Array], centre: Array, sd: Array, aux: dict[str, Array], size: int
) -> Array:
    """Logarithm of a level's integral ``(centre, sd, others)``."""

    def at(eta: Array) -> Array:
        """``(eta, others)``: log density of the level's rows at each predictor."""
        found = np.zeros((len(eta), size))
        for i in range(len(next(iter(rows.values())))):
            row = {name: value[i] for name, value in rows.items()}
            found += level.density(row, eta[:, None], **{_word(name): one[None] for name, one in aux.items()})
        return found

    out = np.empty((len(centre), len(sd), size))
    wide = sd > 4.0 * level.step
    eta = np.arange(level.low, level.high, level.step)
    logs = at(eta)
    top = logs.max(axis=0)
    like = np.exp(logs - top)
    for j in np.flatnonzero(wide):
        weight = stats.norm.pdf(eta[None, :], centre[:, None], sd[j]) * level.step
        with np.errstate(divide="ignore"):
            out[:, j] = np.log(weight @ like) + top
    t, weights = np.polynomial.hermite_e.hermegauss(WITHIN)
    log_weight = np.log(weights / weights.sum())
    for j in np.flatnonzero(~wide):
        value = at((centre[:, None] + sd[j] * t).ravel()).reshape(len(centre), len(t), size)
        out[:, j] = special.logsumexp(value + log_weight[None, :, None], axis=1)
    return out


def _word(name: str) -> str:
    return "_" * name[0].isdigit() + "".join(c if c.isalnum() else "_" for c in name)


def quantiles(case: Case, level: Level, finer: float = 1.0) -> dict[str, list[float]]:
    order = [level.centre, level.sd, *(a.name for a in case.axes if a.name not in (level.centre, level.sd))]
    axes = sorted(case.axes, key=lambda axis: order.index(axis.name))
    points = [axis.grid(finer) for axis in axes]
    values = {axis.name: axis.value(u) for axis, u in zip(axes, points, strict=True)}
    shape = tuple(map(len, points))
    log = log_likelihoods(case, replace(level, step=level.step / finer), values).reshape(shape)
    for d, (axis, u) in enumerate(zip(axes, points, strict=True)):
        own = grids.prior(grids.prior_of(case, axis.name))(values[axis.name]) + axis.log_jacobian(u)
        log = log + own.reshape([-1 if e == d else 1 for e in range(len(shape))])
    weight = np.exp(log - np.nanmax(log))
    ends = [np.where((np.arange(size) % (size - 1)) == 0, 0.5, 1.0) for size in shape]  # of the trapezoidal rule
    for d, half in enumerate(ends):
        weight *= half.reshape([-1 if e == d else 1 for e in range(len(shape))])
    weight /= weight.sum()
    found = {}
    for d, (axis, u) in enumerate(zip(axes, points, strict=True)):
        density = weight.sum(axis=tuple(e for e in range(len(shape)) if e != d)) / ends[d]
        edge = max(density[0], density[-1]) / density.max()
        if edge > 1e-4:
            print(f"  {axis.name}: the grid is cut off at {edge:.1e} of the highest density ({density[[0, -1]]})")
        found[axis.name] = [float(axis.value(np.array(q))) for q in grids.on_axis(u, density)]
    return found


# ---- log densities of a row at its predictor ------------------------------------------------------------------------


def beta(row: dict, eta: Array, phi: Array) -> Array:
    mu = special.expit(eta)
    a, b = mu * phi, special.expit(-eta) * phi
    return (a - 1.0) * np.log(row["y"]) + (b - 1.0) * np.log1p(-row["y"]) - special.betaln(a, b)


def zero_inflated(row: dict, eta: Array, zi: Array) -> Array:
    some, rest = np.log(np.maximum(zi, 1e-300)), np.log(np.maximum(1.0 - zi, 1e-300))
    poisson = rest + stats.poisson.logpmf(row["y"], np.exp(np.minimum(eta, 300.0)))
    return np.logaddexp(some, poisson) if row["y"] == 0 else poisson


def noise(row: dict, eta: Array, Intercept: Array) -> Array:
    return stats.norm.logpdf((row["y"] - Intercept) * np.exp(-eta)) - eta


def censored(row: dict, eta: Array, sigma: Array) -> Array:
    z = (row["y"] - eta) / sigma
    return special.log_ndtr(-z) if row["c"] == "right" else stats.norm.logpdf(z) - np.log(sigma)


def negbinomial(row: dict, eta: Array, shape: Array) -> Array:
    over = np.logaddexp(eta, np.log(shape))
    y = row["y"]
    constant = special.gammaln(y + shape) - special.gammaln(shape) - special.gammaln(y + 1.0)
    return constant + shape * (np.log(shape) - over) + y * (eta - over)


def gamma(row: dict, eta: Array, shape: Array) -> Array:
    y = row["y"]
    return shape * (np.log(shape) - eta) + (shape - 1.0) * np.log(y) - shape * y * np.exp(-eta) - special.gammaln(shape)


def cumulative(row: dict, eta: Array, **thresholds: Array) -> Array:
    """Of three ordered categories on a logit; nothing where the thresholds are not in order."""
    low, high = thresholds["_1_2"], thresholds["_2_3"]
    with np.errstate(divide="ignore", invalid="ignore"):
        match row["y"]:
            case 1:
                found = -np.logaddexp(0.0, eta - low)
            case 3:
                found = -np.logaddexp(0.0, high - eta)
            case _:
                found = -np.logaddexp(0.0, low - eta) - np.logaddexp(0.0, eta - high) + np.log1p(-np.exp(low - high))
    return np.where(high > low, found, -700.0)


def monotonic(row: dict, eta: Array, mox: Array, simo_mox1_1_: Array) -> Array:
    """Poisson; the slope is of a step of three categories, the share that of the first of two steps."""
    share = (0.0, simo_mox1_1_, 1.0)[int(row["x"])]
    at = np.minimum(eta + 2.0 * mox * share, 300.0)
    return row["y"] * at - np.exp(at) - special.gammaln(row["y"] + 1.0)


# ---- cases ----------------------------------------------------------------------------------------------------------


def _simulated() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(21)
    g = np.repeat(np.arange(5), 3)
    mean = np.exp(rng.normal(0.0, 0.8, 5))[g]
    return {
        "few": rng.poisson(0.25 * mean),
        "shape": np.maximum(np.round(rng.gamma(0.12, mean / 0.12), 6), 1e-6),
    }


def cases() -> dict[str, tuple[Case, Level]]:
    """All of them."""
    five, four = ([c for c in letters for _ in range(3)] for letters in ("abcde", "abcd"))
    made = _simulated()
    plain = "y ~ 1 + (1 | g)"
    spread = {"Intercept": "Normal(0, 2)", "sd(g)": "HalfNormal(2)"}
    narrow = Axis("sd(g, Intercept)", -10.0, 2.3, 90)
    shallow = Axis("sd(g, Intercept)", -9.0, 2.3, 60)
    return {
        "negbinomial_of_tiny_counts": (
            Case(
                plain,
                "negbinomial",
                {"y": made["few"].tolist(), "g": five},
                spread | {"shape": "Gamma(0.5, 0.1)"},
                (Axis("Intercept", -11.0, 9.0, 110, "plain"), narrow, Axis("shape", -12.0, 5.5, 90)),
            ),
            Level(negbinomial, -40.0, 40.0, 0.03),
        ),
        "gamma_of_shape_near_zero": (
            Case(
                plain,
                "gamma",
                {"y": made["shape"].tolist(), "g": five},
                spread | {"shape": "Exponential(1)"},
                (Axis("Intercept", -9.0, 10.0, 90, "plain"), shallow, Axis("shape", -4.5, 1.0, 45)),
            ),
            Level(gamma, -40.0, 60.0, 0.03),
        ),
        "beta_near_the_edge": (
            Case(
                plain,
                "beta",
                {
                    "y": [1e-6, 0.02, 1e-4, 0.999999, 0.9, 0.9999, 0.5, 1e-5, 0.99999, 0.3, 0.999, 0.0001],
                    "g": four,
                },
                spread | {"phi": "Gamma(1, 0.1)"},
                (Axis("Intercept", -9.0, 9.0, 110, "plain"), narrow, Axis("phi", -3.5, 2.5, 70)),
            ),
            Level(beta, -45.0, 45.0, 0.03),
        ),
        "zero_inflated_groups_of_zeros": (
            Case(
                plain,
                "zero_inflated_poisson",
                {"y": [0, 0, 0, 0, 0, 0, 4, 0, 5, 0, 0, 0, 0, 3, 0], "g": five},
                spread | {"zi": "Beta(1, 1)"},
                (Axis("Intercept", -11.0, 9.0, 120, "plain"), shallow, Axis("zi", 0.0, 1.0, 80, "plain")),
            ),
            Level(zero_inflated, -40.0, 40.0, 0.03),
        ),
        "noise_of_few_rows_a_level": (
            Case(
                ["y ~ 1", "sigma ~ 1 + (1 | g)"],
                "gaussian",
                {"y": [1.0, 1.3, 0.9, 0.7, 4.0, -3.0, 1.2, 0.5, 2.0, 0.2, 1.1, 0.95], "g": list("aabbccddeeff")},
                {
                    "Intercept": "Normal(0, 5)",
                    "sigma_Intercept": "Normal(0, 2)",
                    "sd(g, sigma_Intercept)": "HalfNormal(2)",
                },
                (
                    Axis("Intercept", -0.2, 2.2, 161, "plain"),
                    Axis("sigma_Intercept", -9.0, 5.5, 110, "plain"),
                    Axis("sd(g, sigma_Intercept)", -9.0, 2.2, 90),
                ),
            ),
            Level(noise, -35.0, 35.0, 0.03, "sigma_Intercept", "sd(g, sigma_Intercept)"),
        ),
        "censored_but_for_three": (
            Case(
                "y | cens(c) ~ 1 + (1 | g)",
                "gaussian",
                {
                    "y": [2.0, 2.0, 2.0, 1.2, 2.0, 2.0, 0.3, 1.9, 2.0, 2.0, 2.0, 2.0],
                    "c": [*["right"] * 3, "none", *["right"] * 2, *["none"] * 2, *["right"] * 4],
                    "g": four,
                },
                {"Intercept": "Normal(0, 5)", "sd(g)": "HalfNormal(3)", "sigma": "HalfNormal(3)"},
                (
                    Axis("Intercept", -14.0, 24.0, 110, "plain"),
                    Axis("sd(g, Intercept)", -9.0, 2.6, 60),
                    Axis("sigma", -4.5, 2.7, 60),
                ),
            ),
            Level(censored, -60.0, 60.0, 0.03),
        ),
        "ratings_that_levels_tell": (
            Case(
                plain,
                "cumulative",
                {"y": [1, 1, 1, 1, 1, 2, 3, 3, 3, 1, 1, 1], "g": four},
                {"1|2": "Normal(0, 4)", "2|3": "Normal(0, 4)", "sd(g)": "HalfNormal(4)"},
                (
                    Axis("1|2", -14.0, 14.0, 70, "plain"),
                    Axis("2|3", -14.0, 16.0, 72, "plain"),
                    Axis("sd(g, Intercept)", -8.0, 3.3, 72),
                ),
            ),
            Level(cumulative, -60.0, 60.0, 0.1),
        ),
        "steps_of_rare_counts": (
            Case(
                "y ~ mo(x) + (1 | g)",
                "poisson",
                {"y": [0, 0, 1, 0, 0, 9, 0, 0, 2, 0, 0, 30], "x": [0, 1, 2] * 4, "g": four},
                {
                    "Intercept": "Normal(0, 3)",
                    "mox": "Normal(0, 3)",
                    "sd(g)": "HalfNormal(2)",
                    "simo_mox1": "Dirichlet(1, 1)",
                },
                (
                    Axis("Intercept", -13.0, 4.5, 50, "plain"),
                    Axis("sd(g, Intercept)", -7.0, 2.2, 46),
                    Axis("mox", -0.5, 7.5, 44, "plain"),
                    Axis("simo_mox1[1]", 0.0, 1.0, 34, "plain"),
                ),
            ),
            Level(monotonic, -30.0, 22.0, 0.05),
        ),
    }


def main(names: Sequence[str]) -> None:
    for name, (case, level) in cases().items():
        if not names or name in names:
            grids.write(name, case, lambda finer, c=case, s=level: quantiles(c, s, finer))


if __name__ == "__main__":
    main(sys.argv[1:])
