"""Random formulas over the grammar, random data with gaps, and their criteria by dense formulas from the data alone.

Nothing of bayesmix's language or design is used: the columns of each piece of a formula are made here, from the table,
by what R's documentation says they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln

Frame = pd.DataFrame
Columns = dict[str, np.ndarray]


def dummies(values: pd.Series, *, full: bool) -> Columns:
    levels = sorted(values.dropna().unique())
    return {f"{values.name}{level}": (values == level).to_numpy(float) for level in levels[0 if full else 1 :]}


def products(first: Columns, second: Columns) -> Columns:
    return {f"{a}:{b}": x * y for a, x in first.items() for b, y in second.items()}


def orthogonal(x: np.ndarray, degree: int) -> np.ndarray:
    """R's ``poly``: the columns of Q but the first, each with the sign of its power; NaN where x is."""
    known = np.isfinite(x)
    q, r = np.linalg.qr(np.vander(x[known] - x[known].mean(), degree + 1, increasing=True))
    found = np.full((len(x), degree), np.nan)
    found[known] = (q * np.sign(np.diagonal(r)))[:, 1:]
    return found


def number(name: str) -> Callable[[Frame], Columns]:
    return lambda d: {name: d[name].to_numpy()}


FIXED: dict[str, Callable[[Frame], Columns]] = {
    "x": number("x"),
    "z": number("z"),
    "f": lambda d: dummies(d["f"], full=False),
    "x * z": lambda d: {"x": d["x"], "z": d["z"], "x:z": d["x"] * d["z"]},
    "x * f": lambda d: (
        number("x")(d) | dummies(d["f"], full=False) | products(number("x")(d), dummies(d["f"], full=False))
    ),
    "I(z^2)": lambda d: {"I(z^2)": d["z"] ** 2},
    "log(p)": lambda d: {"log(p)": np.log(d["p"])},
    "poly(x, 2)": lambda d: {f"poly{j}": column for j, column in enumerate(orthogonal(d["x"].to_numpy(), 2).T)},
    "scale(z)": lambda d: {"scale(z)": (d["z"] - d["z"].mean()) / d["z"].std(ddof=1)},
}
ONE: Callable[[Frame], Columns] = lambda d: {"Intercept": np.ones(len(d))}  # noqa: E731 - a piece as those above


@dataclass(frozen=True)
class Bars:
    """What bars stand for: a grouping column by its name in tables, columns of effects, and whether those correlate."""

    group: str
    effects: Callable[[Frame], Columns]
    correlated: bool = True


def labels(d: Frame, group: str) -> np.ndarray:
    return d[group.split(":")].astype(str).agg(":".join, axis=1).to_numpy()


INTERCEPT_AND_X: Callable[[Frame], Columns] = lambda d: ONE(d) | number("x")(d)  # noqa: E731
RANDOM: dict[str, list[Bars]] = {
    "(1 | g)": [Bars("g", ONE)],
    "(x | g)": [Bars("g", INTERCEPT_AND_X)],
    "(x || g)": [Bars("g", INTERCEPT_AND_X, correlated=False)],
    "(0 + x | g)": [Bars("g", number("x"))],
    "(0 + f | g)": [Bars("g", lambda d: dummies(d["f"], full=True))],
    "diag(0 + f | g)": [Bars("g", lambda d: dummies(d["f"], full=True), correlated=False)],
    "(f | g)": [Bars("g", lambda d: ONE(d) | dummies(d["f"], full=False))],
    "(1 | g/s)": [Bars("s:g", ONE), Bars("g", ONE)],
    "(1 | g:s)": [Bars("g:s", ONE)],
}
SECOND = {"(1 | h)": [Bars("h", ONE)], "(0 + z | h)": [Bars("h", number("z"))], "(1 | h:s)": [Bars("h:s", ONE)]}
FAMILIES = ("gaussian", "gaussian", "poisson", "binomial")


@dataclass(frozen=True)
class Random:
    """A formula, its data and what both are by themselves."""

    formula: str
    family: str
    data: Frame  # with gaps
    pieces: tuple[Callable[[Frame], Columns], ...]
    bars: tuple[Bars, ...]
    weighted: bool
    shifted: bool

    @property
    def used(self) -> Frame:
        """The rows without gaps in what the formula names."""
        return self.data[self.is_used]

    @property
    def is_used(self) -> np.ndarray:
        """Which these are. R evaluates ``scale(z)`` on all rows, and drops rows after that."""
        named = [name for name in self.data if re.search(rf"\b{name}\b", self.formula)]
        return self.data[named].notna().all(axis=1).to_numpy()


def random_model(seed: int) -> Random:
    rng = np.random.default_rng(seed)
    data, family = random_data(rng), FAMILIES[rng.integers(len(FAMILIES))]
    fixed = list(rng.choice(list(FIXED), rng.integers(0, 3), replace=False))
    variables = [set(re.findall("[xzpf]", text.replace("poly", "").replace("log", ""))) for text in fixed]
    fixed = fixed[:1] if len(fixed) == 2 and variables[0] & variables[1] else fixed  # some term of both would be one
    bars = [str(rng.choice(list(RANDOM)))] + [str(text) for text in rng.choice(list(SECOND), rng.integers(0, 2))]
    has_intercept = rng.random() < 0.8 or not fixed or any("f" in text for text in fixed)
    weighted, shifted = bool(family == "gaussian" and rng.random() < 0.3), bool(rng.random() < 0.3)
    response = {"binomial": "cbind(y, m - y)"}.get(family, "y")
    parts = [*(["1"] if has_intercept else ["0"]), *fixed, *bars, *(["offset(o)"] if shifted else [])]
    every = RANDOM | SECOND
    pieces = [ONE] * has_intercept + [FIXED[text] for text in fixed]
    own = [one for text in bars for one in every[text]]
    data["y"] = random_response(rng, data, family)
    return Random(
        f"{response} ~ {' + '.join(parts)}", family, with_gaps(rng, data), tuple(pieces), tuple(own), weighted, shifted
    )


def random_data(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(30, 81))
    return pd.DataFrame(
        {
            "x": rng.normal(rng.normal(0, 3), 1.0, n),
            "z": rng.uniform(-1, 2, n),
            "p": rng.uniform(0.5, 3.0, n),
            "o": 0.3 * rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
            "m": rng.integers(3, 12, n),
            "f": rng.permutation(np.array(["lo", "mid", "top"])[np.arange(n) % 3]),
            "g": rng.permutation(np.array(list("tuvwxyz"))[np.arange(n) % int(rng.integers(4, 8))]),
            "h": rng.choice(list("ABCDE"), n),
            "s": rng.choice(["p", "q"], n),
        }
    )


def random_response(rng: np.random.Generator, d: Frame, family: str) -> np.ndarray:
    sizes = rng.exponential(0.7, 3)
    effects = {g: rng.normal(size=3) for g in d["g"].unique()}
    b = np.array([effects[g] for g in d["g"]])
    eta = 0.4 + 0.3 * (d["x"] - d["x"].mean()) + d["o"] + sizes[0] * b[:, 0] + sizes[1] * b[:, 1] * d["z"]
    match family:
        case "gaussian":
            return np.asarray(eta + rng.normal(size=len(d)) * rng.uniform(0.3, 1.5))
        case "poisson":
            return rng.poisson(np.exp(np.clip(eta, -3, 3)))
        case _:
            return rng.binomial(d["m"], expit(eta))


def with_gaps(rng: np.random.Generator, d: Frame) -> Frame:
    gaps = d.copy()
    for name in rng.choice(["x", "z", "f", "g", "y"], 2, replace=False):
        gaps.loc[rng.choice(len(d), 2, replace=False), name] = None if name in "fg" else np.nan
    return gaps


# ---- dense criteria -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dense:
    """Matrices of a random model."""

    model: Random
    X: np.ndarray
    Z: tuple[np.ndarray, ...]  # per bars (n, J, k)
    names: tuple[tuple[str, ...], ...]  # of the effects

    @classmethod
    def of(cls, model: Random) -> Dense:
        d, used = model.data, model.is_used
        named = [pair for piece in model.pieces for pair in piece(d).items()]
        named.sort(key=lambda pair: pair[0].count(":"))  # as R has them, main effects first
        columns = [np.asarray(column)[used] for _, column in named]
        X = np.column_stack(columns) if columns else np.zeros((used.sum(), 0))
        Z, names = [], []
        for bars in model.bars:
            effects = bars.effects(d)
            found = labels(model.used, bars.group)
            here = (found[:, None] == np.unique(found)[None, :]).astype(float)
            Z.append(here[:, :, None] * np.column_stack(list(effects.values()))[used, None, :])
            names.append(tuple(effects))
        return cls(model, X, tuple(Z), tuple(names))

    def covariances(self, parameters: Any) -> list[np.ndarray]:
        """Of the effects of each bars, from a table of estimates by lme4's names."""
        found = []
        for bars, names in zip(self.model.bars, self.names, strict=True):
            sd = np.array([parameters[f"sd({bars.group}, {name})"] for name in names])
            corr = np.eye(len(sd))
            for j in range(len(sd)):
                for i in range(j + 1, len(sd)):
                    if bars.correlated:
                        corr[i, j] = corr[j, i] = np.nan_to_num(
                            parameters[f"corr({bars.group}, {names[j]}, {names[i]})"]
                        )
            found.append(corr * np.outer(sd, sd))
        return found

    def linear(self, covariances: list[np.ndarray], sigma: float, *, restricted: bool) -> float:
        """-2 log likelihood, restricted or not, at its highest over the fixed effects."""
        d = self.model.used
        r = d["y"].to_numpy(float) - (d["o"].to_numpy() if self.model.shifted else 0.0)
        weights = d["w"].to_numpy() if self.model.weighted else np.ones(len(d))
        V = np.diag(sigma**2 / weights)
        for Z, own in zip(self.Z, covariances, strict=True):
            V += np.einsum("njk,kl,mjl->nm", Z, own, Z)
        X, n, p = self.X, len(r), self.X.shape[1]
        inverse = np.linalg.inv(V)
        information = X.T @ inverse @ X
        rest = r - X @ np.linalg.solve(information, X.T @ inverse @ r) if p else r
        value = np.linalg.slogdet(V)[1] + rest @ inverse @ rest + n * np.log(2 * np.pi)
        if restricted:
            value += (np.linalg.slogdet(information)[1] if p else 0.0) - p * np.log(2 * np.pi)
        return float(value)

    def laplace(self, covariances: list[np.ndarray], beta: np.ndarray) -> float:
        """-2 log likelihood by Laplace's approximation, at some fixed effects."""
        d = self.model.used
        offset = d["o"].to_numpy() if self.model.shifted else np.zeros(len(d))
        fixed = self.X @ beta + offset
        A = np.hstack(
            [
                (Z @ root(own)).reshape(len(d), -1)  # effects in units of their standard deviations
                for Z, own in zip(self.Z, covariances, strict=True)
            ]
        )
        log_density, slope, weight = densities(d, self.model.family)

        def height(u: np.ndarray) -> float:
            return float(log_density(fixed + A @ u).sum() - u @ u / 2)

        def curvature(u: np.ndarray) -> np.ndarray:
            return A.T @ (weight(fixed + A @ u)[:, None] * A) + np.eye(len(u))

        u = np.zeros(A.shape[1])
        for _ in range(100):
            step = np.linalg.solve(curvature(u), A.T @ slope(fixed + A @ u) - u)
            while height(u + step) < height(u) - 1e-9:
                step = step / 2
            u = u + step
            if np.abs(step).max() < 1e-12:
                break
        return float(-2 * height(u) + np.linalg.slogdet(curvature(u))[1])


def root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def densities(d: Frame, family: str) -> tuple[Callable[[Any], Any], ...]:
    """Log density of each row, its slope and the negative of its curvature, by the linear predictor."""
    y = d["y"].to_numpy(float)
    if family == "poisson":
        return (lambda e: y * e - np.exp(e) - gammaln(y + 1), lambda e: y - np.exp(e), np.exp)
    m = d["m"].to_numpy(float)
    base = gammaln(m + 1) - gammaln(y + 1) - gammaln(m - y + 1)
    return (
        lambda e: base + y * e - m * np.logaddexp(0.0, e),
        lambda e: y - m * expit(e),
        lambda e: m * expit(e) * expit(-e),
    )
