"""Random formulas and data for the packages of R that know them, and the same models in their words.

lme4: linear models by REML and ML, Poisson and binomial ones by Laplace's approximation and by quadrature. glmmTMB: the
families and structures beyond. ordinal: cumulative models of ratings. `peer_fits.R` fits them all in one process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

import bayesmix as bmx

Generator = np.random.Generator
SCRIPT = Path(__file__).parent / "peer_fits.R"
FROZEN = Path(__file__).parent / "reference" / "peers"

FIXED = ("x", "z", "f", "x * z", "x * f", "I(z^2)", "log(p)", "poly(x, 2)", "scale(z)")
SIMPLE = ("(1 | g)", "(1 | g)", "(x | g)", "(x || g)", "(0 + x | g)", "(1 | g/s)", "(1 | g) + (1 | h)", "(1 | g:s)")
STRUCTURED = ("(0 + f | g)", "diag(0 + f | g)", "cs(0 + f | g)", "ar1(0 + v | g)")
WIDE = ("(f | g)", "(x | g) + (1 | h)", "(z | h) + (0 + x | g)")

# ours: glmmTMB's family, and the parameter beside the mean that its dispformula is of
GLMMTMB: dict[str, tuple[str, str]] = {
    "gaussian": ("gaussian()", "sigma"),
    "poisson": ("poisson()", ""),
    "binomial": ("binomial()", ""),
    "gamma": ('Gamma(link = "log")', "shape"),
    "negbinomial": ("nbinom2()", "shape"),
    "nbinom1": ("nbinom1()", "phi"),
    "genpois": ("genpois()", ""),
    "beta": ("beta_family()", "phi"),
    "betabinomial": ("betabinomial()", "phi"),
    "tweedie": ("tweedie()", ""),
    "truncated_poisson": ("truncated_poisson()", ""),
    "truncated_negbinomial": ("truncated_nbinom2()", "shape"),
    "zero_inflated_poisson": ("poisson()", ""),
    "zero_inflated_negbinomial": ("nbinom2()", "shape"),
    "zero_inflated_binomial": ("binomial()", ""),
    "hurdle_poisson": ("truncated_poisson()", ""),
    "hurdle_negbinomial": ("truncated_nbinom2()", "shape"),
    "hurdle_gamma": ('ziGamma(link = "log")', "shape"),
}
ZEROS = {"zero_inflated": "zi", "hurdle": "hu"}  # what glmmTMB's ziformula is of
TRIALS = ("binomial", "betabinomial", "zero_inflated_binomial")
LINKS = ("logit", "probit", "cloglog")


@dataclass(frozen=True)
class Case:
    """One model, in our words and in R's."""

    seed: int
    package: str
    family: str
    formulas: tuple[str, ...]  # ours
    method: str  # "reml", "ml", "laplace", or the number of points of a quadrature
    link: str | None
    words: dict[str, Any]  # of R's call
    data: pd.DataFrame

    def fit(self) -> bmx.Estimate:
        return self.model.estimate(bmx.Agq(int(self.method)) if self.method.isdigit() else self.method)

    @property
    def model(self) -> bmx.Model:
        weights = {"weights": "w"} if self.words.get("weights") and self.package == "lme4" else {}
        formulas = list(self.formulas) if len(self.formulas) > 1 else self.formulas[0]
        return bmx.Model(formulas, self.data, family=self.family, link=self.link, **weights)

    def __str__(self) -> str:
        return f"{self.package} {self.seed}: {'; '.join(self.formulas)} ({self.family}, {self.method}) {self.words}"


@dataclass(frozen=True)
class Found:
    """What a package of R says of a case."""

    criterion: float
    fixed: dict[str, float]  # by our names
    trusted: bool  # no warning of its own


def random_case(package: str, seed: int) -> Case:
    return {"lme4": _of_lme4, "glmmTMB": _of_glmmtmb, "ordinal": _of_ordinal}[package](seed)


def _of_lme4(seed: int) -> Case:
    rng = np.random.default_rng([1, seed])
    family = str(rng.choice(["gaussian", "gaussian", "poisson", "binomial"]))
    data, bars = _data(rng), str(rng.choice(SIMPLE + WIDE + ("(0 + f | g)",)))
    data["y"] = _response(rng, data, family)
    method, weighted = "laplace", False
    if family == "gaussian":
        method, weighted = ("reml", "ml")[seed % 2], bool(rng.random() < 0.3)
    elif bars == "(1 | g)" and rng.random() < 0.6:
        method = str(rng.choice([2, 5, 9]))
    mean = _mean(rng, bars)
    left = "cbind(y, m - y)" if family == "binomial" else "y"
    words = {"formula": f"{left} ~ {mean}", "family": family, "method": method, "weights": weighted}
    return Case(seed, "lme4", family, (f"{left} ~ {mean}",), method, None, words, data)


def _of_glmmtmb(seed: int) -> Case:
    rng = np.random.default_rng([2, seed])
    family = str(rng.choice(list(GLMMTMB)))
    theirs, dispersion = GLMMTMB[family]
    zeros = next((name for start, name in ZEROS.items() if family.startswith(start)), "")
    data = _data(rng)
    data["y"] = _response(rng, data, family)
    mean = _mean(rng, str(rng.choice(SIMPLE + STRUCTURED)))
    left = "cbind(y, m - y)" if family in TRIALS else "y"
    counted = rng.random() < 0.15 and family not in TRIALS
    formulas = [f"{left}{' | weights(k)' if counted else ''} ~ {mean}"]
    words = {"formula": f"{left} ~ {mean}", "family": theirs, "zi": "~0", "disp": "~1", "weights": bool(counted)}
    if zeros:
        own = str(rng.choice(["1", "x", "f", "z + (1 | g)"]))
        formulas, words = [*formulas, f"{zeros} ~ {own}"], {**words, "zi": f"~{own}"}
    if dispersion and rng.random() < 0.35:
        own = str(rng.choice(["x", "z", "f"]))
        formulas, words = [*formulas, f"{dispersion} ~ {own}"], {**words, "disp": f"~{own}"}
    method = "ml" if family == "gaussian" else "laplace"
    link = {"gamma": "log", "hurdle_gamma": "log"}.get(family)
    return Case(seed, "glmmTMB", family, tuple(formulas), method, link, words, data)


def _of_ordinal(seed: int) -> Case:
    rng = np.random.default_rng([3, seed])
    data, link = _data(rng), str(rng.choice(LINKS))
    data["y"] = _response(rng, data, "cumulative")
    bars = str(rng.choice(["(1 | g)", "(1 | g)", "(x | g)", "(1 | g) + (1 | h)", "(1 | g/s)"]))
    method = "laplace"
    if bars == "(1 | g)" and rng.random() < 0.4:
        method = str(rng.choice([3, 7]))
    mean = _mean(rng, bars, offset=False)
    # cloglog and loglog of clmm are those of clm the other way round, in models of a single intercept alone
    theirs = "loglog" if link == "cloglog" and bars == "(1 | g)" else link
    words = {"formula": f"y ~ {mean}", "link": theirs, "method": method}
    return Case(seed, "ordinal", "cumulative", (f"y ~ {mean}",), method, link, words, data)


def _mean(rng: Generator, bars: str, *, offset: bool = True) -> str:
    fixed = [str(text) for text in rng.choice(FIXED, rng.integers(0, 3), replace=False)]
    used = [set("xzpf") & set(text.replace("poly", "").replace("log", "")) for text in fixed]
    if len(fixed) == 2 and used[0] & used[1]:
        fixed = fixed[:1]
    return " + ".join(["1", *fixed, bars, *(["offset(o)"] if offset and rng.random() < 0.2 else [])])


def _data(rng: Generator) -> pd.DataFrame:
    n, levels = int(rng.integers(80, 161)), int(rng.integers(6, 15))
    return pd.DataFrame(
        {
            "x": np.round(rng.normal(rng.normal(0, 2), 1.0, n), 4),
            "z": np.round(rng.uniform(-1, 2, n), 4),
            "p": np.round(rng.uniform(0.5, 3.0, n), 4),
            "o": np.round(0.3 * rng.normal(size=n), 4),
            "w": np.round(rng.uniform(0.5, 2.0, n), 4),
            "k": rng.integers(1, 4, n),
            "m": rng.integers(3, 12, n),
            "f": rng.permutation(np.array(["lo", "mid", "top"])[np.arange(n) % 3]),
            "v": rng.permutation(np.array(["v1", "v2", "v3", "v4"])[np.arange(n) % 4]),
            "g": rng.permutation(np.array([f"g{j:02d}" for j in range(levels)])[np.arange(n) % levels]),
            "h": rng.choice(list("ABCDE"), n),
            "s": rng.choice(["p", "q"], n),
        }
    )


def _response(rng: Generator, d: pd.DataFrame, family: str) -> Any:  # noqa: C901 - a line for each family
    """Values of the support with effects of x and of the groups, the zeros of inflated families among them."""
    n, sizes = len(d), rng.exponential(0.5, 2)
    effects = {g: rng.normal(size=2) for g in sorted(d["g"].unique())}
    b = np.array([effects[g] for g in d["g"]])
    eta = 0.5 + 0.3 * (d["x"] - d["x"].mean()) + d["o"] + sizes[0] * b[:, 0] + 0.5 * sizes[1] * b[:, 1] * d["z"]
    eta = np.clip(eta.to_numpy(), -2.5, 2.5)
    mu, size, zero = np.exp(eta), float(rng.uniform(1.0, 4.0)), rng.random(n) < 0.3
    counts = rng.negative_binomial(size, size / (size + mu)) if "poisson" not in family else rng.poisson(mu)
    m = d["m"].to_numpy()
    share = np.clip(rng.beta(4 * expit(eta), 4 * expit(-eta)), 0.001, 0.999)
    match family:
        case "gaussian":
            return np.round(eta + rng.normal(size=n) * rng.uniform(0.3, 1.5), 5)
        case "cumulative":
            return np.digitize(eta + rng.logistic(size=n), [-0.8, 0.6, 1.8]) + 1
        case "binomial":
            return rng.binomial(m, expit(eta))
        case "betabinomial":
            return rng.binomial(m, share)
        case "zero_inflated_binomial":
            return np.where(zero, 0, rng.binomial(m, expit(eta)))
        case "beta":
            return np.round(share, 5)
        case "gamma":
            return np.round(rng.gamma(size, mu / size) + 1e-4, 5)
        case "hurdle_gamma":
            return np.where(zero, 0.0, np.round(rng.gamma(size, mu / size) + 1e-4, 5))
        case "tweedie":
            number = rng.poisson(mu)
            return np.array([round(float(rng.gamma(1.5, 1.0, k).sum()), 5) for k in number])
    if family.startswith("truncated"):
        return counts + (counts == 0)
    if family.startswith("hurdle"):
        return np.where(zero, 0, counts + (counts == 0))
    return np.where(zero, 0, counts) if family.startswith("zero_inflated") else counts


# ---- R ---------------------------------------------------------------------------------------------------------------


def has_package(name: str) -> bool:
    command = [shutil.which("Rscript") or "", "-e", f"library({name}); library(jsonlite)"]
    return bool(command[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def fitted_by_r(cases: list[Case], folder: Path, timeout: float = 1200.0) -> list[Found | None]:
    """What R says of each; None where it stops with an error."""
    for i, case in enumerate(cases):
        case.data.to_csv(folder / f"{i}.csv", index=False)
        (folder / f"{i}.json").write_text(json.dumps({"package": case.package, **case.words}), encoding="utf-8")
    command = ["Rscript", str(SCRIPT), str(folder), str(len(cases))]
    subprocess.run(command, capture_output=True, check=True, timeout=timeout)
    return [_found(folder / f"{i}.out") for i in range(len(cases))]


def _found(path: Path) -> Found | None:
    told = json.loads(path.read_text(encoding="utf-8"))
    numbers = [told["criterion"], *told["fixed"].values()] if "error" not in told else ["NA"]
    if not all(isinstance(one, int | float) for one in numbers):  # R's NA, NaN and Inf are text
        return None
    return Found(float(told["criterion"]), {name: float(one) for name, one in told["fixed"].items()}, told["trusted"])


# ---- frozen cases ----------------------------------------------------------------------------------------------------


def frozen() -> dict[str, tuple[Case, Found]]:
    """Cases that were wrong once, with what R says of them, by name."""
    listed = json.loads((FROZEN / "cases.json").read_text(encoding="utf-8"))
    return {name: _thawed(name, own["case"], own["found"]) for name, own in listed.items()}


def _thawed(name: str, case: dict[str, Any], found: dict[str, Any]) -> tuple[Case, Found]:
    data = pd.read_csv(FROZEN / f"{name}.csv")
    return Case(**{**case, "formulas": tuple(case["formulas"])}, data=data), Found(**found)


def freeze(name: str, case: Case, found: Found) -> None:
    """Keep a case and its data."""
    path = FROZEN / "cases.json"
    listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    own = {field: value for field, value in asdict(case).items() if field != "data"}
    listed[name] = {"case": own, "found": asdict(found)}
    FROZEN.mkdir(exist_ok=True)
    path.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    case.data.to_csv(FROZEN / f"{name}.csv", index=False)


def main() -> None:
    """Both sides of a case: ``random_peers.py PACKAGE SEED [NAME]``; with a name it is frozen."""
    case = random_case(sys.argv[1], int(sys.argv[2]))
    print(case)
    with tempfile.TemporaryDirectory() as folder:
        (found,) = fitted_by_r([case], Path(folder))
    print(found)
    if len(sys.argv) > 3 and found is not None:
        freeze(sys.argv[3], case, found)
    fit = case.fit()
    print(fit.criterion, fit.problems, fit.parameters(), sep="\n")


if __name__ == "__main__":
    main()
