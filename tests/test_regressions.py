"""Models without random effects: the same verbs, beside R's lm and glm, closed forms and a grid."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx

REFERENCE = json.loads((Path(__file__).parent / "reference" / "regressions" / "regressions.json").read_text("utf-8"))
CLOSE = 1e-5  # of a standard error; R's and glmmTMB's searches stop about there
LIMIT = 2e-4  # of a standard error, of profile limits: R interpolates its profiles by splines

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lm": ("Reaction ~ Days", "sleepstudy", {}),
    "lm, factors": ("angle ~ recipe * temp", "cake", {}),
    "poisson": ("TICKS ~ YEAR + HEIGHT", "grouseticks", {"family": "poisson"}),
    "binomial": ("cbind(incidence, size - incidence) ~ period", "cbpp", {"family": "binomial"}),
    "probit": ("cbind(incidence, size - incidence) ~ period", "cbpp", {"family": "binomial", "link": "probit"}),
    "gamma": ("y ~ x", "gammasim", {"family": "gamma"}),
    "negbinomial": ("TICKS ~ YEAR", "grouseticks", {"family": "negbinomial"}),
}
LINEAR = ("lm", "lm, factors")


@cache
def model(case: str) -> bmx.Model:
    formula, data, options = MODELS[case]
    return bmx.Model(formula, bmx.load_dataset(data), **options)


@cache
def estimate(case: str) -> bmx.Estimate:
    return model(case).estimate()


@cache
def posterior(case: str) -> bmx.Posterior:
    return model(case).sample(seed=1, progress=False)


@cache
def few_draws(case: str) -> bmx.Posterior:
    return model(case).sample(draws=200, seed=1, progress=False)


# ---- estimates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MODELS)
def test_coefficients_and_standard_errors_are_rs(case: str) -> None:
    fit, expected = estimate(case), REFERENCE[case]
    assert fit.converged
    errors = np.array(expected["se"])
    table = fit.parameters().loc[list(fit.design.fixed)]
    np.testing.assert_allclose((table["estimate"] - expected["estimate"]) / errors, 0.0, atol=10 * CLOSE)
    # glm's standard errors of a link that is not canonical use expected information, ours the observed one
    np.testing.assert_allclose(table["std_error"] / errors, 1.0, atol=0.02 if case == "probit" else 20 * CLOSE)


@pytest.mark.parametrize("case", LINEAR)
def test_a_linear_model_has_exact_t_tests(case: str) -> None:
    fit, expected = estimate(case), REFERENCE[case]
    table = fit.satterthwaite()
    np.testing.assert_allclose(table["df"], expected["df"], rtol=1e-6)
    np.testing.assert_allclose(table["p"], expected["p"], rtol=1e-4)  # of 1e-87, whose logarithm is good to 1e-7
    assert float(fit.values.dispersion) == pytest.approx(expected["sigma"], rel=1e-9)
    assert fit.loglik == pytest.approx(expected["reml"], rel=1e-9)
    limits = fit.confint(method="satterthwaite")
    np.testing.assert_allclose(limits[["lower", "upper"]], expected["limits"], rtol=1e-7)
    by_ml = model(case).estimate("ml")
    assert by_ml.loglik == pytest.approx(expected["loglik"], rel=1e-9)
    assert by_ml.aic == pytest.approx(expected["aic"], rel=1e-9)


@pytest.mark.parametrize("case", [case for case in MODELS if case not in LINEAR])
def test_a_generalized_model_has_its_exact_likelihood(case: str) -> None:
    fit, expected = estimate(case), REFERENCE[case]
    assert fit.loglik == pytest.approx(expected["loglik"], rel=1e-9)
    assert fit.aic == pytest.approx(expected["aic"], rel=1e-9)
    assert fit.method == "ML"
    if "limits" in expected:
        limits = fit.confint()[["lower", "upper"]].to_numpy()
        errors = np.array(expected["se"])[:, None]
        np.testing.assert_allclose((limits - expected["limits"]) / errors, 0.0, atol=LIMIT * 10)


def test_a_linear_model_is_nested_in_its_mixed_model() -> None:
    """lme4 1.1-31: anova(lmer(Reaction ~ Days + (1 | Subject), REML = FALSE), lm(Reaction ~ Days))."""
    mixed = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    table = bmx.anova(mixed, estimate("lm"))
    assert list(table["npar"]) == [3, 4]
    assert table["chisq"].iloc[1] == pytest.approx(106.214413351, rel=1e-7)
    assert table["p_value"].iloc[1] == pytest.approx(6.61735945828e-25, rel=1e-5)


# ---- posteriors -------------------------------------------------------------------------------------------------


def test_the_posterior_of_a_linear_model_under_flat_priors_is_students() -> None:
    """Flat on beta and sigma: RSS / sigma^2 is chi-squared with n - p - 1 degrees of freedom."""
    data = bmx.load_dataset("sleepstudy").head(12)
    flat = bmx.Model("Reaction ~ Days", data, priors="flat").sample(seed=3, progress=False)
    X, y = flat.design.X, flat.design.y
    beta, rss, *_ = np.linalg.lstsq(X, y, rcond=None)
    df = len(y) - X.shape[1] - 1
    scale = np.sqrt(rss[0] / df * np.diagonal(np.linalg.inv(X.T @ X)))
    probabilities = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
    table = flat.parameters()
    ess = float(table[["ess_bulk", "ess_tail"]].min().min())
    for name, exact in [
        ("Intercept", stats.t(df, beta[0], scale[0])),
        ("Days", stats.t(df, beta[1], scale[1])),
        ("sigma", stats.invgamma(0.5 * df, scale=0.5 * rss[0])),
    ]:
        draws = (
            flat.data["posterior"][name].to_numpy() if name == "sigma" else flat.values.beta[..., int(name == "Days")]
        )
        reached = exact.cdf(np.quantile(draws**2 if name == "sigma" else draws, probabilities))
        error = np.sqrt(probabilities * (1.0 - probabilities) / ess)
        assert np.all(np.abs(reached - probabilities) < 4.0 * error), name


def _on_grid(fit: bmx.Posterior, width: float = 7.0, points: int = 241) -> np.ndarray:
    """Means and standard deviations of two fixed effects, by summing likelihood and priors over a grid."""
    y, x = fit.design.y, fit.design.X[:, 1]
    axes = [m + width * s * np.linspace(-1.0, 1.0, points) for m, s in zip(*_moments(fit), strict=True)]
    intercept, slope = np.meshgrid(*axes, indexing="ij")
    eta = intercept[..., None] + slope[..., None] * x
    logs = np.sum(y * eta - np.exp(eta), axis=-1)
    prior = fit.priors.fixed
    gamma = np.stack([intercept, slope], axis=-1) @ fit.priors.contrast.T
    logs += prior[0].log_density(gamma[..., 0]) + prior[1].log_density(gamma[..., 1])
    mass = np.exp(logs - logs.max())
    mass /= mass.sum()
    means = [float(np.sum(mass * value)) for value in (intercept, slope)]
    sds = [float(np.sqrt(np.sum(mass * (value - m) ** 2))) for value, m in zip((intercept, slope), means, strict=True)]
    return np.array([means, sds])


def _moments(fit: bmx.Posterior) -> tuple[np.ndarray, np.ndarray]:
    return fit.values.beta.mean(axis=(0, 1)), fit.values.beta.std(axis=(0, 1))


@pytest.mark.parametrize("priors", [None, {"x": "Cauchy(0, 0.2)"}, "flat"])
def test_the_posterior_of_a_poisson_model_is_that_of_a_grid(priors: Any) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=15)
    data = {"x": x, "y": rng.poisson(np.exp(0.3 + 0.4 * x))}
    fit = bmx.Model("y ~ x", data, "poisson", priors=priors).sample(seed=4, progress=False)
    assert fit.converged
    exact, found = _on_grid(fit), np.array(_moments(fit))
    error = exact[1] / np.sqrt(float(fit.parameters()["ess_bulk"].min()))
    np.testing.assert_array_less(np.abs(found - exact), np.broadcast_to(4.0 * error, (2, 2)))


@pytest.mark.slow
def test_nuts_samples_a_model_without_random_effects() -> None:
    exact = posterior("lm").parameters()
    found = model("lm").sample(seed=1, method="nuts", progress=False)
    table = found.parameters()
    assert found.converged
    error = exact["sd"] * np.sqrt(1.0 / table["ess_bulk"] + 1.0 / exact["ess_bulk"])
    np.testing.assert_array_less(np.abs(table["mean"] - exact["mean"]), 4.0 * error)


# ---- every verb -------------------------------------------------------------------------------------------------

VERBS = ("summary", "parameters", "tidy", "fixef", "varcorr", "r2", "icc", "simulate", "diagnose", "predict")


@pytest.mark.parametrize("case", ["lm", "poisson", "negbinomial"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers(case: str, verb: str) -> None:
    for fit in (estimate(case), few_draws(case)):
        text = str(getattr(fit, verb)())
        assert text
        assert "mixed" not in text
        assert "Group" not in text.replace("Groups   ", "")
        assert "Laplace" not in text


@pytest.mark.parametrize("case", ["lm", "poisson"])
def test_predictions_do_not_depend_on_the_scope(case: str) -> None:
    """The rows' mean and its standard error, by the textbook's formulas, whatever becomes of groups that are none."""
    fit = estimate(case)
    tables = [fit.predict(kind="linear", groups=groups) for groups in ("fitted", "new", "average", "zero")]
    X = fit.design.X
    np.testing.assert_allclose(tables[0]["estimate"], X @ fit.values.beta, rtol=1e-12)
    error = np.sqrt(np.einsum("np,pq,nq->n", X, fit.vcov.to_numpy(), X))
    for table in tables:
        np.testing.assert_allclose(table["estimate"], tables[0]["estimate"], rtol=1e-9)
        np.testing.assert_allclose(table["std_error"], error, rtol=1e-6)


@pytest.mark.parametrize("case", ["lm", "poisson"])
def test_an_estimate_and_its_posterior_are_compared_with_causes(case: str) -> None:
    found = bmx.compare(posterior(case), estimate(case), causes=True)
    total = found.steps.sum(axis=1)
    method = estimate(case).method
    np.testing.assert_allclose(total, found.table["mean"] - found.table[method], atol=1e-9)
    assert "Laplace" not in str(found)


def test_whether_the_group_is_needed() -> None:
    """elpd by loo: sleepstudy's subjects are."""
    mixed = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy"))
    table = bmx.loo_compare({"with": mixed.sample(seed=1, progress=False), "without": posterior("lm")})
    assert list(table.index) == ["with", "without"]
    assert float(table["elpd_diff"].abs().max()) > 30.0


def test_a_fit_is_saved_and_loaded(tmp_path: Path) -> None:
    for fit in (estimate("poisson"), posterior("lm")):
        fit.save(tmp_path / "fit.zarr", overwrite=True)
        np.testing.assert_array_equal(bmx.load(tmp_path / "fit.zarr").values.beta, fit.values.beta)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: estimate("lm").influence(),
        lambda: posterior("lm").logo(),
        lambda: bmx.pooling(estimate("lm")),
        lambda: bmx.plots.caterpillar(estimate("lm")),
        lambda: bmx.plots.shrinkage(estimate("lm")),
    ],
)
def test_what_needs_levels_says_that_there_are_none(ask: Any) -> None:
    with pytest.raises(bmx.SpecError, match="has no random effects, and so no levels"):
        ask()


def test_a_model_of_nothing_is_refused() -> None:
    with pytest.raises(bmx.SpecError, match=r"neither fixed nor random effects.*Intercept"):
        bmx.Model("Reaction ~ 0", bmx.load_dataset("sleepstudy"))


def test_the_summary_of_a_linear_regression_says_that_its_tests_are_exact() -> None:
    first, *_ = str(estimate("lm").summary()).splitlines()
    assert first == "Linear model fit by REML. t-tests are exact, on n - p degrees of freedom"
