"""How often each kind of interval holds the truth, on small designs whose truth is known.

uv run python benchmarks/interval_coverage.py                          # designs with the fewest data sets first
uv run python benchmarks/interval_coverage.py --minutes 30 "balanced" "crossed"

Data are drawn here, by NumPy alone. Counts are kept in benchmarks/interval_coverage.csv, which the site has, and added
to: data sets have seeds by number. The slow tests take intervals with many refits of one data set in `SELDOM`.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

import bayesmix as bmx

KEPT = Path(__file__).with_suffix(".csv")
LEVEL = 0.95
SELDOM = 5
REFITS = 199
RARE = 1e-6  # probability of a count that is no chance, of some hundred that are looked at
SLOPE, BETWEEN = 0.5, 1.0
SHAPES = [0.0, 0.4, -0.3, 0.6]  # of the factor f

NARROW = {  # patterns of kinds, and of what: intervals that are known to be too narrow at these sizes, and why
    ("wald", "w"): "the variances are taken as known, and few groups say little of them.",
    (
        "profile",
        "*",
    ): "the likelihood's variances are too small by the degrees of freedom of fixed effects, of few groups.",
    (
        "bootstrap*",
        "*",
    ): "data are drawn with estimated standard deviations, which of few groups are too small, often zero.",
    ("CR[01]", "*"): "these covariances are too small by the leverage of clusters, of which CR2 takes account.",
    ("contrasts, none", "*"): "each interval is of 95 %, not all six of them.",
}

Row = tuple[str, str, bool]  # kind of interval, what it is of, whether it holds the truth
Held = Iterator[Row]


@dataclass(frozen=True)
class Design:
    """Rows of groups, and the truth."""

    sizes: tuple[int, ...]  # rows of each group
    sd: float = 0.8
    sigma: float = 1.0
    family: str = "gaussian"
    formula: str = "y ~ x + w + (1 | g)"
    kinds: tuple[str, ...] = ("fixed", "robust", "profile", "bootstrap", "estimate", "posterior")
    crossed: float = 0.0  # standard deviation of h

    def data(self, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rows, and as many new ones: of the same groups, then of new ones that are like them."""
        J = len(self.sizes)
        g = np.repeat(np.arange(J), self.sizes)
        rows = pd.DataFrame({"g": g, "h": np.arange(len(g)) % 6, "w": (g % 2).astype(float)})
        rows["f"] = np.array(list("abcd"))[np.arange(len(g)) % 4]
        rows["x"] = rng.normal(size=len(g))
        b, c = self.sd * rng.normal(size=2 * J), self.crossed * rng.normal(size=12)
        again, new = rows.copy(), rows.assign(g=g + J, h=rows["h"] + 6)
        whole = pd.concat([rows, again, new], ignore_index=True)
        whole["known"] = self.curve(whole)
        whole["eta"] = whole["known"] + b[whole["g"]] + c[whole["h"]]
        whole["y"] = self.response(whole["eta"].to_numpy(), rng)
        whole["g"], whole["h"] = "g" + whole["g"].astype(str), "h" + whole["h"].astype(str)
        return whole[: len(g)], whole[len(g) :]

    def curve(self, rows: pd.DataFrame) -> pd.Series:
        """The fixed part."""
        if "s(x" in self.formula:
            return np.sin(1.5 * rows["x"])
        eta = 0.3 + SLOPE * rows["x"] + BETWEEN * rows["w"]
        return eta + rows["f"].map(dict(zip("abcd", SHAPES, strict=True))) if "f" in self.formula.split() else eta

    def response(self, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Of a family."""
        match self.family:
            case "poisson":
                return rng.poisson(np.exp(eta))
            case "bernoulli":
                return (rng.random(len(eta)) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
            case _:
                return eta + self.sigma * rng.normal(size=len(eta))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        """Of the response."""
        inverse = {"poisson": np.exp, "bernoulli": lambda value: 1.0 / (1.0 + np.exp(-value))}
        return inverse.get(self.family, np.array)(eta)

    def slope(self, eta: np.ndarray) -> float:
        """Of the mean by x, over the rows."""
        step = 1e-4
        return float(np.mean(self.mean(eta + step * SLOPE) - self.mean(eta - step * SLOPE)) / (2.0 * step))

    @property
    def truth(self) -> dict[str, float]:
        """By the names of parameters."""
        known = {"x": SLOPE, "w": BETWEEN, "sd(g, Intercept)": self.sd}
        own = {"sigma": self.sigma} if self.family == "gaussian" else {}
        return known | own | ({"sd(h, Intercept)": self.crossed} if self.crossed else {})


DESIGNS = {
    "balanced": Design((6,) * 5),
    "unbalanced": Design((2, 3, 5, 8, 12)),
    "many groups": Design((4,) * 40, formula="y ~ x + w + f + (1 | g)", kinds=(*Design.kinds, "contrasts")),
    "boundary": Design((5,) * 8, sd=0.0),
    "crossed": Design((6,) * 8, formula="y ~ x + w + (1 | g) + (1 | h)", crossed=0.5),
    "binary": Design((8,) * 20, family="bernoulli"),
    "poisson": Design((5,) * 15, sd=0.5, family="poisson"),
    "smooth": Design((8,) * 10, sd=0.5, sigma=0.5, formula="y ~ s(x, k = 8) + (1 | g)", kinds=("bands",)),
}


def held(design: Design, number: int, seldom: int) -> list[Row]:
    """All kinds of intervals of one data set, bootstraps of one in several."""
    rng = np.random.default_rng([number, 7])
    rows, new = design.data(rng)
    found: list[Row] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bmx.Model(design.formula, rows, family=design.family)
        fit = model.estimate()
        for kind in design.kinds:
            if kind != "bootstrap" or number % seldom == 0:
                found += KINDS[kind](design, model, fit, new, number)
    return found


def _inside(design: Design, kind: str, limits: pd.DataFrame, names: list[str]) -> Held:
    for name in names:
        lower, upper = limits.loc[name, ["lower", "upper"]]
        if not np.isnan(lower):
            yield kind, name, bool(lower <= design.truth[name] <= upper)


def fixed(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """Symmetric intervals."""
    linear = design.family == "gaussian"
    for method in ("wald", "satterthwaite", "kenward-roger") if linear else ("wald",):
        yield from _inside(design, method, fit.confint(["x", "w"], level=LEVEL, method=method), ["x", "w"])


def robust(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """With covariances of clusters: bias-reduced, scaled and plain."""
    if design.family == "gaussian" and not design.crossed:
        for kind in ("CR2", "CR1", "CR0"):
            limits = fit.confint(["x", "w"], level=LEVEL, method="satterthwaite", vcov=fit.robust_vcov("g", kind=kind))
            yield from _inside(design, kind, limits, ["x", "w"])


def profile(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """By the likelihood."""
    names = list(design.truth)
    yield from _inside(design, "profile", fit.confint(names, level=LEVEL, method="profile"), names)


def bootstrap(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """Parametric, all kinds of the same refits."""
    names = list(design.truth)
    with tempfile.TemporaryDirectory() as folder:
        refits = {"replicates": REFITS, "seed": number, "progress": False, "checkpoint": Path(folder) / "refits"}
        for kind, name in (("percentile", "bootstrap"), ("basic", "bootstrap, basic"), ("bca", "bootstrap, bca")):
            limits = fit.confint(names, level=LEVEL, method="bootstrap", kind=kind, **refits)
            yield from _inside(design, name, limits, names)


def estimate(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """What else an estimate answers."""
    yield from _answered(design, "estimate", fit, new, number)


def posterior(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """Central intervals under the default priors, and what else a posterior answers."""
    post = model.sample(draws=500, seed=number, progress=False)
    names = [name for name, true in design.truth.items() if true > 0.0]  # no central interval of an sd holds zero
    yield from _inside(design, "posterior", post.parameters(LEVEL), names)
    yield from _answered(design, "posterior", post, new, number)
    if "contrasts" in design.kinds:
        yield from _differences("posterior, simultaneous", post, "simultaneous")


def _answered(design: Design, kind: str, fit: bmx.Estimate | bmx.Posterior, new: pd.DataFrame, number: int) -> Held:
    """Predictions, a slope and a difference of parameters."""
    yield from _predicted(design, kind, fit, new, number)
    half = len(new) // 2
    row = new.iloc[[number % half]]
    for scope, what, eta in (("fitted", "mean, fitted group", "eta"), ("zero", "mean, effects at zero", "known")):
        table = fit.predict(row, kind="mean", groups=scope, interval=LEVEL)
        yield kind, what, _holds(table, design.mean(row[eta].to_numpy())[0])
    slope = design.slope(new["known"].to_numpy()[:half])  # the predictors are those of the fit
    yield kind, "slope, effects at zero", _holds(fit.slopes("x", groups="zero", interval=LEVEL), slope)
    yield kind, "x - w", _holds(fit.hypothesis("x = w", interval=LEVEL), SLOPE - BETWEEN)


def _holds(table: pd.DataFrame, true: float) -> bool:
    lower, upper = table[["lower", "upper"]].to_numpy()[0]
    return bool(lower <= true <= upper)


def _predicted(design: Design, kind: str, fit: bmx.Estimate | bmx.Posterior, new: pd.DataFrame, number: int) -> Held:
    """One row of the known groups and one of the new ones: rows of a data set are not independent."""
    half = len(new) // 2
    for scope, place in (("fitted", number % half), ("new", half + number % half)):
        row = new.iloc[[place]]
        table = fit.predict(row, kind="response", groups=scope, interval=LEVEL, seed=number)
        yield kind, f"new observation, {scope} group", _holds(table, row["y"].iloc[0])


def contrasts(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """All differences of the factor at once, and one mean of it."""
    for adjust in ("none", "tukey", "mvt", "sidak", "bonferroni", "scheffe"):
        yield from _differences(f"contrasts, {adjust}", fit, adjust)
    means = fit.marginal_means("f", groups="zero", interval=LEVEL)
    rest = 0.3 + SLOPE * new["x"][: len(new) // 2].mean() + BETWEEN * 0.5
    yield "estimate", "marginal mean", _holds(means, rest + SHAPES[0])


def _differences(kind: str, fit: bmx.Estimate | bmx.Posterior, adjust: str) -> Held:
    true = {f"{b} - {a}": SHAPES["abcd".index(b)] - SHAPES["abcd".index(a)] for a, b in combinations("abcd", 2)}
    table = fit.contrasts("f", adjust=adjust, interval=LEVEL)
    signed = [true[name] if name in true else -true[" - ".join(reversed(name.split(" - ")))] for name in labels(table)]
    inside = (table["lower"].to_numpy() <= signed) & (signed <= table["upper"].to_numpy())
    yield kind, "all six differences", bool(inside.all())


def labels(table: pd.DataFrame) -> list[str]:
    """Names of contrasts."""
    return [str(one) for one in table.get("contrast", table.index)]


def bands(design: Design, model: bmx.Model, fit: bmx.Estimate, new: pd.DataFrame, number: int) -> Held:
    """Of a curve, by estimate and posterior: each point, and the whole."""
    post = model.sample(draws=500, seed=number, progress=False)
    rows, _ = design.data(np.random.default_rng([number, 7]))
    at = pd.DataFrame({"x": np.quantile(rows["x"], np.linspace(0.02, 0.98, 40))})
    true = (design.curve(at) - design.curve(rows).mean()).to_numpy()
    for kind, own in (("estimate", fit), ("posterior", post)):
        table = own.smooths("s(x, k = 8)", at, interval=LEVEL)
        for name, what in (("", "one point of a curve"), ("_simultaneous", "a whole curve")):
            inside = (table[f"lower{name}"].to_numpy() <= true) & (true <= table[f"upper{name}"].to_numpy())
            yield f"{kind}, bands", what, bool(inside.all() if name else inside[number % len(inside)])


KINDS: dict[str, Callable[..., Held]] = {
    one.__name__: one for one in (fixed, robust, profile, bootstrap, estimate, posterior, contrasts, bands)
}


# ---- counts ----------------------------------------------------------------------------------------------------------


def counted(name: str, first: int, n: int, seldom: int = SELDOM) -> Counter[tuple[str, str, bool]]:
    """Counts of kinds, targets and whether they hold, over data sets ``first, first + 1, ...``."""
    return Counter(row for number in range(first, first + n) for row in held(DESIGNS[name], number, seldom))


def shares(counts: Counter[tuple[str, str, bool]]) -> dict[tuple[str, str], tuple[int, float]]:
    """Number of intervals and share that holds, of each kind and target."""
    keys = sorted({row[:2] for row in counts})
    numbers = {key: counts[*key, True] + counts[*key, False] for key in keys}
    return {key: (n, counts[*key, True] / n) for key, n in numbers.items()}


def why_narrow(kind: str, of: str) -> str:
    """The reason that is known; nothing if that is none."""
    found = [NARROW[key] for key in NARROW if fnmatch.fnmatch(kind, key[0]) and fnmatch.fnmatch(of, key[1])]
    return found[0] if found else ""


def kept() -> dict[str, tuple[int, Counter[tuple[str, str, bool]]]]:
    """Data sets and counts of each design."""
    found: dict[str, tuple[int, Counter[tuple[str, str, bool]]]] = {name: (0, Counter()) for name in DESIGNS}
    if KEPT.exists():
        with KEPT.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                number, counts = found[row["design"]]
                counts[row["kind"], row["of"], True] = int(row["held"])
                counts[row["kind"], row["of"], False] = int(row["intervals"]) - int(row["held"])
                found[row["design"]] = (max(number, int(row["data_sets"])), counts)
    return found


def keep(found: dict[str, tuple[int, Counter[tuple[str, str, bool]]]]) -> None:
    """Write them."""
    with KEPT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["design", "data_sets", "kind", "of", "intervals", "held", "version"])
        for name, (number, counts) in found.items():
            for (kind, of), (n, share) in shares(counts).items():
                writer.writerow([name, number, kind, of, n, round(n * share), bmx.__version__])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("designs", nargs="*", help=", ".join(DESIGNS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--piece", type=int, default=10, help="data sets between two looks at the clock")
    given = parser.parse_args()
    end = time.monotonic() + 60.0 * given.minutes
    while time.monotonic() < end:
        found = kept()
        name = min(given.designs or DESIGNS, key=lambda one: found[one][0])
        number, counts = found[name]
        counts.update(counted(name, number, given.piece, seldom=1))
        found[name] = (number + given.piece, counts)
        keep(found)
        print(f"{name}: {number + given.piece} data sets", flush=True)


if __name__ == "__main__":
    main()
