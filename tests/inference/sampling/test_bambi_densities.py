"""Densities of the rows of models that bambi can express, too: those of its PyMC models at the same parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from every_family import data_of
from graphs import AS_WRITTEN

import bayesmix as bmx
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.language.families.registry import FAMILIES

EXACT = 1e-9
ROUNDED = {"exgaussian": 1e-7}  # PyMC's logarithm of a normal tail has so many digits
POINTS = 3
type Values = dict[str, float]  # coefficients by our names


def same(theirs: str, ours: str = "", *, sign: float = 1.0) -> Callable[[Values], Values]:
    """An intercept and a slope of theirs that are ours, or shares of what is left."""
    own, prefix = f"{ours}_" * bool(ours), f"{theirs}_" * bool(theirs)
    return lambda b: {f"{prefix}{name}": sign * b[f"{own}{name}"] for name in ("Intercept", "x")}


def _mean_of_normal_part(b: Values) -> Values:
    """Our mean is of the sum; the mean of the exponential part is one number here."""
    return {"Intercept": b["Intercept"] - np.exp(b["beta_Intercept"]), "x": b["x"], "nu_Intercept": b["beta_Intercept"]}


def _of_quantile(b: Values) -> Values:
    """PyMC's ``b`` and ``kappa``: the quantile is one number here."""
    odds = b["quantile_Intercept"]
    middle = 0.5 * odds - np.log1p(np.exp(odds))
    return {"b_Intercept": middle - b["sigma_Intercept"], "b_x": -b["sigma_x"], "kappa_Intercept": 0.5 * odds}


MEAN = same("")


@dataclass(frozen=True, slots=True)
class Case:
    """A family of ours, and what bambi calls it and its parameters."""

    theirs: str
    maps: tuple[Callable[[Values], Values], ...] = ()  # of parameters beside the mean
    ours: tuple[str, ...] = ()  # formulas of these
    bambi: tuple[str, ...] = ()
    link: Mapping[str, str] = field(default_factory=dict)  # bambi's, where its default is another
    mean: Callable[[Values], Values] = MEAN
    response: str = "response"
    own_link: str | None = None


def with_one(theirs: str, parameter: str, ours: str, **rest: Any) -> Case:
    """One parameter beside the mean."""
    return Case(theirs, (same(parameter, ours),), (f"{ours} ~ x",), (f"{parameter} ~ x",), **rest)


def with_zeros(theirs: str, zeros: str, ours: str = "", parameter: str = "", **rest: Any) -> Case:
    """bambi's psi is one minus the probability of a zero."""
    maps = (same("psi", zeros, sign=-1.0), *([same(parameter, ours)] if ours else []))
    own, other = [f"{zeros} ~ x", *([f"{ours} ~ x"] if ours else [])], ["psi ~ x", *([f"{parameter} ~ x"] * bool(ours))]
    return Case(theirs, maps, tuple(own), tuple(other), **rest)


CASES = {
    "gaussian": with_one("gaussian", "sigma", "sigma"),
    "poisson": Case("poisson"),
    "bernoulli": Case("bernoulli"),
    "binomial": Case("binomial", response="p(response, t)"),
    "betabinomial": with_one("beta_binomial", "kappa", "phi", response="p(response, t)"),
    "gamma": with_one("gamma", "alpha", "shape", link={"mu": "log", "alpha": "log"}),
    "beta": with_one("beta", "kappa", "phi"),
    "negbinomial": with_one("negativebinomial", "alpha", "shape"),
    "exponential": Case("exponential"),
    "lognormal": with_one("lognormal", "sigma", "sigma"),
    "weibull": with_one("weibull", "alpha", "shape"),
    "inverse_gaussian": with_one("wald", "lam", "shape", link={"mu": "log", "lam": "log"}),
    "von_mises": with_one("vonmises", "kappa", "kappa", own_link="identity"),
    "student": Case("t", (same("sigma", "sigma"), same("nu", "nu")), ("sigma ~ x", "nu ~ x"), ("sigma ~ x", "nu ~ x")),
    "exgaussian": Case(
        "exgaussian",
        (same("sigma", "sigma"),),
        ("sigma ~ x", "beta ~ 1"),
        ("sigma ~ x", "nu ~ 1"),
        mean=_mean_of_normal_part,
    ),
    "asym_laplace": Case("asymmetriclaplace", (_of_quantile,), ("sigma ~ x", "quantile ~ 1"), ("b ~ x", "kappa ~ 1")),
    "zero_inflated_poisson": with_zeros("zero_inflated_poisson", "zi"),
    "zero_inflated_negbinomial": with_zeros("zero_inflated_negativebinomial", "zi", "shape", "alpha"),
    "zero_inflated_binomial": with_zeros("zero_inflated_binomial", "zi", response="p(response, t)"),
    "hurdle_poisson": with_zeros("hurdle_poisson", "hu"),
    "hurdle_negbinomial": with_zeros("hurdle_negativebinomial", "hu", "shape", "alpha"),
    "hurdle_gamma": with_zeros("hurdle_gamma", "hu", "shape", "alpha"),
    "hurdle_lognormal": with_zeros("hurdle_lognormal", "hu", "sigma", "sigma"),
}


def density_of_rows(case: Case, data: Any) -> Callable[[Values], np.ndarray]:
    """bambi's, at values of its own parameters."""
    import bambi

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formula = bambi.Formula(f"{case.response} ~ x", *case.bambi)
        model = bambi.Model(formula, data, family=case.theirs, link=dict(case.link) or None, center_predictors=False)
        model.build()
        graph = model.backend.model
        compiled = graph.compile_logp(vars=graph.observed_RVs, sum=False, mode=AS_WRITTEN)
    start = graph.initial_point()

    def rows(values: Values) -> np.ndarray:
        assert set(values) == set(start)
        return np.asarray(compiled({name: np.asarray(value) for name, value in values.items()})[0])

    return rows


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rows_have_bambis_density(name: str) -> None:
    case, data = CASES[name], data_of(name)
    trials = " | trials(t)" if FAMILIES[name].support == "trials" else ""
    model = bmx.Model([f"response{trials} ~ x", *case.ours], data, family=name, link=case.own_link)
    theirs, rng = density_of_rows(case, data), np.random.default_rng(3)
    for _ in range(POINTS):
        beta = 0.4 * rng.standard_normal(len(model.design.fixed))
        values = dict(zip(model.design.fixed, beta, strict=True))
        eta = (model.design.X @ beta).reshape(-1, model.design.n)
        found = likelihood_of(model.design, model.spec).value(eta.ravel(), np.ones(()))
        mapped = case.mean(values)
        for one in case.maps:
            mapped |= one(values)
        within = ROUNDED.get(name, EXACT)
        np.testing.assert_allclose(found, theirs(mapped), rtol=within, atol=within)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "theirs"), [("cumulative", "cumulative"), ("sratio", "sratio")])
def test_ratings_have_bambis_density(name: str, theirs: str) -> None:
    """bambi's thresholds are free: of ordered ones the first, and logarithms of their steps."""
    data = data_of(name, data_of(name)["response"].cat.as_ordered())
    model, rng = bmx.Model("response ~ x", data, family=name), np.random.default_rng(4)
    rows = density_of_rows(Case(theirs, response="response"), data)
    for _ in range(POINTS):
        x, first, step = 0.4 * rng.standard_normal(3)
        beta = np.array([x, first, first + np.exp(step)])
        ends = {"threshold_ordered__": np.array([first, step])} if name == "cumulative" else {"threshold": beta[1:]}
        found = likelihood_of(model.design, model.spec).value(model.design.X @ beta, np.ones(()))
        np.testing.assert_allclose(found, rows({"x": x, **ends}), rtol=EXACT, atol=EXACT)


@pytest.mark.slow
def test_categories_have_bambis_density() -> None:
    data = data_of("categorical")
    model, rng = bmx.Model("response ~ x", data, family="categorical"), np.random.default_rng(5)
    rows = density_of_rows(Case("categorical"), data)
    for _ in range(POINTS):
        beta = 0.4 * rng.standard_normal(4)
        found = likelihood_of(model.design, model.spec).value(model.design.X @ beta, np.ones(()))
        assert model.design.fixed == ("mugreen_Intercept", "mugreen_x", "mured_Intercept", "mured_x")
        np.testing.assert_allclose(found, rows({"Intercept": beta[::2], "x": beta[1::2]}), rtol=EXACT, atol=EXACT)
