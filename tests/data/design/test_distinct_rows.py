"""Rows that are equal are one: likelihoods, estimates and posteriors are those of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.arrays import Array
from bayesmix.data.design import distinct_rows
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.inference.sampling.marginal import effect_proposals, fitted_proposals
from bayesmix.inference.sampling.marginal.sampler import Marginal

ROWS = 1200
SAME = 1e-10  # relative difference of a likelihood: sums of other orders
SEARCHED = 1e-5  # of what a search ends with, and of standard errors, whose Hessian is differences of gradients


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    g, x = rng.integers(0, 6, ROWS), rng.integers(0, 4, ROWS) / 2.0
    eta = 0.2 + 0.5 * x + rng.normal(0.0, 0.6, 6)[g]
    data = {
        "x": x,
        "g": g,
        "h": rng.integers(0, 6, ROWS),
        "w": rng.integers(1, 3, ROWS) / 2.0,
        "n": rng.integers(3, 5, ROWS),
        "count": rng.poisson(np.exp(0.4 * eta)),
        "rating": np.digitize(eta + rng.logistic(size=ROWS), [-0.5, 1.5]),
    }
    share = 1.0 / (1.0 + np.exp(-eta))
    data |= {"z": (rng.random(ROWS) < share).astype(int), "s": rng.binomial(data["n"], share)}
    data["clumped"] = rng.negative_binomial(2, 2.0 / (2.0 + np.exp(0.4 * eta)))
    data["upper"] = np.where(data["count"] > 3, "right", "none")
    return pd.DataFrame(data)


MODELS: dict[str, tuple[Any, Any, list[str]]] = {  # formula, family, and what rows differ in, in the columns above
    "zeros and ones": ("z ~ x + (1 | g)", "bernoulli", ["x", "g"]),
    "slopes": ("z ~ x + (x | g)", "bernoulli", ["x", "g"]),
    "successes of trials": ("s | trials(n) ~ x + (1 | g)", "binomial", ["x", "g"]),
    "successes with weights": ("s | trials(n) + weights(w) ~ x + (1 | g)", "binomial", ["x", "g", "w"]),
    "counts": ("count ~ x + (1 | g) + (1 | h)", "poisson", ["x", "g", "h"]),
    "counts with weights and an offset": (
        "count | weights(w) ~ x + offset(log(n)) + (1 | g)",
        "poisson",
        ["x", "g", "w", "n"],
    ),
    "censored counts": ("count | cens(upper) ~ x + (1 | g)", "poisson", ["x", "g", "count"]),
    "overdispersed counts": ("clumped ~ x + (1 | g)", "negbinomial", ["x", "g", "clumped"]),
    "zeros of their own": (["count ~ x + (1 | g)", "zi ~ (1 | h)"], "zero_inflated_poisson", ["x", "g", "h", "count"]),
    "ratings": ("rating ~ x + (1 | g)", "cumulative", ["x", "g", "rating"]),
    "two responses": (
        ["z ~ x + (1 |p| g)", "count ~ 1 + (1 |p| g)"],
        {"z": "bernoulli", "count": "poisson"},
        ["x", "g"],
    ),
    "members of two levels": ("z ~ x + (1 | mm(g, h))", "bernoulli", ["x", "g", "h"]),
}


def model(name: str) -> bmx.Model:
    formula, family, _ = MODELS[name]
    return bmx.Model(formula, frame(), family=family)


def predictors(design: Any, rng: np.random.Generator) -> Array:
    """Linear predictors of some effects."""
    eta = design.X @ (0.3 * rng.normal(size=design.X.shape[1])) + design.offset
    for term in design.terms:
        b = 0.3 * rng.normal(size=(len(term.levels), len(term.effects)))
        eta = eta + term.over_slots(np.sum(term.z * b[term.codes], axis=1))
    return np.asarray(eta)


@pytest.mark.parametrize("name", MODELS)
def test_likelihoods_of_distinct_rows_are_those_of_all(name: str) -> None:
    own = model(name)
    whole, few = own.design, distinct(own.design, own.spec)
    assert few.n == len(frame().groupby(MODELS[name][2]))
    assert few.n_used == whole.n
    values = [
        likelihood_of(one, own.spec).value(predictors(one, np.random.default_rng(2)), np.array(1.7))
        for one in (whole, few)
    ]
    assert values[1].sum() == pytest.approx(values[0].sum(), rel=SAME)
    assert distinct(own.design, own.spec) is few
    assert distinct(few, own.spec) is few


def test_rows_that_are_hardly_ever_equal_stay() -> None:
    data = frame().assign(v=np.repeat(np.arange(ROWS // 3 * 2), 2)[:ROWS])
    for formula, rows in (("z ~ v + (1 | g)", ROWS), ("z ~ x + (1 | g)", ROWS // 2)):
        few = bmx.Model(formula, data[:rows], family="bernoulli")
        assert distinct(few.design, few.spec) is few.design


@pytest.mark.parametrize(("family", "response"), [("gaussian", "count"), ("gamma", "w")])
def test_weights_that_divide_variances_are_no_counts(family: str, response: str) -> None:
    own = bmx.Model(f"{response} ~ x + (1 | g)", frame(), family=family)
    assert (distinct(own.design, own.spec) is own.design) == (family == "gaussian")


def test_hashes_that_are_equal_by_chance_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct_rows, "_mixed", lambda bits: bits * np.uint64(0))
    own = model("zeros and ones")
    assert distinct(own.design, own.spec) is own.design


# ---- fits -------------------------------------------------------------------------------------------------------


def fits(name: str, monkeypatch: pytest.MonkeyPatch) -> Sequence[tuple[bmx.Estimate, bmx.Posterior]]:
    """Estimate and posterior of all rows, and of the distinct ones, whose proposals are as many and in as few parts."""
    monkeypatch.setattr(effect_proposals, "NUMBERS", 10**12)
    monkeypatch.setattr(fitted_proposals, "CHEAP", 0)
    found = []
    for share in (0.0, 0.5):
        monkeypatch.setattr(distinct_rows, "SHARE", share)
        own = model(name)
        found.append((own.estimate(), own.sample(50, 2, 1, Marginal(thin=1), progress=False)))
    return found


def numbers(fit: Any, verb: Any) -> Array:
    found = verb(fit)
    return np.asarray(found.select_dtypes("number") if isinstance(found, pd.DataFrame) else found, float)


ESTIMATE: dict[str, Any] = {
    "parameters": lambda fit: fit.parameters(),
    "criteria": lambda fit: [fit.loglik, fit.criterion, fit.aic, fit.bic, fit.df, fit.df_resid],
    "fitted": lambda fit: fit.fitted(),
    "residuals": lambda fit: fit.residuals("pearson"),
    "predictions": lambda fit: fit.predict(interval=0.9),
    "Wald": lambda fit: fit.confint("wald"),
    "profile": lambda fit: fit.confint("profile"),
    "bootstrap": lambda fit: fit.confint("bootstrap", replicates=40, seed=1),
    "influence": lambda fit: fit.influence("g"),
    "without a term": lambda fit: fit.drop1(),
    "errors of effects": lambda fit: fit.ranef_sd()["g"],
    "another response": lambda fit: fit.refit(1 - fit.design.y).parameters(),
}
POSTERIOR: dict[str, Any] = {
    "draws": lambda fit: fit.values.beta,
    "fitted": lambda fit: fit.fitted(),
    "predictions": lambda fit: fit.predict(interval=0.9),
    "log densities": lambda fit: fit.log_likelihood(),
    "replications": lambda fit: fit.simulate(2, seed=1),
}
DEAR = ("profile", "bootstrap", "influence", "another response", "without a term")


def assert_same(few: Any, whole: Any, verbs: dict[str, Any]) -> None:
    for name, verb in verbs.items():
        np.testing.assert_allclose(numbers(few, verb), numbers(whole, verb), rtol=SEARCHED, atol=1e-7, err_msg=name)


def test_fits_are_those_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    (whole, drawn), (few, drawn_few) = fits("zeros and ones", monkeypatch)
    assert whole.design.n == few.design.n == ROWS
    for quantity in ("loglik", "criterion", "aic", "bic", "df"):
        assert getattr(few, quantity) == pytest.approx(getattr(whole, quantity), rel=SAME)
    assert_same(few, whole, {name: verb for name, verb in ESTIMATE.items() if name not in DEAR})
    assert_same(drawn_few, drawn, POSTERIOR)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zeros and ones", "counts with weights and an offset", "overdispersed counts"])
def test_all_verbs_are_those_of_all_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole, drawn), (few, drawn_few) = fits(name, monkeypatch)
    assert_same(
        few,
        whole,
        {key: verb for key, verb in ESTIMATE.items() if key != "another response" or name == "zeros and ones"},
    )
    if name != "overdispersed counts":  # whose approximation is by differences: draws are the same to 1e-4 only
        assert_same(drawn_few, drawn, POSTERIOR)
