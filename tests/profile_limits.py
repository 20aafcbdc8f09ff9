"""Profile limits of random fits beside the lowest deviance of dense formulas with the parameter held.

    uv run python -W ignore tests/profile_limits.py linear 120
    uv run python -W ignore tests/profile_limits.py generalized 80

Counted are fits with a standard deviation at zero or a correlation at one or minus one, and a third of all others. A
limit is right where the deviance, minimised from many starts, has risen by the critical value; at the end of a
parameter's range where it has risen by no more. An infinite one, where far out it has risen by no more.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections import Counter
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

import bayesmix as bmx
from bayesmix.errors import BayesmixError

RISE = 3.841458820694124
FIRST = 202611290
SEEN = 1e-3  # of the deviance
FAR = 30.0  # standard deviations of the response, where an infinite limit is looked at
LINEAR = ["1 + (1 | g)", "x + (1 | g)", "x + (x | g)", "x + (x || g)", "x + (0 + x | g)"]
TRIALS = 5


def random_model(seed: int, kind: str) -> bmx.Model:
    """Fifteen to fifty rows in three to nine levels, effects from none to large, some with level means all alike."""
    rng = np.random.default_rng(seed)
    J, n = int(rng.integers(3, 10)), int(rng.integers(15, 50))
    g, x = rng.integers(0, J, n), rng.normal(size=n)
    data: dict[str, Any] = {"g": [f"g{code}" for code in g], "x": x}
    size = float(rng.choice([0.0, 0.0, 0.3, 0.8]))
    if kind == "gaussian":
        formula = LINEAR[rng.integers(len(LINEAR))]
        b = size * rng.normal(size=J)
        y = b[g] + 0.3 * x + rng.normal(size=n)
        if "x |" in formula and rng.random() < 0.5:  # slopes that go with intercepts
            y += 0.8 * b[g] * x
        if rng.random() < 0.3:
            y -= 0.9 * (np.bincount(g, y, J) / np.maximum(np.bincount(g, minlength=J), 1))[g]
        data["y"] = y * 10.0 ** int(rng.integers(-3, 4))
        return bmx.Model(f"y ~ {formula}", data)
    eta = 0.2 + 0.3 * x + size * rng.normal(size=J)[g]
    fixed = "x" if rng.random() < 0.5 else "1"
    if kind == "poisson":
        data["y"] = rng.poisson(np.exp(eta))
        return bmx.Model(f"y ~ {fixed} + (1 | g)", data, family="poisson")
    data["y"] = rng.binomial(TRIALS, 1.0 / (1.0 + np.exp(-eta)))
    data["f"] = TRIALS - data["y"]
    return bmx.Model(f"cbind(y, f) ~ {fixed} + (1 | g)", data, family="binomial")


class Dense:
    """The deviance of a fit with a parameter held, by formulas of its own."""

    def __init__(self, fit: bmx.Estimate) -> None:
        self.fit, self.design = fit, fit.design
        terms = fit.design.terms  # of one factor: with two bars each effect is a term
        self.y, self.X, self.names = fit.design.y, fit.design.X, list(fit.design.fixed)
        self.codes, self.z = terms[0].codes, np.column_stack([term.z for term in terms])
        self.effects = [effect for term in terms for effect in term.effects]
        self.us = len(terms) == 1 and len(self.effects) > 1
        self.is_linear = fit.spec.is_linear
        self.unit = float(np.std(self.y)) if self.is_linear else 1.0

    def lowest(self, name: str = "", value: float = 0.0) -> float:
        """Of searches from many starts, the best polished."""

        def deviance(free: np.ndarray) -> float:
            found = self.at(free, name, value)
            return found if np.isfinite(found) else 1e10

        ends = [minimize(deviance, start, method="BFGS", options={"gtol": 1e-5}) for start in self.starts()]
        best = min(ends, key=lambda end: end.fun)
        options = {"maxfev": 600, "xatol": 1e-8, "fatol": 1e-10}
        return float(min(best.fun, minimize(deviance, best.x, method="Nelder-Mead", options=options).fun))

    def starts(self) -> list[np.ndarray]:
        k, beta = len(self.effects), self.fit.parameters().loc[self.names, "estimate"].to_numpy()
        if not self.is_linear:
            return [np.append(beta, math.sqrt(size)) for size in (0.05, 0.5, 1.5, 4.0)]
        angles = (-1.3, 0.1, 1.3) if self.us else (0.0,)
        sizes = (0.02, 0.3, 1.0, 3.0)
        return [np.array([*np.full(k, math.sqrt(size)), a, math.log(0.8)]) for size in sizes for a in angles]

    def at(self, free: np.ndarray, name: str, value: float) -> float:
        return (self.linear if self.is_linear else self.laplace)(free, name, value)

    def linear(self, free: np.ndarray, name: str, value: float) -> float:
        """Minus twice the normal log density, fixed effects by least squares."""
        k = len(self.effects)
        sd, rho = self.unit * free[:k] ** 2, math.sin(free[k])
        sigma = self.unit * math.exp(min(free[k + 1], 50.0))
        X, y = self.X, self.y
        if name in self.names:
            j = self.names.index(name)
            X, y = np.delete(X, j, axis=1), y - value * X[:, j]
        elif name.startswith("sd("):
            sd[self.effects.index(name[3:-1].split(", ")[1])] = value
        elif name.startswith("corr("):
            rho = value
        elif name == "sigma":
            sigma = value
        R = np.eye(k) + (rho if self.us else 0.0) * (1.0 - np.eye(k))
        scaled = self.z * sd
        V = sigma**2 * np.eye(len(y)) + (scaled @ R @ scaled.T) * (self.codes[:, None] == self.codes)
        try:
            root = np.linalg.cholesky(V)
        except np.linalg.LinAlgError:
            return math.inf
        both = np.linalg.solve(root, np.column_stack([X, y]))
        left = both[:, -1] - both[:, :-1] @ np.linalg.lstsq(both[:, :-1], both[:, -1], rcond=None)[0]
        return float(len(y) * math.log(2.0 * math.pi) + 2.0 * np.log(np.diag(root)).sum() + left @ left)

    def laplace(self, free: np.ndarray, name: str, value: float) -> float:
        """Laplace's approximation of one effect a level, by Newton's method level by level."""
        beta, sd = free[:-1].copy(), float(free[-1] ** 2)
        if name in self.names:
            beta[self.names.index(name)] = value
        elif name.startswith("sd("):
            sd = value
        fixed, J = self.X @ beta, int(self.codes.max()) + 1
        u = np.zeros(J)
        for _ in range(200):
            _, score, weight = self.rows(fixed + sd * u[self.codes])
            step = (sd * np.bincount(self.codes, score, J) - u) / (sd**2 * np.bincount(self.codes, weight, J) + 1.0)
            u = u + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < 1e-11:
                break
        density, _, weight = self.rows(fixed + sd * u[self.codes])
        H = sd**2 * np.bincount(self.codes, weight, J) + 1.0
        return float(-2.0 * density.sum() + u @ u + np.log(H).sum())

    def rows(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log densities, their derivatives, and minus the second ones."""
        y = self.y
        if self.fit.spec.family.name == "poisson":
            mean = np.exp(np.minimum(eta, 300.0))
            return y * eta - mean - gammaln(y + 1.0), y - mean, mean
        p = 0.5 * (1.0 + np.tanh(0.5 * eta))
        free = gammaln(TRIALS + 1.0) - gammaln(y + 1.0) - gammaln(TRIALS - y + 1.0)
        return y * eta - TRIALS * np.logaddexp(0.0, eta) + free, y - TRIALS * p, TRIALS * p * (1.0 - p)


def is_on_boundary(fit: bmx.Estimate) -> bool:
    found = fit.parameters()["estimate"]
    is_zero = [value < 1e-4 * np.std(fit.design.y) for name, value in found.items() if str(name).startswith("sd(")]
    return any(is_zero) or any(abs(value) > 0.999 for name, value in found.items() if str(name).startswith("corr("))


def check(fit: bmx.Estimate, label: str) -> tuple[Counter[str], float]:
    """Limits by what becomes of them, and the worst error of a finite one."""

    def say(text: str) -> None:
        print(f"{label}: {text}", flush=True)

    dense, counts, worst = Dense(fit), Counter[str](), 0.0
    base = dense.lowest()
    if abs(fit.criterion - base) > 1e-5:
        say(f"the criterion is {fit.criterion - base:.2g} above the dense one; {'; '.join(fit.problems)}")
    for name, limits in fit.confint().iterrows():
        ends = {"sd(": (0.0,), "cor": (-1.0, 1.0)}.get(str(name)[:3], ())
        for side, limit in limits.items():
            counts["limits"] += 1
            if math.isnan(limit):
                counts["NaN"] += 1
                say(f"{name}, {side}: NaN")
                continue
            held = math.copysign(FAR * dense.unit, limit) if math.isinf(limit) else float(limit)
            rise = dense.lowest(str(name), held) - base
            counts["infinite"] += math.isinf(limit)
            error = max(rise - RISE, 0.0) if limit in ends or math.isinf(limit) else abs(rise - RISE)
            worst = max(worst, error)
            if error > SEEN:
                counts["wrong"] += 1
                say(f"{name}, {side}: {limit:.6g}, where the deviance has risen by {rise:.5f}")
    return counts, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["linear", "generalized"])
    parser.add_argument("fits", type=int)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    counts, worst, number = Counter[str](), 0.0, asked.first
    while counts["fits"] < asked.fits:
        kind = "gaussian" if asked.kind == "linear" else ("poisson", "binomial")[number % 2]
        model, number = random_model(FIRST + number, kind), number + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fit = model.estimate("ml" if kind == "gaussian" else "laplace")
            except BayesmixError:
                continue
            boundary = is_on_boundary(fit)
            if not boundary and number % 3:
                continue
            label = f"{FIRST + number - 1} ({kind})"
            own, largest = check(fit, label)
        counts += own + Counter({"fits": 1, "boundary": int(boundary)})
        worst = max(worst, largest)
    print(
        f"{asked.kind}: {counts['fits']} fits, {counts['boundary']} of them on the boundary,"
        f" {counts['limits']} limits:\n  {counts['infinite']} infinite, {counts['NaN']} NaN,"
        f" {counts['wrong']} wrong by more than {SEEN:g} of the"
        f" deviance; the largest error is {worst:.1e}. {time.process_time():.0f} CPU s"
    )


if __name__ == "__main__":
    main()
