"""Gaussian responses with correlated residuals: estimate, predictions, criticism and tables, against dense normals.

With random effects on the means alone the whole model is one normal distribution of the stacked responses (the long
format of one stacked model); without them its likelihood, profiles included, has a closed form.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from breadth import frame
from conftest import around
from distributional import estimate_of, model_of, posterior_of
from scipy import stats

import bayesmix as bmx
from bayesmix.data.design.subset import as_new
from bayesmix.errors import ConvergenceWarning, SpecError
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.names import covariance
from bayesmix.inference.parameters.natural_scale import reported, reported_jacobian, residual_columns
from bayesmix.language.priors.joint import log_lkj
from bayesmix.results.criticism.new_level_density import log_density
from bayesmix.results.fits.linear_predictor import flatten, linear_predictor, number_names
from bayesmix.results.prediction.simulation import replicated
from bayesmix.studies.prior_simulation import draw_parameters

CASE = "two_gaussian_rescor"
NAMES = {3: ["rescor(a, b)", "rescor(a, c)", "rescor(b, c)"]}


@cache
def data_of_three():
    rng, n = np.random.default_rng(6), 60
    x, g = rng.normal(size=n), np.arange(n) % 12
    noise = rng.normal(size=(n, 3)) @ np.linalg.cholesky([[1.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 1.0]]).T
    effects = rng.normal(size=(12, 2))[g]
    data: dict[str, object] = {"x": x, "g": [f"g{j}" for j in g], "w": rng.uniform(0.5, 2.0, n)}
    data |= {"a": 1.0 + x + effects[:, 0] + noise[:, 0], "b": effects[:, 1] - x + 0.5 * noise[:, 1]}
    data["c"] = 2.0 * noise[:, 2]
    return data


@cache
def three():
    """Three responses with prior weights, two of them with effects of groups."""
    return bmx.Model(["a ~ x + (1 |p| g)", "b ~ x + (1 |p| g)", "c ~ x"], data_of_three(), rescor=True, weights="w")


@cache
def estimate_of_three():
    return three().estimate()


FITTED = [
    pytest.param(lambda: estimate_of(CASE), id="two"),
    pytest.param(estimate_of_three, id="three, weights", marks=pytest.mark.slow),
]


@cache
def regressions():
    """Two regressions on the same columns without groups; the correlation of their residuals."""
    data = frame("responses")
    fit = bmx.Model(["a ~ x", "b ~ x"], data, rescor=True).estimate()
    X = np.stack([np.ones(len(data)), data["x"]], axis=1)
    y = data[["a", "b"]].to_numpy()
    residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return fit, float(np.corrcoef(residuals.T)[0, 1]), len(data)


# ---- the estimate ------------------------------------------------------------------------------------------------


def dense_parts(design, table, values):
    """Columns of the means, covariance and the stacked responses."""
    sigmas = [table[name] for name in design.layout.prefixes[1 : 2 * len(design.outcomes) : 2]]
    corr = Free(len(sigmas)).matrix(np.array([v for name, v in table.items() if name.startswith("rescor(")]))
    k, n = len(sigmas), design.n
    noise = np.diag(1.0 / design.outcomes[0].weights)
    V = np.einsum("jk,mn->jmkn", corr * np.outer(sigmas, sigmas), noise).reshape(k * n, k * n)
    own = np.concatenate([np.arange(n) + 2 * r * n for r in range(k)])
    for term, sd, matrix in zip(design.terms, values.sd, values.corr, strict=True):
        same = term.codes[own][:, None] == term.codes[own]
        V += same * (term.z[own] @ covariance(sd, matrix) @ term.z[own].T)
    return design.X[own], V, np.concatenate([outcome.y for outcome in design.outcomes])


def dense_deviance(design, table, values):
    """Minus twice the log density of the stacked responses of a fit, parameters by their names."""
    X, V, y = dense_parts(design, table, values)
    beta = np.array([table[name] if name in design.layout.coefficients else 0.0 for name in design.fixed])
    return -2.0 * stats.multivariate_normal(X @ beta, V).logpdf(y)


@pytest.mark.parametrize("fitted", FITTED)
def test_the_likelihood_is_that_of_one_stacked_model(fitted):
    """And the estimate its maximum in every direction of sigmas and correlations."""
    fit = fitted()
    table = fit.parameters()["estimate"].to_dict()
    lowest = dense_deviance(fit.design, table, fit.values)
    assert fit.criterion == pytest.approx(lowest, rel=1e-10)
    for name in number_names(fit.design):
        moved = [dense_deviance(fit.design, table | {name: table[name] + h}, fit.values) for h in (-1e-3, 1e-3)]
        slope, curve = (moved[1] - moved[0]) / 2e-3, (moved[1] + moved[0] - 2.0 * lowest) / 1e-6
        assert abs(slope / curve) < 1e-4 * fit.parameters()["std_error"][name], name


def dense_restricted(design, table, values):
    """Minus twice the log of the likelihood's integral over the coefficients."""
    X, V, y = dense_parts(design, table, values)
    X = X[:, [name in design.layout.coefficients for name in design.fixed]]
    A = X.T @ np.linalg.solve(V, X)
    left = y - X @ np.linalg.solve(A, X.T @ np.linalg.solve(V, y))
    total = np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + left @ np.linalg.solve(V, left)
    return total + (len(y) - X.shape[1]) * np.log(2.0 * np.pi)


def test_restricted_likelihoods_are_that_of_one_stacked_model():
    fit = model_of(CASE).estimate("reml")
    table = fit.parameters()["estimate"].to_dict()
    lowest = dense_restricted(fit.design, table, fit.values)
    assert fit.criterion == pytest.approx(lowest, rel=1e-10)
    for name in number_names(fit.design):
        moved = [dense_restricted(fit.design, table | {name: table[name] + h}, fit.values) for h in (-1e-3, 1e-3)]
        slope, curve = (moved[1] - moved[0]) / 2e-3, (moved[1] + moved[0] - 2.0 * lowest) / 1e-6
        assert abs(slope / curve) < 1e-4 * fit.parameters()["std_error"][name], name


@pytest.mark.filterwarnings("ignore::bayesmix.errors.ConvergenceWarning")
def test_residuals_that_follow_from_others_are_named():
    data = frame("responses").head(40)
    fit = bmx.Model(["a ~ x", "c ~ x"], data.assign(c=-data["a"]), rescor=True).estimate()
    (problem,) = fit.problems
    assert problem.startswith("Correlations of the residuals of `a`, `c` run off")
    assert not fit.converged


def test_regressions_have_the_correlation_of_their_residuals():
    fit, r, n = regressions()
    table = fit.parameters().loc["rescor(a, b)"]
    assert table["estimate"] == pytest.approx(r, rel=1e-7)
    assert table["std_error"] == pytest.approx((1.0 - r**2) / np.sqrt(n), rel=1e-5)


def test_profiles_are_those_of_the_closed_form():
    """Sigmas and coefficients at their best, the likelihood at rho is ``(sqrt(1 - rho^2) / (1 - rho r))^n``."""
    fit, r, n = regressions()
    for limit in fit.confint(["rescor(a, b)"]).loc["rescor(a, b)"]:
        rise = -2.0 * n * np.log(np.sqrt((1.0 - limit**2) * (1.0 - r**2)) / (1.0 - limit * r))
        assert rise == pytest.approx(stats.chi2(1).ppf(0.95), rel=1e-5)
    near, error = np.log1p(r) - np.log1p(-r), 2.0 / np.sqrt(n)
    ends = near + np.array([-1.0, 1.0]) * stats.norm.ppf(0.975) * error
    wald = fit.confint(["rescor(a, b)"], method="wald").loc["rescor(a, b)"]
    np.testing.assert_allclose(wald, 2.0 / (1.0 + np.exp(-ends)) - 1.0, rtol=1e-5)


def test_profiles_of_numbers_are_on_their_own_scale():
    """``n log sigma^2 + rss / sigma^2`` of a response by itself."""
    data = frame("responses")
    fit = bmx.Model(["a ~ x", "b ~ x"], data).estimate()
    best, n = fit.parameters()["estimate"]["sigma_a"], len(data)
    for limit in fit.confint(["sigma_a"]).loc["sigma_a"]:
        rise = n * (np.log(limit**2 / best**2) + best**2 / limit**2 - 1.0)
        assert rise == pytest.approx(stats.chi2(1).ppf(0.95), rel=1e-5)


@pytest.mark.slow
def test_correlations_beside_the_first_response_have_wald_intervals():
    fit, (*_, last) = estimate_of_three(), NAMES[3]
    with pytest.warns(ConvergenceWarning, match="searched along"):
        assert fit.confint([last]).isna().all(axis=None)
    found = fit.parameters().loc[last]
    limits = np.arctanh(fit.confint([last], method="wald").loc[last])
    assert limits.mean() == pytest.approx(np.arctanh(found["estimate"]))
    half = stats.norm.ppf(0.975) * found["std_error"] / (1.0 - found["estimate"] ** 2)
    assert np.ptp(limits) == pytest.approx(2.0 * half)


# ---- priors ------------------------------------------------------------------------------------------------------


def test_the_prior_is_lkj_of_the_matrix():
    model = bmx.Model(three().spec.text, data_of_three(), rescor=True, priors={"rescor": "LKJ(2.5)"})
    layout, own = model.design.layout, residual_columns(model.design.layout)
    beta = np.random.default_rng(1).normal(size=len(layout.fixed))
    total = sum(float(model.priors.fixed[j].log_density(beta[j])) for j in own)
    corr = Free(3).matrix(reported(layout, beta)[own])
    jacobian = np.linalg.slogdet(reported_jacobian(layout, beta)[np.ix_(own, own)])[1]
    assert total == pytest.approx(float(log_lkj(corr, 2.5)) + jacobian, rel=1e-12)
    assert ("rescor", "LKJ(2.5)") in [(name, str(prior)) for name, prior, _ in model.priors.rows()]


@pytest.mark.parametrize(
    ("priors", "says"),
    [
        ({"rescor": "Normal(0, 1)"}, "LKJ prior"),
        ({"rescor(a, b)": "LKJ(2)"}, "one prior together"),
        ({"sigma_a": "Beta(1, 1)"}, "is positive"),
    ],
)
def test_priors_that_do_not_fit_are_refused(priors, says):
    with pytest.raises(SpecError, match=says):
        bmx.Model(["a ~ x", "b ~ x"], frame("responses"), rescor=True, priors=priors).priors  # noqa: B018


def test_priors_are_drawn_from():
    """LKJ(1): each of three correlations has ``(1 + r) / 2 ~ Beta(3 / 2, 3 / 2)``."""
    model, rng = three(), np.random.default_rng(9)
    drawn = np.array([draw_parameters(model.priors, model.design, rng).beta for _ in range(400)])
    own = reported(model.design.layout, drawn)[:, residual_columns(model.design.layout)]
    for r in own.T:
        assert stats.kstest(0.5 * (1.0 + r), stats.beta(1.5, 1.5).cdf).pvalue > 0.01


# ---- predictions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted", FITTED)
def test_responses_of_one_seed_are_drawn_together(fitted):
    fit, n = fitted(), 400
    many = around(fit, three(), chains=1, draws=n, spread=0.0)
    y = replicated(fit.spec, fit.design, many.values, groups="fitted", seed=3)
    eta = linear_predictor(fit.design.X, fit.design.offset, fit.design.terms, fit.values)
    k = len(y)
    mean, sigma = (eta.reshape(fit.design.R, -1)[s : 2 * k : 2] for s in (0, 1))
    scaled = (np.stack(y) - mean[:, None, None]) / np.exp(sigma)[:, None, None]
    scaled *= np.sqrt(fit.design.weights)
    found = np.corrcoef(scaled.reshape(k, -1))
    expected = Free(k).matrix(reported(fit.design.layout, fit.values.beta)[residual_columns(fit.design.layout)])
    np.testing.assert_allclose(found, expected, atol=4.5 / np.sqrt(n * fit.design.n))
    np.testing.assert_allclose(scaled.std(axis=(1, 2, 3)), 1.0, atol=4.5 / np.sqrt(2.0 * n * fit.design.n))


# ---- criticism ---------------------------------------------------------------------------------------------------


def test_a_rows_density_is_that_of_all_its_responses():
    post = posterior_of(CASE)
    found, at = post.log_likelihood(), (1, 17)
    one = [values[at] for values in (post.values.beta, post.values.b[0])]
    eta = post.design.X @ one[0] + np.sum(post.design.terms[0].z * one[1][post.design.terms[0].codes], axis=1)
    eta = eta.reshape(5, -1)
    rho = float(post.data["posterior"]["rescor(a, b)"].to_numpy()[at])
    y = np.stack([outcome.y for outcome in post.design.outcomes])
    scaled = (y - eta[[0, 2]]) / np.exp(eta[[1, 3]])
    expected = stats.multivariate_normal(np.zeros(2), [[1.0, rho], [rho, 1.0]]).logpdf(scaled.T) - eta[[1, 3]].sum(0)
    np.testing.assert_allclose(found[at], expected, rtol=1e-10)


def test_new_levels_are_integrated_out_exactly():
    """The rows of one group, coded as new: one normal distribution."""
    fit = estimate_of(CASE)
    design, values = fit.design, fit.values
    rows = design.terms[0].codes[: design.n] == 4
    part = as_new(design, rows, "g")
    table = fit.parameters()["estimate"].to_dict()
    own = design.take(rows)
    expected = -0.5 * dense_deviance(own, table, values)
    assert float(log_density(fit.spec, part, values)) == pytest.approx(expected, rel=1e-10)


# ---- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [estimate_of, posterior_of], ids=["estimate", "posterior"])
def test_tables_have_a_line_of_the_correlation(made):
    fit = made(CASE)
    assert fit.names[fit.design.R + 1] == "rescor(a, b)"  # two slopes more than predictors
    value = fit.parameters().loc["rescor(a, b)"].iloc[0]
    line, *_ = [line for line in str(fit.summary()).splitlines() if line.startswith("rescor(a, b)")]
    assert float(line.split()[2]) == pytest.approx(value, abs=1e-3)
    row = fit.tidy(["ran_pars"]).set_index("term").loc["rescor(a, b)"]
    assert row["estimate"] == pytest.approx(value)
    assert row[["component", "response", "group"]].isna().all()


def test_the_models_text_says_so():
    text = str(model_of(CASE))
    assert "residuals of a row are correlated: rescor(a, b)" in text
    assert "rescor" in text.split("Priors")[1]


# ---- the two samplers --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_two_samplers_agree(seed):
    """Means, standard deviations and quantiles of every parameter within Monte Carlo error."""
    from arviz import mcse

    model = model_of("two_gaussian_rescor_sigma")
    posts = [model.sample(seed=seed, method=method, progress=False) for method in ("marginal", "nuts")]
    assert [post.method for post in posts] == ["marginal", "nuts"]
    assert posts[0].draws.certificate["pareto_k"] < 0.5
    draws = [flatten(post.design, post.values) for post in posts]
    for post in posts:
        assert not post.problems
    for j, name in enumerate(posts[0].names):
        pairs = []
        for own in draws:
            x = own[..., j]
            errors = [mcse(x, method="mean"), mcse(x, method="sd")]
            errors += [mcse(x, method="quantile", prob=q) for q in (0.025, 0.5, 0.975)]
            pairs.append((np.array([x.mean(), x.std(), *np.quantile(x, (0.025, 0.5, 0.975))]), np.array(errors, float)))
        (first, e1), (second, e2) = pairs
        assert np.all(np.abs(first - second) < 4.5 * np.hypot(e1, e2)), name


def test_posteriors_are_those_of_quadrature():
    """Regressions under flat coefficients: ``|S|^(-(n - p) / 2) exp(-tr(S^-1 R) / 2)`` times the priors on a grid."""
    data, chains = frame("responses").head(40), 2
    priors = {"preset": "flat", "sigma_a": "Exponential(1)", "sigma_b": "Exponential(1)", "rescor": "LKJ(2)"}
    model = bmx.Model(["a ~ x", "b ~ x"], data, rescor=True, priors=priors)
    post = model.sample(seed=1, chains=chains, method="marginal", progress=False)
    X = np.stack([np.ones(len(data)), data["x"]], axis=1)
    y = data[["a", "b"]].to_numpy()
    left = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    R, m = left.T @ left, len(data) - 2
    a, b, r = np.meshgrid(np.linspace(0.4, 2.5, 60), np.linspace(0.3, 2.0, 60), np.linspace(-0.95, 0.95, 121))
    trace = (R[0, 0] / a**2 + R[1, 1] / b**2 - 2.0 * r * R[0, 1] / (a * b)) / (1.0 - r**2)
    log = -m * np.log(a * b) - 0.5 * m * np.log1p(-(r**2)) - 0.5 * trace - a - b + np.log1p(-(r**2))
    weight = np.exp(log - log.max())
    for name, at in {"sigma_a": a, "sigma_b": b, "rescor(a, b)": r}.items():
        mean = np.average(at, weights=weight)
        sd = np.sqrt(np.average((at - mean) ** 2, weights=weight))
        found = post.parameters().loc[name]
        assert abs(found["mean"] - mean) < 4.5 * sd / np.sqrt(found["ess_bulk"]), name
        assert found["sd"] == pytest.approx(sd, rel=4.5 / np.sqrt(2.0 * min(found["ess_bulk"], found["ess_tail"]))), (
            name
        )
