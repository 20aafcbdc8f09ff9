"""Verbs of fits of data that stay where they are: the numbers of the fit in memory, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from staying import estimate, frame, model, numbers, posterior, relation

import bayesmix as bmx

SAME = 1e-7  # relative difference that sums of another order, and where a search ends, may explain
Call = Callable[[Any], pd.DataFrame]

OF_ESTIMATES: dict[str, Call] = {
    "effects of a number": lambda fit: fit.conditional_effects("x", "t"),
    "effects of a factor": lambda fit: fit.conditional_effects("t", "x"),
    "means": lambda fit: fit.marginal_means("t"),
    "contrasts": lambda fit: fit.contrasts("t", adjust="mvt"),
    "slopes": lambda fit: fit.slopes("x", by="t"),
    "slopes of levels": lambda fit: fit.slopes("x", groups="fitted"),
    "drop1": lambda fit: fit.drop1(),
    "drop1 by likelihood": lambda fit: fit.drop1(test="lrt"),
    "type I": lambda fit: bmx.anova(fit, type=1),
    "type II": lambda fit: bmx.anova(fit, type=2),
    "type III": lambda fit: bmx.anova(fit, type=3),
    "robust covariance": lambda fit: fit.robust_vcov("g").to_frame(),
    "variance tests": lambda fit: fit.ranova(),
    "without a term": lambda fit: fit.update("~ . - z").parameters(),
    "another expression": lambda fit: fit.update("~ . + I(x^2)").parameters(),
    "other random effects": lambda fit: fit.update("~ . - (x | g) + (1 | g/t)").parameters(),
    "nested fits": lambda fit: bmx.anova(fit.update("~ . - z"), fit),
    "intervals": lambda fit: fit.confint(),
    "comparison": lambda fit: bmx.compare(fit, fit.update(priors="flat")).table,
}
SLOW = (
    "effects of a number",
    "another expression",
    "drop1 by likelihood",
    "comparison",
    "intervals",
    "slopes of levels",
    "variance tests",
    "other random effects",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OF_ESTIMATES]
)
def test_estimates_answer_as_those_in_memory(name: str) -> None:
    one, other = (numbers(OF_ESTIMATES[name](estimate(where))) for where in ("memory", "source"))
    np.testing.assert_allclose(other, one, rtol=SAME, atol=SAME * np.nanmax(np.abs(one)))


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda fit: fit.conditional_effects("x"), marks=pytest.mark.slow),
        lambda fit: fit.marginal_means("t"),
        lambda fit: fit.slopes("x"),
        bmx.anova,
    ],
)
def test_posteriors_answer_as_those_in_memory(call: Call) -> None:
    one, other = (numbers(call(posterior(where))) for where in ("memory", "source"))
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [{}, pytest.param({"df": "satterthwaite"}, marks=pytest.mark.slow)])
def test_fits_made_one_by_one_are_nested_all_the_same(kind: dict[str, str]) -> None:
    """Rows of each stand for the same data, but are others."""
    tables = [
        bmx.anova(estimate(where, "y ~ z + t + (x | g)", "ml"), estimate(where, method="ml"), **kind)
        for where in ("memory", "source")
    ]
    np.testing.assert_allclose(numbers(tables[1]), numbers(tables[0]), rtol=SAME)


@pytest.mark.parametrize("other", ["y ~ I(z^2) + (1 | g)", pytest.param("y ~ x + (1 | k)", marks=pytest.mark.slow)])
def test_fits_that_share_no_rows_are_refused(other: str) -> None:
    with pytest.raises(bmx.SpecError, match=r"different rows or sums.*large\.update"):
        bmx.anova(estimate("source", other, "ml"), estimate("source", method="ml"))


def test_the_same_formula_of_other_data_is_no_nested_fit() -> None:
    other = bmx.Model("y ~ x + (x | g)", relation(frame().assign(x=frame()["x"] + 1.0)), where="source").estimate("ml")
    with pytest.raises(bmx.SpecError, match="different rows or sums"):
        bmx.anova(other, estimate("source", method="ml"))


def test_slopes_of_what_is_curved_are_refused() -> None:
    fit = estimate("source", "y ~ x + I(x^2) + z + (1 | g)")
    with pytest.raises(bmx.SpecError, match=r"average slope of `x`, which enters as `I\(x\^2\)`, needs the rows"):
        fit.slopes("x")
    whole = estimate("memory", "y ~ x + I(x^2) + z + (1 | g)")
    np.testing.assert_allclose(numbers(fit.slopes("z")), numbers(whole.slopes("z")), rtol=SAME)


REFUSED: dict[str, tuple[str, Callable[[Any], object]]] = {
    "bootstrap": ("A replication of the data", lambda fit: fit.bootstrap(5, progress=False)),
    "test by simulated data": ("A replication of the data", lambda fit: fit.test_group("g")),
    "fitted": ("A fitted value", lambda fit: fit.fitted()),
    "residuals": ("A residual", lambda fit: fit.residuals()),
    "predict": ("A prediction of the data", lambda fit: fit.predict()),
    "simulate": ("A prediction of the data", lambda fit: fit.simulate(2)),
    "refit": ("Another response", lambda fit: fit.refit(frame()["y"])),
    "influence": ("A refit to some of the rows", lambda fit: fit.influence()),
    "clusters": ("A cluster for each row", lambda fit: fit.robust_vcov(frame()["g"])),
    "pooling": ("A regression for each level", bmx.pooling),
    "loo": ("A log density", lambda fit: fit.loo()),
    "logo": ("A level left out", lambda fit: fit.logo()),
    "kfold": ("A log density", lambda fit: fit.kfold(3)),
    "ppc": ("A predictive check", lambda fit: fit.ppc()),
    "posterior_predictive": ("A replication of the data", lambda fit: fit.posterior_predictive()),
}
DEAR = ("posterior_predictive", "test by simulated data")
OF_DRAWS = ("loo", "logo", "kfold", "ppc", "posterior_predictive")


@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=pytest.mark.slow if verb in DEAR else ()) for verb in REFUSED]
)
def test_what_needs_rows_is_refused_by_name_with_what_to_do(verb: str) -> None:
    what, call = REFUSED[verb]
    with pytest.raises(bmx.SpecError) as caught:
        call(posterior("source") if verb in OF_DRAWS else estimate("source"))
    assert str(caught.value).startswith(f"{what} needs the rows of the data, which stay where they are")
    assert 'fit.predict(to="fitted.parquet")' in str(caught.value)


def test_diagnoses_of_estimates_leave_out_what_needs_rows() -> None:
    text = " ".join(str(estimate("source").diagnose()).split())
    assert "nothing is said of residuals, influential rows and predictive checks" in text


@pytest.mark.slow
def test_group_sds_near_zero_are_weighed_by_rows() -> None:
    """The same share of draws of a slope that hardly varies, though the spread of its rows is that of a few."""
    drawn = [
        model(where, "y ~ x + (w | k)").sample(draws=60, chains=2, seed=1, method="marginal", progress=False)
        for where in ("memory", "source")
    ]
    words = [" ".join(str(fit.diagnose()).split()).partition("Group SDs")[2].split("Next")[0] for fit in drawn]
    assert "sd(k, w) in" in words[0]
    assert words[1] == words[0]


@pytest.mark.slow
def test_models_are_not_called_made_by_hand() -> None:
    with pytest.raises(bmx.SpecError, match="for bambi needs the rows"):
        model("source", "y ~ x + (1 | g)").to_bambi()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.errors.SourceWarning")
def test_verbs_of_counts_whose_equal_rows_are_one() -> None:
    """Averages of means that are no linear functions are over all rows, those that are one counted as often."""
    data = frame().assign(x=frame()["x"].round(), c=(frame()["y"] > 6.0).astype(int) + (frame()["z"] > 0.0))
    fits = [
        bmx.Model("c ~ x + t + (1 | g)", rows, family="poisson", where=where).estimate()
        for rows, where in ((data, "memory"), (relation(data), "source"))
    ]
    assert fits[1].design.n < fits[0].design.n
    calls: list[Call] = [
        lambda fit: fit.slopes("x", by="t"),
        lambda fit: fit.marginal_means("t"),
        lambda fit: fit.conditional_effects("x", points=5),
        lambda fit: fit.drop1(),
        lambda fit: bmx.anova(fit.update("~ . - t"), fit),
    ]
    for call in calls:
        one, other = (numbers(call(fit)) for fit in fits)
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-9)
