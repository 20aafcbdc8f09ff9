"""Posteriors of families beside the mean's own formula: bambi's models of the same formulas and priors, by nutpie."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from breadth import frame

import bayesmix as bmx
from bayesmix.results.fits.linear_predictor import flatten

MCSE = 4.5  # combined Monte Carlo standard errors of two samplers, the largest of some fifty


def wine() -> pd.DataFrame:
    data = bmx.load_dataset("wine")
    return data.assign(warm=(data["temp"] == "warm") * 1.0, touched=(data["contact"] == "yes") * 1.0)


def salamanders() -> pd.DataFrame:
    data = bmx.load_dataset("Salamanders")
    return data.assign(clean=(data["mined"] == "no") * 1.0)


def kidney() -> pd.DataFrame:
    data = frame("kidney")
    return data.assign(female=(data["sex"] == "female") * 1.0, status=np.where(data["censored"] == 1, "right", "none"))


@dataclass(frozen=True, slots=True)
class Case:
    """A model in both languages; `theirs`: bambi's name of each parameter of ours, a minus where its sign differs."""

    data: Callable[[], pd.DataFrame]
    formulas: list[str]
    family: str
    bambi: tuple[str, ...]
    bambi_family: str
    priors: Mapping[str, str]
    theirs: Mapping[str, str]


THRESHOLDS = {f"{k}|{k + 1}": f"threshold[{k - 1}]" for k in range(1, 5)}
OF_THRESHOLDS = {name: f"Normal({mean}, 4)" for name, mean in zip(THRESHOLDS, (-2, -1, 1, 2), strict=True)}
RATINGS = Case(
    wine,
    ["rating ~ warm + touched + (1 | judge)"],
    "cumulative",
    ("rating ~ 0 + warm + touched + (1 | judge)",),
    "cumulative",
    OF_THRESHOLDS | {"warm": "Normal(0, 3)", "touched": "Normal(0, 3)", "sd(judge, Intercept)": "HalfNormal(2)"},
    THRESHOLDS | {"warm": "warm", "touched": "touched", "sd(judge, Intercept)": "1|judge_sigma"},
)
CASES = {
    "cumulative": RATINGS,
    "zero_inflated_poisson": Case(  # bambi's psi is one minus zi
        salamanders,
        ["count ~ clean + (1 | site)", "zi ~ clean"],
        "zero_inflated_poisson",
        ("count ~ clean + (1 | site)", "psi ~ clean"),
        "zero_inflated_poisson",
        dict.fromkeys(("Intercept", "clean", "zi_Intercept", "zi_clean"), "Normal(0, 2)")
        | {"sd(site, Intercept)": "HalfNormal(1)"},
        {"Intercept": "Intercept", "clean": "clean", "zi_Intercept": "-psi_Intercept", "zi_clean": "-psi_clean"}
        | {"sd(site, Intercept)": "1|site_sigma"},
    ),
    "beta": Case(
        partial(frame, "shares"),
        ["share ~ x + (1 | g)"],
        "beta",
        ("share ~ x + (1 | g)",),
        "beta",
        {"Intercept": "Normal(0, 2)", "x": "Normal(0, 1)", "phi": "Gamma(2, 0.1)", "sd(g, Intercept)": "HalfNormal(1)"},
        {"Intercept": "Intercept", "x": "x", "phi": "kappa", "sd(g, Intercept)": "1|g_sigma"},
    ),
    "student": Case(
        partial(bmx.load_dataset, "sleepstudy"),
        ["Reaction ~ Days + (1 | Subject)"],
        "student",
        ("Reaction ~ Days + (1 | Subject)",),
        "t",
        {"Intercept": "Normal(250, 100)", "Days": "Normal(0, 20)", "sigma": "HalfNormal(50)", "nu": "Gamma(2, 0.1)"}
        | {"sd(Subject, Intercept)": "HalfNormal(100)"},
        {"Intercept": "Intercept", "Days": "Days", "sigma": "sigma", "nu": "nu"}
        | {"sd(Subject, Intercept)": "1|Subject_sigma"},
    ),
    "censored lognormal": Case(
        kidney,
        ["time | cens(censored) ~ female + (1 | patient)"],
        "lognormal",
        ("censored(time, status) ~ female + (1 | patient)",),
        "lognormal",
        {"Intercept": "Normal(3, 2)", "female": "Normal(0, 2)", "sigma": "HalfNormal(2)"}
        | {"sd(patient, Intercept)": "HalfNormal(1)"},
        {"Intercept": "Intercept", "female": "female", "sigma": "sigma"}
        | {"sd(patient, Intercept)": "1|patient_sigma"},
    ),
}


def as_bambi(prior: str) -> Any:
    """Bambi's record of a prior."""
    import bambi

    kind, arguments = prior.removesuffix(")").split("(")
    names = {"Gamma": ("alpha", "beta"), "HalfNormal": ("sigma",)}.get(kind, ("mu", "sigma"))
    return bambi.Prior(kind, **dict(zip(names, map(float, arguments.split(",")), strict=True)))


def bambi_priors(case: Case) -> dict[str, Any]:
    """Under bambi's names: thresholds together, standard deviations inside the effects' prior, by parameter."""
    import bambi
    from pymc.distributions.transforms import ordered

    found: dict[str, Any] = {}
    for name, text in case.priors.items():
        theirs, prior = case.theirs[name].removeprefix("-"), as_bambi(text)
        if theirs.endswith("_sigma"):
            found[theirs.removesuffix("_sigma")] = bambi.Prior("Normal", mu=0, sigma=prior)
        elif theirs.startswith("psi_"):
            found.setdefault("psi", {})[theirs.removeprefix("psi_")] = prior
        elif not theirs.startswith("threshold"):
            found[theirs] = prior
    means = [as_bambi(case.priors[name]).args["mu"] for name in THRESHOLDS if name in case.priors]
    if means:
        found["threshold"] = bambi.Prior("Normal", mu=np.array(means), sigma=4.0, transform=ordered)
    return found


def bambi_draws(case: Case) -> dict[str, np.ndarray]:
    """``(chain, draw)`` of every parameter, by our names."""
    import bambi

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bambi.Model(
            bambi.Formula(*case.bambi),
            case.data(),
            family=case.bambi_family,
            priors=bambi_priors(case),
            center_predictors=False,
        )
        run = {"draws": 2000, "tune": 1000, "chains": 4, "random_seed": 5, "target_accept": 0.95}
        posterior = model.fit(**run, progressbar=False, inference_method="nutpie")["posterior"]
    found = {}
    for ours, theirs in case.theirs.items():
        name, _, index = theirs.removeprefix("-").removesuffix("]").partition("[")
        draws = posterior[name].to_numpy()
        draws = draws[..., int(index)] if index else draws
        found[ours] = -draws if theirs.startswith("-") else draws
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_posteriors_are_bambis(name: str) -> None:
    """Means and standard deviations, within Monte Carlo error."""
    from arviz import mcse

    case = CASES[name]
    post = bmx.Model(case.formulas, case.data(), case.family, priors=dict(case.priors)).sample(seed=1, progress=False)
    assert not post.problems
    ours, theirs = flatten(post.design, post.values), bambi_draws(case)
    assert set(theirs) == set(post.names)
    for parameter, other in theirs.items():
        own = ours[..., post.names.index(parameter)]
        for method, figure in (("mean", np.mean), ("sd", np.std)):
            error = np.hypot(float(mcse(own, method=method)), float(mcse(other, method=method)))
            assert abs(figure(own) - figure(other)) < MCSE * error, (parameter, method)
