"""Quantiles of posteriors that are hard to sample, on dense grids: `uv run python tests/reference/nasty/grids.py`.

Nothing of bayesmix is used: densities are SciPy's or written out, the covariance of y is dense, random effects of
generalized models are integrated level by level by the trapezoidal rule in t, ``b = mode + scale sinh(t)``. Writes
`grids.json`: data, formula, priors, and the 2.5, 50 and 97.5 % quantiles of every parameter, with the largest change
in any of them, in units of the width of its interval, when the grids have 1.4 times as many points a dimension.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from scipy import special, stats
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

Array = np.ndarray
LEVELS = (0.025, 0.5, 0.975)
FINER = 1.4
SPREAD = "sd of a normal prior"

PRIOR: dict[str, Callable[..., Callable[[Array], Array]]] = {
    "Normal": lambda mu, sigma: stats.norm(mu, sigma).logpdf,
    "StudentT": lambda nu, mu, sigma: stats.t(nu, mu, sigma).logpdf,
    "Cauchy": lambda mu, sigma: stats.cauchy(mu, sigma).logpdf,
    "HalfNormal": lambda sigma: stats.halfnorm(0.0, sigma).logpdf,
    "HalfCauchy": lambda sigma: stats.halfcauchy(0.0, sigma).logpdf,
    "HalfStudentT": lambda nu, sigma: lambda x: stats.t(nu, 0.0, sigma).logpdf(x) + np.log(2.0),
    "Exponential": lambda rate: stats.expon(0.0, 1.0 / rate).logpdf,
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta).logpdf,
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta).logpdf,
    "Beta": lambda alpha, beta: stats.beta(alpha, beta).logpdf,
    "Dirichlet": lambda alpha, beta: stats.beta(alpha, beta).logpdf,  # of the first of two shares
    "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)).logpdf,
}


def prior(text: str) -> Callable[[Array], Array]:
    """Log density of a prior as bayesmix writes it."""
    kind, arguments = numbers(text)
    return PRIOR[kind](*arguments)


def numbers(text: str) -> tuple[str, list[float]]:
    kind, _, inside = text.rstrip(")").partition("(")
    return kind, [float(part) for part in inside.split(",")]


@dataclass(frozen=True)
class Axis:
    """A parameter on a grid: ``value(u)`` on points ``u`` from ``low`` to ``high``."""

    name: str
    low: float
    high: float
    points: int
    scale: str = "log"  # "log", "plain" or "tanh"

    def grid(self, finer: float) -> Array:
        return np.linspace(self.low, self.high, int(self.points * finer) | 1)

    def value(self, u: Array) -> Array:
        match self.scale:
            case "log":
                return np.exp(u)
            case "tanh":
                return np.tanh(u)
        return u

    def log_jacobian(self, u: Array) -> Array:
        match self.scale:
            case "log":
                return u
            case "tanh":
                return -2.0 * np.log(np.cosh(u))
        return np.zeros_like(u)


@dataclass(frozen=True)
class Case:
    """A model, its data, and the grid of what is not integrated in closed form."""

    formula: str | list[str]
    family: str
    data: dict[str, list[float] | list[str]]
    priors: dict[str, str]
    axes: tuple[Axis, ...]
    sds: tuple[tuple[str, ...], ...] = ((),)  # per term: columns of z besides the intercept; "" for none
    groups: tuple[str, ...] = ("g",)
    fixed: tuple[str, ...] = ("Intercept",)
    response: tuple[str, ...] = ("y",)
    nodes: int = 161
    other: dict[str, float] = field(default_factory=dict)


# ---- gaussian models: y is normal given standard deviations, correlations and fixed effects -------------------------


def gaussian(case: Case, at: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Log density of y at the points, fixed effects with normal priors integrated; their conditional mean and sd."""
    y = np.asarray(case.data["y"], float)
    n, (B,) = len(y), next(iter(at.values())).shape
    V = at["sigma"][:, None, None] ** 2 * np.eye(n)
    for group, slopes in zip(case.groups, case.sds, strict=True):
        labels = np.asarray(case.data[group])
        same = (labels[:, None] == labels[None, :]).astype(float)
        names = ("Intercept", *slopes)
        z = [np.ones(n) if name == "Intercept" else np.asarray(case.data[name], float) for name in names]
        for (i, first), (j, second) in product(enumerate(names), enumerate(names)):
            corr = 1.0 if i == j else at[f"corr({group}, Intercept, {slopes[0]})"]
            size = at[f"sd({group}, {first})"] * at[f"sd({group}, {second})"] * corr
            V = V + size[:, None, None] * (np.outer(z[i], z[j]) * same)
    columns = [np.ones(n) if name == "Intercept" else np.asarray(case.data[name], float) for name in case.fixed]
    inside = [name for name in case.fixed if name not in at]
    residual = np.tile(y, (B, 1))
    for name, column in zip(case.fixed, columns, strict=True):
        if name in at:
            residual = residual - at[name][:, None] * column
    X = np.array([c for name, c in zip(case.fixed, columns, strict=True) if name in inside]).reshape(-1, n).T
    L = np.linalg.cholesky(V)
    half = np.linalg.solve(L, np.concatenate([residual[..., None], np.tile(X, (B, 1, 1))], axis=2))
    r, A = half[..., 0], half[..., 1:]
    value = -0.5 * n * np.log(2.0 * np.pi) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    value = value - 0.5 * np.sum(r**2, axis=1)
    if not inside:
        return value, np.zeros((B, 0)), np.zeros((B, 0))
    moments = np.array([numbers(case.priors[name if name == "Intercept" else "fixed"])[1] for name in inside])
    m, P = moments[:, 0], np.tile(np.diag(moments[:, 1] ** -2.0), (B, 1, 1))
    if SPREAD in at:  # a Cauchy prior is a mixture of normal ones
        P = P * at[SPREAD][:, None, None] ** -2.0
    H = np.swapaxes(A, 1, 2) @ A + P
    h = np.einsum("bnp,bn->bp", A, r) + P @ m
    covariance = np.linalg.inv(H)
    mean = np.einsum("bpq,bq->bp", covariance, h)
    value = value + 0.5 * np.einsum("bp,bp->b", h, mean) - 0.5 * np.linalg.slogdet(H)[1]
    value = value - 0.5 * np.einsum("p,bpq,q->b", m, P, m) + 0.5 * np.linalg.slogdet(P)[1]
    return value, mean, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))


# ---- generalized models: one random intercept, integrated level by level --------------------------------------------


def row_density(case: Case, eta: Array, rows: Array, dispersion: Array) -> tuple[Array, Array, Array]:
    """Log density of rows at their predictors, and its first two derivatives; canonical links, and log elsewhere."""
    first = np.asarray(case.data[case.response[0]], float)[rows]
    match case.family:
        case "binomial" | "bernoulli":
            failures = 1.0 - first if case.family == "bernoulli" else np.asarray(case.data["f"], float)[rows]
            n, p = first + failures, special.expit(eta)
            constant = special.gammaln(n + 1) - special.gammaln(first + 1) - special.gammaln(failures + 1)
            value = constant - first * np.logaddexp(0.0, -eta) - failures * np.logaddexp(0.0, eta)
            return value, first - n * p, -n * p * (1.0 - p)
        case "poisson":
            mu = np.exp(np.minimum(eta, 500.0))
            return first * eta - mu - special.gammaln(first + 1), first - mu, -mu
        case "gamma":
            ratio = first * np.exp(np.minimum(-eta, 500.0))
            value = dispersion * np.log(dispersion * first) - dispersion * eta - dispersion * ratio
            value = value - np.log(first) - special.gammaln(dispersion)
            return value, dispersion * (ratio - 1.0), -dispersion * ratio
        case "negbinomial":
            k = dispersion
            over = np.logaddexp(eta, np.log(k))
            value = special.gammaln(first + k) - special.gammaln(k) - special.gammaln(first + 1)
            value = value + k * (np.log(k) - over) + first * (eta - over)
            p = special.expit(eta - np.log(k))
            return value, first - (first + k) * p, -(first + k) * p * (1.0 - p)
    raise AssertionError(case.family)


def generalized(case: Case, at: dict[str, Array]) -> Array:
    """Log density of y at the points: the product over levels of one-dimensional integrals."""
    labels, (B,) = np.asarray(case.data["g"]), next(iter(at.values())).shape
    sd = at["sd(g, Intercept)"]
    dispersion = at.get("shape", np.ones(B))
    offset = np.asarray(case.data.get("o", np.zeros(len(labels))), float)
    total, known = np.zeros(B), {}
    for level in dict.fromkeys(labels):
        rows = np.flatnonzero(labels == level)
        key = tuple(tuple(np.asarray(case.data[name])[rows]) for name in case.data if name != "g")
        if key not in known:
            fixed = sum(
                at[name][:, None] * (1.0 if name == "Intercept" else np.asarray(case.data[name], float)[rows])
                for name in case.fixed
            )
            known[key] = level_integral(case, fixed + offset[rows], rows, sd, dispersion)
        total += known[key]
    return total


def level_integral(case: Case, fixed: Array, rows: Array, sd: Array, dispersion: Array) -> Array:
    low, high = np.full(len(sd), -300.0), np.full(len(sd), 300.0)
    for _ in range(60):  # bisection: the log integrand is concave in b
        b = 0.5 * (low + high)
        slope = row_density(case, fixed + b[:, None], rows, dispersion[:, None])[1].sum(axis=1) - b / sd**2
        low, high = np.where(slope > 0.0, b, low), np.where(slope > 0.0, high, b)
    curvature = -row_density(case, fixed + b[:, None], rows, dispersion[:, None])[2].sum(axis=1) + sd**-2.0
    scale = curvature**-0.5
    t = np.linspace(-9.0, 9.0, case.nodes)
    logs = np.empty((len(sd), len(t)))
    for i, s in enumerate(np.sinh(t)):
        b_i = b + scale * s
        value = row_density(case, fixed + b_i[:, None], rows, dispersion[:, None])[0].sum(axis=1)
        logs[:, i] = value - 0.5 * (b_i / sd) ** 2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi) + np.log(np.cosh(t[i]))
    return special.logsumexp(logs, axis=1) + np.log(scale * (t[1] - t[0]))


# ---- grids ----------------------------------------------------------------------------------------------------------


def quantiles(case: Case, finer: float = 1.0) -> dict[str, list[float]]:
    """The quantiles of every parameter on a grid with ``finer`` times as many points a dimension."""
    grids = [axis.grid(finer) for axis in case.axes]
    shape = tuple(map(len, grids))
    rows = len(next(iter(case.data.values())))
    step = max(1, 7_500_000 // rows**2) if case.family == "gaussian" else 40_000
    parts = []
    for begin in range(0, int(np.prod(shape)), step):
        places = np.unravel_index(np.arange(begin, min(begin + step, int(np.prod(shape)))), shape)
        parts.append(log_posterior(case, [grid[place] for grid, place in zip(grids, places, strict=True)]))
    log, mean, sd = (np.concatenate(part) for part in zip(*parts, strict=True))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    found = {}
    for d, (axis, grid) in enumerate(zip(case.axes, grids, strict=True)):
        density = weight.reshape(shape).sum(axis=tuple(e for e in range(len(shape)) if e != d))
        edge = max(density[0], density[-1]) / density.max()
        if edge > 1e-4:
            print(f"  {axis.name}: the grid is cut off at {edge:.1e} of the highest density ({density[[0, -1]]})")
        if axis.name != SPREAD:
            found[axis.name] = [float(axis.value(np.array(q))) for q in on_axis(grid, density)]
    heavy = weight > 1e-12
    inside = [name for name in case.fixed if name not in found]
    for j, name in enumerate(inside):
        found[name] = of_mixture(weight[heavy], mean[heavy, j], sd[heavy, j])
    return found


def log_posterior(case: Case, u: list[Array]) -> tuple[Array, Array, Array]:
    """Log density of the axes' points, and mean and sd of the fixed effects that are integrated in closed form."""
    at = {axis.name: axis.value(one) for axis, one in zip(case.axes, u, strict=True)}
    value = sum(axis.log_jacobian(one) for axis, one in zip(case.axes, u, strict=True))
    for name, x in at.items():
        if name == SPREAD:  # one over the size of a standard normal
            value = value + stats.norm.logpdf(1.0 / x) + np.log(2.0) - 2.0 * np.log(x)
        elif name.startswith("corr"):  # of two effects: LKJ's density
            (eta,) = numbers(case.priors["corr(g)"])[1]
            value = value + (eta - 1.0) * np.log1p(-(x**2))
        else:
            value = value + prior(prior_of(case, name))(x)
    if case.family != "gaussian":
        nothing = np.zeros((len(u[0]), 0))
        return value + generalized(case, at), nothing, nothing
    likelihood, mean, sd = gaussian(case, at)
    return value + likelihood, mean, sd


def prior_of(case: Case, name: str) -> str:
    own = name.replace(", Intercept)", ")").replace(", x)", ")")
    for key in (name, own, name.partition("[")[0], "sd" if name.startswith("sd") else "fixed"):
        if key in case.priors:
            return case.priors[key]
    raise KeyError(name)


def on_axis(grid: Array, density: Array) -> list[float]:
    total = CubicSpline(grid, density).antiderivative()
    end = float(total(grid[-1]))
    return [brentq(lambda u, q=q: float(total(u)) / end - q, grid[0], grid[-1], xtol=1e-10) for q in LEVELS]


def of_mixture(weight: Array, mean: Array, sd: Array) -> list[float]:
    low, high = float((mean - 12.0 * sd).min()), float((mean + 12.0 * sd).max())
    weight = weight / weight.sum()
    return [
        brentq(lambda x, q=q: float(weight @ special.ndtr((x - mean) / sd)) - q, low, high, xtol=1e-8) for q in LEVELS
    ]


# ---- cases ----------------------------------------------------------------------------------------------------------


def one_way(name: str, y: Sequence[float], g: Sequence[str], priors: dict[str, str], *axes: Axis) -> tuple[str, Case]:
    return name, Case("y ~ 1 + (1 | g)", "gaussian", {"y": list(map(float, y)), "g": list(g)}, priors, axes)


def cases() -> dict[str, Case]:
    """All of them."""
    return dict([*_gaussian(), *_more(), *_counts(), *_shapes()])


def _sd(low: float, high: float, points: int, name: str = "sd(g, Intercept)") -> Axis:
    return Axis(name, low, high, points)


def _gaussian() -> list[tuple[str, Case]]:
    rng = np.random.default_rng(0)
    g8 = np.repeat(np.arange(8), 5)
    y8 = np.round(10 + rng.normal(0, 0.1, 8)[g8] + rng.normal(0, 0.1, 40), 15)
    eight = [f"g{j}" for j in g8]
    two = {"sd(g)": "HalfNormal(10)", "sigma": "HalfNormal(1)"}
    axes = (_sd(-9.0, 4.2, 420), Axis("sigma", -3.2, -1.4, 150))
    rng = np.random.default_rng(3)
    outlier = np.round(rng.normal(0.0, 1.0, 24), 3)
    outlier[5] = 1000.0
    x4 = [-1.5, -0.5, 0.5, 1.5] * 4
    b = np.random.default_rng(5).normal(0.0, [1.5, 0.8], (4, 2))
    slope = [
        round(2.0 + b[i // 4, 0] + (1.0 + b[i // 4, 1]) * x + e, 2)
        for i, (x, e) in enumerate(zip(x4, np.random.default_rng(6).normal(0.0, 0.7, 16), strict=True))
    ]
    crossed = (
        np.random.default_rng(8).normal(0.0, 1.0, 9) + np.repeat([0.0, 3.0, 1.0], 3) + np.tile([0.0, 0.5, -0.5], 3)
    )
    return [
        one_way("two_modes", y8, eight, {"Intercept": "Normal(0, 1.1)", **two}, *axes),
        one_way("two_modes_unequal", y8, eight, {"Intercept": "Normal(0, 1.25)", **two}, *axes),
        one_way(
            "two_levels",
            [1.2, 0.3, 0.9, 4.0, 3.1, 4.4],
            "aaabbb",
            {"Intercept": "Normal(0, 10)", "sd(g)": "HalfNormal(5)", "sigma": "Exponential(0.5)"},
            _sd(-11.0, 4.0, 400),
            Axis("sigma", -3.5, 3.5, 300),
        ),
        one_way(
            "three_levels_half_cauchy",
            [1.2, 0.3, 0.9, 4.0, 3.1, 4.4, 2.0, 2.2, 7.5],
            "aaabbbccc",
            {"Intercept": "Normal(0, 20)", "sd(g)": "HalfCauchy(2.5)", "sigma": "HalfCauchy(2.5)"},
            _sd(-12.0, 11.0, 500),
            Axis("sigma", -2.5, 4.0, 220),
        ),
        one_way(
            "outlier_of_1000_sd",
            outlier,
            [f"g{i // 4}" for i in range(24)],
            {"Intercept": "Normal(0, 5)", "sd(g)": "HalfCauchy(1)", "sigma": "HalfCauchy(1)"},
            _sd(-13.0, 11.0, 600),
            Axis("sigma", 4.0, 7.0, 160),
        ),
        one_way(
            "prior_data_conflict",
            [48.0, 49.5, 50.2, 52.1, 44.0, 45.5, 57.0, 55.5, 51.0, 53.0],
            "aabbccddee",
            {"Intercept": "Normal(0, 1)", "sd(g)": "HalfNormal(0.5)", "sigma": "HalfNormal(1)"},
            _sd(-13.0, 4.0, 600),
            Axis("sigma", -2.0, 4.0, 360),
        ),
        one_way(
            "sd_prior_with_mass_at_zero",
            [2.1, 1.7, 2.4, 2.9, 1.1, 1.5, 2.2, 3.0, 1.9, 2.6, 2.0, 1.2],
            "aabbccddeeff",
            {"Intercept": "Normal(0, 5)", "sd(g)": "Gamma(0.3, 0.5)", "sigma": "HalfNormal(2)"},
            _sd(-60.0, 3.0, 1600),
            Axis("sigma", -2.5, 2.0, 120),
        ),
        one_way(
            "three_rows",
            [1.2, 0.3, 4.0],
            "aab",
            {"Intercept": "Normal(0, 10)", "sd(g)": "HalfNormal(3)", "sigma": "HalfNormal(3)"},
            _sd(-12.0, 3.0, 360),
            Axis("sigma", -12.0, 3.0, 360),
        ),
        one_way(
            "funnel",  # two rows for one of ten levels: sd and sigma can hardly be told apart
            [0.3, 1.9, -2.2, 0.8, 3.1, -0.4, 1.0, -1.6, 2.4, 0.1, 0.9],
            "abcdefghijj",
            {"Intercept": "Normal(0, 10)", "sd(g)": "HalfCauchy(1)", "sigma": "HalfCauchy(1)"},
            _sd(-12.0, 4.0, 400),
            Axis("sigma", -12.0, 4.0, 400),
        ),
        one_way(
            "inverse_gamma",
            [10.2, 10.1, 9.8, 10.6, 10.0, 9.5, 10.3, 10.4],
            "aabbccdd",
            {"Intercept": "Normal(0, 10)", "sd(g)": "InverseGamma(0.01, 0.01)", "sigma": "InverseGamma(0.01, 0.01)"},
            _sd(-8.0, 12.0, 500),
            Axis("sigma", -5.5, 3.0, 200),
        ),
        one_way(
            "cauchy_intercept_in_conflict",
            [97.0, 103.0, 99.0, 120.0, 118.0, 125.0, 88.0, 84.0],
            "aaabbbcc",
            {"Intercept": "Cauchy(0, 1)", "sd(g)": "HalfStudentT(3, 10)", "sigma": "HalfStudentT(3, 10)"},
            _sd(-8.0, 10.0, 220),
            Axis("sigma", -1.5, 5.5, 120),
            Axis(SPREAD, -2.0, 16.0, 60),
        ),
        (
            "slopes_of_four_levels",
            Case(
                "y ~ x + (x | g)",
                "gaussian",
                {"y": slope, "x": x4, "g": [c for c in "abcd" for _ in range(4)]},
                {
                    "Intercept": "Normal(0, 5)",
                    "fixed": "Normal(0, 5)",
                    "sd(g)": "HalfCauchy(1)",
                    "corr(g)": "LKJ(1)",
                    "sigma": "HalfNormal(2)",
                },
                (
                    Axis("sd(g, Intercept)", -9.0, 6.5, 48),
                    Axis("sd(g, x)", -9.5, 6.0, 48),
                    Axis("corr(g, Intercept, x)", -5.0, 5.5, 35, "tanh"),
                    Axis("sigma", -1.8, 1.6, 26),
                ),
                sds=(("x",),),
                fixed=("Intercept", "x"),
            ),
        ),
        (
            "crossed_three_by_three",
            Case(
                "y ~ 1 + (1 | g) + (1 | h)",
                "gaussian",
                {"y": list(np.round(crossed, 2)), "g": list("aaabbbccc"), "h": list("uvwuvwuvw")},
                {
                    "Intercept": "Normal(0, 10)",
                    "sd(g)": "HalfCauchy(2.5)",
                    "sd(h)": "HalfCauchy(2.5)",
                    "sigma": "HalfNormal(2)",
                },
                (
                    _sd(-10.0, 9.0, 100),
                    Axis("sd(h, Intercept)", -10.0, 9.0, 100),
                    Axis("sigma", -3.5, 2.4, 50),
                ),
                sds=((), ()),
                groups=("g", "h"),
            ),
        ),
    ]


def _more() -> list[tuple[str, Case]]:
    """Two levels of each of two factors; slopes whose correlation the prior denies; a separated predictor."""
    x4 = [-1.5, -0.5, 0.5, 1.5] * 5
    b = np.random.default_rng(15).normal(0.0, 2.0, 5)
    noise = np.random.default_rng(16).normal(0.0, 0.4, 20)
    slope = [round(1.0 + b[i // 4] * (1.0 - 0.9 * x) + e, 2) for i, (x, e) in enumerate(zip(x4, noise, strict=True))]
    return [
        (
            "crossed_two_by_two",
            Case(
                "y ~ 1 + (1 | g) + (1 | h)",
                "gaussian",
                {"y": [0.3, 0.9, 5.2, 4.4, 1.8, 2.9, 7.9, 7.0], "g": list("aabbaabb"), "h": list("uuuuvvvv")},
                {
                    "Intercept": "Normal(0, 10)",
                    "sd(g)": "HalfCauchy(2.5)",
                    "sd(h)": "HalfCauchy(2.5)",
                    "sigma": "HalfCauchy(1)",
                },
                (
                    _sd(-10.0, 11.0, 110),
                    Axis("sd(h, Intercept)", -10.0, 11.0, 110),
                    Axis("sigma", -3.5, 3.5, 50),
                ),
                sds=((), ()),
                groups=("g", "h"),
            ),
        ),
        (
            "correlation_in_conflict",
            Case(
                "y ~ x + (x | g)",
                "gaussian",
                {"y": slope, "x": x4, "g": [c for c in "abcde" for _ in range(4)]},
                {
                    "Intercept": "Normal(0, 5)",
                    "fixed": "Normal(0, 5)",
                    "sd(g)": "HalfNormal(3)",
                    "corr(g)": "LKJ(100)",
                    "sigma": "HalfNormal(1)",
                },
                (
                    Axis("sd(g, Intercept)", -1.2, 3.2, 30),
                    Axis("sd(g, x)", -1.2, 3.2, 30),
                    Axis("corr(g, Intercept, x)", -0.55, 0.5, 28, "tanh"),
                    Axis("sigma", -2.1, 0.9, 28),
                ),
                sds=(("x",),),
                fixed=("Intercept", "x"),
            ),
        ),
        (
            "separated_with_wide_priors",
            Case(
                "y ~ x + (1 | g)",
                "bernoulli",
                {"y": [0, 0, 1, 1] * 3, "x": [-2, -1, 1, 2] * 3, "g": list("aaaabbbbcccc")},
                {"Intercept": "Normal(0, 20)", "fixed": "Normal(0, 20)", "sd(g)": "HalfNormal(5)"},
                (
                    Axis("Intercept", -75.0, 75.0, 90, "plain"),
                    Axis("x", -2.0, 85.0, 80, "plain"),
                    _sd(-9.0, 3.1, 44),
                ),
                fixed=("Intercept", "x"),
                nodes=121,
            ),
        ),
    ]


def _counts() -> list[tuple[str, Case]]:
    binomial = "cbind(s, f) ~ 1 + (1 | g)"
    successes = {"Intercept": "Normal(0, 10)", "sd(g)": "HalfCauchy(2.5)"}
    plain = Axis("Intercept", -45.0, 45.0, 400, "plain")
    return [
        (
            "nearly_all_successes",
            Case(
                binomial,
                "binomial",
                {"s": [4, 4, 3], "f": [0, 0, 1], "g": list("abc")},
                successes,
                (plain, _sd(-10.0, 10.0, 260)),
                response=("s",),
            ),
        ),
        (
            "all_successes",
            Case(
                binomial,
                "binomial",
                {"s": [4, 4, 3], "f": [0, 0, 0], "g": list("abc")},
                {"Intercept": "Normal(0, 3)", "sd(g)": "HalfNormal(2.5)"},
                (Axis("Intercept", -12.0, 18.0, 260, "plain"), _sd(-10.0, 2.6, 220)),
                response=("s",),
            ),
        ),
        (
            "one_bernoulli_row_a_level",
            Case(
                "y ~ 1 + (1 | g)",
                "bernoulli",
                {"y": [0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0], "g": list("abcdefghijkl")},
                {"Intercept": "Normal(0, 2)", "sd(g)": "HalfNormal(3)"},
                (Axis("Intercept", -12.0, 10.0, 220, "plain"), _sd(-10.0, 3.0, 220)),
            ),
        ),
        (
            "two_bernoulli_rows_a_level",
            Case(
                "y ~ 1 + (1 | g)",
                "bernoulli",
                {"y": [0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0], "g": list("aabbccddeeffgghh")},
                {"Intercept": "Normal(0, 5)", "sd(g)": "HalfCauchy(2.5)"},
                (Axis("Intercept", -26.0, 26.0, 300, "plain"), _sd(-10.0, 10.5, 300)),
            ),
        ),
        (
            "zeros_with_offset",
            Case(
                "y ~ 1 + offset(o) + (1 | g)",
                "poisson",
                {"y": [0] * 9, "g": list("aaabbbccc"), "o": [0.0, 1.0, 2.0] * 3},
                {"Intercept": "Normal(0, 5)", "sd(g)": "HalfNormal(2)"},
                (Axis("Intercept", -30.0, 12.0, 300, "plain"), _sd(-10.0, 2.4, 220)),
            ),
        ),
        (
            "one_count_with_offset",
            Case(
                "y ~ 1 + offset(o) + (1 | g)",
                "poisson",
                {"y": [0, 0, 0, 0, 0, 1, 0, 0, 0], "g": list("aaabbbccc"), "o": [0.0, 1.0, 2.0] * 3},
                {"Intercept": "Normal(0, 5)", "sd(g)": "HalfCauchy(1)"},
                (Axis("Intercept", -28.0, 26.0, 300, "plain"), _sd(-10.0, 10.0, 260)),
            ),
        ),
        (
            "counts_in_two_modes",
            Case(
                "y ~ 1 + (1 | g)",
                "poisson",
                {"y": [58, 66, 61, 55, 70, 59], "g": list("aabbcc")},
                {"Intercept": "Normal(0, 1)", "sd(g)": "HalfNormal(3)"},
                (Axis("Intercept", -5.5, 6.0, 800, "plain"), _sd(-13.0, 3.0, 320)),
            ),
        ),
    ]


def _shapes() -> list[tuple[str, Case]]:
    rng = np.random.default_rng(11)
    g = [c for c in "abcde" for _ in range(3)]
    mean = np.exp(1.0 + np.repeat(rng.normal(0.0, 0.8, 5), 3))
    gamma = np.round(rng.gamma(1.5, mean / 1.5), 3)
    counts = rng.poisson(rng.gamma(0.8, mean / 0.8))
    priors = {"Intercept": "Normal(0, 3)", "sd(g)": "HalfCauchy(1)", "shape": "Gamma(1, 0.2)"}
    axes = (
        Axis("Intercept", -9.0, 10.0, 76, "plain"),
        _sd(-8.5, 5.5, 58),
        Axis("shape", -4.0, 4.5, 40),
    )
    return [
        (
            "gamma_of_unknown_shape",
            Case("y ~ 1 + (1 | g)", "gamma", {"y": list(gamma), "g": g}, priors, axes, nodes=81),
        ),
        (
            "negbinomial_of_unknown_shape",
            Case("y ~ 1 + (1 | g)", "negbinomial", {"y": counts.tolist(), "g": g}, priors, axes, nodes=81),
        ),
    ]


def write(name: str, case: Case, at: Callable[[float], dict[str, list[float]]]) -> None:
    """Put a case and its quantiles, of two grids, into `grids.json`."""
    coarse, fine = at(1.0), at(FINER)
    path = Path(__file__).with_name("grids.json")
    known = json.loads(path.read_text()) if path.exists() else {}
    change = max(float(np.max(np.abs(np.subtract(coarse[p], q)))) / (q[2] - q[0]) for p, q in fine.items())
    print(f"{name}: change {change:.1e}", {p: [round(x, 4) for x in q] for p, q in fine.items()}, flush=True)
    known[name] = {
        "formula": case.formula,
        "family": case.family,
        "data": case.data,
        "priors": case.priors,
        "quantiles": {p: [float(f"{x:.7g}") for x in q] for p, q in fine.items()},
        "change": float(f"{change:.1e}"),
    }
    path.write_text(json.dumps(known, indent=1, default=float) + "\n")


def main(names: Sequence[str]) -> None:
    for name, case in cases().items():
        if not names or name in names:
            write(name, case, lambda finer, c=case: quantiles(c, finer))


if __name__ == "__main__":
    main(sys.argv[1:])
