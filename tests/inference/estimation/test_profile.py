"""Profile-likelihood limits against lme4's, and against their definition where lme4's are not good enough."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dense import ml_criterion, random_covariance
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.profile import NOT_FOUND, profile_intervals

REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "profile.json").read_text(encoding="utf-8"))["limits"]
SPLINE = 2e-4  # of the interval's width: lme4 interpolates its profiles by splines

MODELS = {
    "sleepstudy_corr": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian"),
    "sleepstudy_uncorr": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", "gaussian"),
    "pastes_reml": ("strength ~ 1 + (1 | batch/cask)", "Pastes", "gaussian"),
    "penicillin_reml": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian"),
    "cbpp_laplace": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
}


def lme4_name(name: str) -> str:
    inside = name[name.find("(") + 1 : -1].split(", ")
    if name.startswith("sd("):
        return f"sd_{inside[1]}|{inside[0]}".replace("Intercept", "(Intercept)")
    if name.startswith("corr("):
        return f"cor_{inside[2]}.{inside[1]}|{inside[0]}".replace("Intercept", "(Intercept)")
    return name.replace("Intercept", "(Intercept)")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case.startswith("p") else ()) for case in MODELS]
)
def test_limits_are_lme4s(case: str) -> None:
    formula, data, family = MODELS[case]
    table = bmx.Model(formula, bmx.load_dataset(data), family=family).estimate().confint()
    for name, row in table.iterrows():
        lower, upper = REFERENCE[case][lme4_name(str(name))]
        assert row["lower"] == pytest.approx(lower, abs=SPLINE * (upper - lower)), name
        assert row["upper"] == pytest.approx(upper, abs=SPLINE * (upper - lower)), name


def esoph() -> bmx.Estimate:
    return bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", bmx.load_dataset("esoph")).estimate("ml")


def dense_minimum(fit: bmx.Estimate, name: str, value: float) -> float:
    """The lowest deviance with a parameter held, by dense matrices and simplex searches from many starts."""

    design = fit.design

    def deviance(free: np.ndarray) -> float:
        sd, rho, sigma = free[:2] ** 2, np.sin(free[2]), np.exp(free[3])
        sd[0] = value if name.startswith("sd(") else sd[0]
        rho = value if name.startswith("corr(") else rho
        covariance = np.outer(sd, sd) * np.array([[1.0, rho], [rho, 1.0]])
        V = np.eye(len(design.y)) * sigma**2 + random_covariance(design, [covariance])
        return ml_criterion(design, V, 1.0)

    estimate = fit.parameters()["estimate"].to_numpy()[-4:]
    start = np.array([*np.sqrt(estimate[:2]), np.arcsin(0.99 * estimate[2]), np.log(estimate[3])])
    lowest = []
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(size=4) * (0.3 if seed else 0.0)
        options = {"maxfev": 2000, "xatol": 1e-7, "fatol": 1e-9}
        lowest.append(minimize(deviance, start + noise, method="Nelder-Mead", options=options).fun)
    return min(lowest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sd(agegp, Intercept)", "corr(agegp, Intercept, ncontrols)"])
def test_lower_limits_of_a_profile_with_two_valleys(name: str) -> None:
    """lme4 prints 0.41743 and -0.6468 here; simplex searches from many starts show what the limits should be."""
    fit = esoph()
    lower = float(fit.confint([name])["lower"].iloc[0])
    assert dense_minimum(fit, name, lower) - fit.criterion == pytest.approx(3.841459, abs=2e-4)


def test_upper_limit_of_a_correlation_is_one_where_the_likelihood_allows_it() -> None:
    table = esoph().confint(["corr(agegp, Intercept, ncontrols)"])
    assert table["upper"].iloc[0] == 1.0


def test_singular_standard_deviation_has_lower_limit_zero() -> None:
    table = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff2")).estimate().confint()
    assert table.loc["sd(Batch, Intercept)", "lower"] == 0.0
    assert 0.5 < table.loc["sd(Batch, Intercept)", "upper"] < 5.0


def test_correlation_of_a_later_pair_of_effects() -> None:
    """With three effects every correlation can be profiled: the interval of the last pair holds its estimate."""
    model = bmx.Model("angle ~ recipe + temp + (0 + recipe | replicate)", bmx.load_dataset("cake"))
    fit = model.estimate("ml")
    name = fit.names[-2]
    assert name.startswith("corr(")
    table = fit.confint([name])
    assert table.loc[name, "lower"] < fit.parameters().loc[name, "estimate"] <= table.loc[name, "upper"]


def test_around_a_lost_mode_there_is_no_profile() -> None:
    """The estimate is no maximum: every limit took its thousand evaluations, minutes for all of a small model."""
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy")).estimate("ml")
    lost = replace(fit.point, optimum=replace(fit.point.optimum, status=Status.LOST))
    for interval in profile_intervals(fit.design, fit.spec, lost, ["Days", "sigma"], 0.95):
        assert interval.lower is NOT_FOUND
        assert interval.upper is NOT_FOUND


@pytest.mark.slow
def test_a_residual_sd_that_effects_of_each_row_may_take_the_place_of():
    """Its deviance does not rise by the critical value down to zero, as the dense likelihood has it."""
    rng = np.random.default_rng(4)
    group, time = np.repeat(np.arange(16), 5), np.tile(np.arange(5.0), 16)
    distance, same = np.abs(time[:, None] - time), group[:, None] == group
    y = np.linalg.cholesky(same * np.exp(-distance / 2.0) + 0.16 * np.eye(80)) @ rng.normal(size=80)
    fit = bmx.Model("y ~ 1 + ou(time | group)", {"y": y, "time": time, "group": group}).estimate("ml")

    def deviance(logs):
        V = same * np.exp(2.0 * logs[0] - distance / np.exp(logs[1])) + 1e-12 * np.eye(80)
        inverse = np.linalg.inv(V)
        r = y - inverse.sum(axis=0) @ y / inverse.sum()
        return float(np.linalg.slogdet(V)[1] + r @ inverse @ r + 80 * np.log(2.0 * np.pi))

    rise = minimize(deviance, [0.0, 0.0], method="Nelder-Mead").fun - fit.criterion
    assert 0.1 < rise < 3.8
    limits = fit.confint(["sigma"], method="profile").loc["sigma"]
    assert limits["lower"] == 0.0
    assert np.isfinite(limits["upper"])
