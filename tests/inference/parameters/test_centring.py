"""Default priors where numeric columns are at their means: adding a number to a predictor changes intercepts only."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import expon
from several_predictors import DATA as ROWS
from several_predictors import made, priors_of

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.centring import at_means, centring, log_jacobian, places, to_means, to_zero
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import log_prior, resolve
from bayesmix.inference.sampling.prior_conflict import conflicts
from bayesmix.studies.prior_simulation import draw_parameters

EXACT = 1e-12
SHIFTED = 1e-5  # means of draws of a shifted twin, relative: the draws are the same up to rounding at 1 000 sds
ERRORS = 4.0  # standard errors of Monte Carlo within which two means agree

SLEEP = bmx.load_dataset("sleepstudy")
DAYS = SLEEP["Days"].to_numpy()
SPREAD = float(DAYS.std(ddof=1))

RNG = np.random.default_rng(20)
N = 120
GROUP = RNG.integers(0, 10, N)
X, W = RNG.normal(1.0, 2.0, N), RNG.normal(-3.0, 0.5, N)
LINES = RNG.normal(size=(10, 2)) * [0.5, 0.2]
DATA = {
    "x": X,
    "w": W,
    "c": np.full(N, 3.0),
    "centred": X - X.mean(),
    "f": RNG.choice(list("abc"), N),
    "yes": RNG.choice([True, False], N),
    "dose": RNG.choice([0.0, 1.0], N),  # a number, whatever it looks like
    "g": [f"g{j}" for j in GROUP],
    "y": 2.0 + 0.3 * X + RNG.normal(0.0, 1.0, N),
    "count": RNG.poisson(np.exp(0.5 + 0.1 * X + LINES[GROUP, 0] + LINES[GROUP, 1] * X)),
}


def term(formula, data=None):
    return bmx.Model(formula, DATA if data is None else data).design.terms[0]


# ---- which columns are centred ---------------------------------------------------------------------------------------

F = DATA["f"]
CENTRED = {
    "(x | g)": {"x": X.mean()},
    "(x + w | g)": {"x": X.mean(), "w": W.mean()},
    "(dose | g)": {"dose": np.mean(DATA["dose"])},
    "(x + I(x^2) + x:w | g)": {"x": X.mean(), "I(x^2)": np.mean(X**2), "x:w": np.mean(X * W)},
    "(f + x | g)": {"x": X.mean()},
    "(x * f | g)": {"x": X.mean()},
    "(yes + w | g)": {"w": W.mean()},
    "(f | g)": {},
    "(x:f | g)": {},
    "(centred | g)": {},
    "(poly(x, 2) | g)": {},
    "(0 + x | g)": {},
    "(0 + x + w | g)": {},
    "(0 + f + x | g)": {},
    "(x || g)": {},
    "diag(x + w | g)": {},
    "cs(x | g)": {},
    "ar1(0 + f | g)": {},
    "(1 | g)": {},
}


@pytest.mark.parametrize("bar", CENTRED)
def test_numeric_columns_of_a_term_with_an_intercept_are_centred(bar):
    model = bmx.Model(f"y ~ 1 + {bar}", DATA)
    found = model.design.terms[0]
    expected = np.eye(len(found.effects))
    for effect, mean in CENTRED[bar].items():
        expected[0, found.effects.index(effect)] = mean
    np.testing.assert_allclose(centring(found), expected, rtol=EXACT, atol=1e-15)
    (inner,) = at_means(model.design, [centring(found)]).terms[:1]
    np.testing.assert_allclose(inner.z, found.z @ np.linalg.inv(expected), rtol=1e-9, atol=1e-12)


def test_constant_columns_are_left():
    with pytest.warns(bmx.DroppedWarning):
        found = term("y ~ x + c + (x + c | g)")
    np.testing.assert_allclose(centring(found)[0], [1.0, X.mean(), 0.0], rtol=EXACT)


def test_zero_and_means_are_inverse_and_the_predictor_stays():
    model = bmx.Model("y ~ x + (x + w | g)", DATA)
    changes = [centring(one) for one in model.design.terms]
    values = draw_parameters(model.priors, model.design, np.random.default_rng(1))
    back = to_zero(to_means(values, changes), changes)
    for first, second in ((values.sd, back.sd), (values.corr, back.corr), (values.b, back.b)):
        np.testing.assert_allclose(first[0], second[0], rtol=1e-9)
    (outer,), (inner,) = model.design.terms, at_means(model.design, changes).terms
    there = to_means(values, changes).b[0]
    np.testing.assert_allclose((outer.z * values.b[0][outer.codes]).sum(1), (inner.z * there[inner.codes]).sum(1))


# ---- which priors are stated where -----------------------------------------------------------------------------------

AT_MEANS = [
    {},
    {"sd(g, x)": "HalfNormal(1)"},
    {"sigma": "HalfNormal(1)"},
    "flat",
    {"sd(g, Intercept(centred))": "HalfNormal(1)"},
    {"sd(g, Intercept(centred))": "HalfNormal(1)", "corr": "LKJ(1)"},
    {"preset": "brms", "sd(g, Intercept(centred))": "HalfNormal(1)"},
]
ZERO = [
    {"sd(g, Intercept)": "HalfNormal(1)"},
    {"sd(g)": "HalfNormal(1)"},
    {"sd": "HalfNormal(1)"},
    {"corr(g)": "LKJ(1)"},
    {"corr": "LKJ(1)"},
    "brms",
    "rstanarm",
    "bambi",
]


@pytest.mark.parametrize("given", AT_MEANS, ids=str)
def test_priors_are_stated_at_the_means(given):
    found = bmx.Model("y ~ x + (x | g)", DATA, priors=given).priors
    assert found.sd_names == (("sd(g, Intercept(centred))", "sd(g, x)"),)
    np.testing.assert_allclose(found.changes[0], [[1.0, X.mean()], [0.0, 1.0]], rtol=EXACT)
    rows = {name: says for name, _, says in found.rows()}
    assert rows["sd(g, Intercept(centred))"].endswith(f" at x = {X.mean():.6g}")
    assert rows["corr(g)"].endswith(f" at x = {X.mean():.6g}")
    assert " at " not in rows["sd(g, x)"]


@pytest.mark.parametrize("given", ZERO, ids=str)
def test_a_prior_that_touches_the_intercept_is_meant_at_zero(given):
    found = bmx.Model("y ~ x + (x | g)", DATA, priors=given).priors
    assert found.sd_names == (("sd(g, Intercept)", "sd(g, x)"),)
    np.testing.assert_array_equal(found.changes[0], np.eye(2))
    assert " at x" not in str(found)


def test_one_standard_deviation_has_one_prior():
    twice = {"sd(g, Intercept)": "HalfNormal(1)", "sd(g, Intercept(centred))": "HalfNormal(2)"}
    with pytest.raises(SpecError, match="are two priors for one standard deviation"):
        _ = bmx.Model("y ~ x + (x | g)", DATA, priors=twice).priors


def test_the_name_of_the_centred_one_works_where_there_is_nothing_to_centre():
    given = {"sd(g, Intercept(centred))": "HalfNormal(2)"}
    found = bmx.Model("y ~ centred + (centred | g)", DATA, priors=given).priors
    assert str(found.sd[0][0]) == "HalfNormal(2)"


# ---- densities -------------------------------------------------------------------------------------------------------


def values_at(sd, rho):
    corr = np.array([[1.0, rho], [rho, 1.0]])
    return Parameters(np.zeros(2), (np.asarray(sd, float),), (corr,), (), np.asarray(1.0))


def test_the_density_of_draws_is_that_of_the_spread_at_the_mean():
    model = bmx.Model("y ~ x + (x | g)", DATA)
    s_y, m = np.std(DATA["y"], ddof=1), X.mean()
    sd, rho = (1.3, 0.7), -0.4
    there = np.sqrt(sd[0] ** 2 + 2.0 * m * rho * sd[0] * sd[1] + (m * sd[1]) ** 2)
    r = (rho * sd[0] + m * sd[1]) / there
    found = log_prior(model.priors, model.design, values_at(sd, rho))
    assert found["sd_g"] == pytest.approx(
        expon(scale=s_y).logpdf(there) + expon(scale=s_y / X.std(ddof=1)).logpdf(sd[1])
    )
    assert found["corr_g"] == pytest.approx(np.log(0.75 * (1.0 - r**2)))  # LKJ(2) of two effects


def test_the_jacobian_is_the_derivative_of_the_change():
    model = bmx.Model("y ~ x + (x + w | g)", DATA)
    changes = model.priors.changes
    values = draw_parameters(model.priors, model.design, np.random.default_rng(3))
    rows, columns = np.tril_indices(3, -1)

    def unpacked(v):
        corr = np.eye(3)
        corr[rows, columns] = corr[columns, rows] = v[3:]
        return Parameters(np.zeros(0), (v[:3],), (corr,), (), None)

    def there(v):
        moved = to_means(unpacked(v), changes)
        return np.concatenate([moved.sd[0], moved.corr[0][rows, columns]])

    v = np.concatenate([values.sd[0], values.corr[0][rows, columns]])
    slope = np.array([(there(v + h) - there(v - h)) / 2e-6 for h in 1e-6 * np.eye(6)])
    assert log_jacobian(unpacked(v), changes) == pytest.approx(np.linalg.slogdet(slope)[1], abs=1e-5)


def test_draws_of_the_prior_have_the_default_where_it_is_stated():
    data = DATA | {"x": X + 1e4}
    model = bmx.Model("y ~ x + (x | g)", data)
    rng = np.random.default_rng(2)
    drawn = [to_means(draw_parameters(model.priors, model.design, rng), model.priors.changes) for _ in range(400)]
    sd = np.array([one.sd[0] for one in drawn])
    rates = [prior.arguments[0] for prior in model.priors.sd[0]]
    np.testing.assert_allclose(sd.mean(axis=0) * rates, 1.0, atol=4.0 / 20.0)
    b = np.array([one.b[0] / one.sd[0] for one in drawn])
    np.testing.assert_allclose(b.std(axis=(0, 1)), 1.0, atol=0.05)


# ---- twins -----------------------------------------------------------------------------------------------------------


def draws_of(post):
    """Everything that a shift leaves: slopes, spreads where the columns are at their means, sigma, effects there."""
    there = to_means(post.values, [centring(one) for one in post.design.terms])
    numbers = [there.beta[..., 1:], *there.sd, *(corr[..., 1, :1] for corr in there.corr)]
    if there.dispersion is not None:
        numbers.append(there.dispersion[..., None])
    numbers.append(there.b[0].reshape(*there.lead, -1))
    return np.concatenate(numbers, axis=-1)


@cache
def sleep(shift, *, method="auto", draws=400):
    model = bmx.Model("Reaction ~ x + (x | Subject)", SLEEP.assign(x=DAYS + shift * SPREAD))
    return model.sample(draws=draws, chains=2, seed=4, method=method, progress=False)


@cache
def counts(shift, *, method="auto", draws=300):
    model = bmx.Model("count ~ x + (x | g)", DATA | {"x": X + shift * X.std()}, family="poisson")
    return model.sample(draws=draws, chains=2, seed=4, method=method, progress=False)


@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_a_shifted_predictor_has_the_same_posterior(shift):
    plain, shifted = draws_of(sleep(0.0)), draws_of(sleep(shift))
    assert sleep(shift).method == "marginal"
    np.testing.assert_allclose(shifted.mean(axis=(0, 1)), plain.mean(axis=(0, 1)), rtol=SHIFTED, atol=SHIFTED)
    np.testing.assert_allclose(shifted.std(axis=(0, 1)), plain.std(axis=(0, 1)), rtol=SHIFTED, atol=SHIFTED)


def test_a_shifted_predictor_has_the_same_evidence_and_prior_density():
    assert sleep(1000.0).log_evidence[0] == pytest.approx(sleep(0.0).log_evidence[0], abs=1e-6)
    found, plain = (log_prior(post.priors, post.design, post.values) for post in (sleep(1000.0), sleep(0.0)))
    for name, values in plain.items():
        np.testing.assert_allclose(found[name].mean(), values.mean(), rtol=SHIFTED)


def test_years_have_the_posterior_of_years_since_2000():
    """REML is invariant: the slopes' sd is 2163, sigma 25.6; with the prior at year zero they were 0.016 and 31.2."""
    model = bmx.Model("Reaction ~ yr + (yr | Subject)", SLEEP.assign(yr=2000.0 + DAYS / 365.25))
    mean = model.sample(draws=400, chains=2, seed=1, progress=False).parameters()["mean"]
    plain = sleep(0.0).parameters()["mean"]
    assert mean["sd(Subject, yr)"] == pytest.approx(365.25 * plain["sd(Subject, x)"], rel=0.04)
    assert mean["sigma"] == pytest.approx(plain["sigma"], rel=0.01)


def within_error(first, second):
    import arviz_stats as az

    one, two = draws_of(first), draws_of(second)
    error = np.array([np.hypot(*(az.mcse(d[..., j]) for d in (one, two))) for j in range(one.shape[-1])])
    np.testing.assert_array_less(np.abs(one.mean(axis=(0, 1)) - two.mean(axis=(0, 1))), ERRORS * error)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_shifted_counts_have_the_same_posterior(shift):
    within_error(counts(0.0), counts(shift))


@pytest.mark.slow
@pytest.mark.parametrize("of", [sleep, counts])
def test_shifted_predictors_are_nothing_to_nuts(of):
    within_error(of(0.0), of(1000.0, method="nuts"))


# ---- priors at zero far from the data --------------------------------------------------------------------------------

YEARS = SLEEP.assign(yr=2000.0 + DAYS / 365.25)


def far_off(given):
    model = bmx.Model("Reaction ~ yr + (yr | Subject)", YEARS, priors=given)
    with pytest.warns(bmx.PriorWarning, match="is stated where predictors are zero, far from the data") as told:
        post = model.sample(draws=400, chains=2, seed=1, method="marginal", progress=False)
    assert 'priors={..., "sd(Subject, Intercept(centred))": ' in str(told[0].message)
    assert str(told[0].message) in post.draws.notes
    assert told[0].filename == __file__
    assert post.draws.certificate["pareto_k"] < 0.7
    # slopes have no room: sigma is that of the model without them
    expected = bmx.Model("Reaction ~ Days + (1 | Subject)", SLEEP).estimate().values.dispersion
    assert post.parameters().loc["sigma", "mean"] == pytest.approx(float(expected), rel=0.03)
    return model, post


def test_a_prior_at_zero_far_from_the_data_is_named_and_sampled():
    model, _ = far_off({"sd(Subject, Intercept)": "HalfNormal(50)"})
    table = model.prior_table()
    assert "zero is far: the estimate is 37.5 at yr = 2000.01" in table.loc["sd(Subject, Intercept)", "says"]


@pytest.mark.slow
@pytest.mark.parametrize("given", ["brms", {"corr": "LKJ(1)"}], ids=str)
def test_presets_at_zero_far_from_the_data_are_diagnosed(given):
    _, post = far_off(given)
    found = post.diagnose().findings
    assert any("far from the data" in finding.text for finding in found)
    (small,) = (finding.text for finding in found if finding.topic == "Group SDs")
    assert "sd(Subject, yr) in " in small  # 0.02 a year is nothing in ten days, whatever it is in 2 000 years


@pytest.mark.parametrize(
    "given", [None, "flat", {"sd(Subject, Intercept)": "HalfFlat"}, {"sd(Subject)": "HalfNormal(1e7)"}]
)
def test_nothing_is_said_of_priors_that_leave_room(given):
    model = bmx.Model("Reaction ~ yr + (yr | Subject)", YEARS, priors=given)
    assert not conflicts(model.priors, model.design, model.estimate().point.covariances)


def test_nothing_is_said_near_zero():
    for preset in ("brms", "rstanarm", "bambi"):
        model = bmx.Model("Reaction ~ Days + (Days | Subject)", SLEEP, priors=preset)
        assert not conflicts(model.priors, model.design, model.estimate().point.covariances)


@pytest.mark.slow
def test_years_are_compared_with_their_estimate():
    model = bmx.Model("Reaction ~ yr + (yr | Subject)", YEARS)
    found = bmx.compare(model.sample(draws=400, chains=2, seed=1, progress=False), model.estimate())
    plain = bmx.Model("Reaction ~ x + (x | Subject)", SLEEP.assign(x=DAYS / 365.25))
    expected = bmx.compare(plain.sample(draws=400, chains=2, seed=1, progress=False), plain.estimate())
    for ours, theirs in (("sigma", "sigma"), ("sd(Subject, yr)", "sd(Subject, x)"), ("yr", "x")):
        np.testing.assert_allclose(found.steps.loc[ours], expected.steps.loc[theirs], rtol=1e-3, atol=1e-3)


# ---- several linear predictors ---------------------------------------------------------------------------------------

SHARED = ["y ~ x + w + (x | p | g) + (w | h)", "sigma ~ w + x + (w + x | p | g) + (x | h)"]
M_X, M_W = float(ROWS["x"].mean()), float(ROWS["w"].mean())


def test_each_predictors_intercept_takes_in_the_means_of_its_own_columns():
    _, design = made(SHARED)
    term, prefixes = design.terms[0], design.layout.prefixes
    assert term.effects == ("Intercept", "x", "sigma_Intercept", "sigma_w", "sigma_x")
    change = centring(term, prefixes)
    expected = np.eye(5)
    expected[0, 1], expected[2, 3], expected[2, 4] = M_X, M_W, M_X
    np.testing.assert_allclose(change, expected, rtol=EXACT)
    assert places(term, change, prefixes) == (f"x = {M_X:.6g}", "", f"w = {M_W:.6g}, x = {M_X:.6g}", "", "")
    inner = at_means(design, [centring(one, prefixes) for one in design.terms])
    moved = inner.terms[0]
    assert moved.effects == ("Intercept(centred)", "x", "sigma_Intercept(centred)", "sigma_w", "sigma_x")
    np.testing.assert_allclose(moved.z, term.z @ np.linalg.inv(expected), rtol=1e-9, atol=1e-12)
    for r, columns in enumerate(([0, 1], [2, 3, 4])):
        own = moved.z[design.block(r)]
        np.testing.assert_allclose(own[:, columns[1:]].mean(axis=0), 0.0, atol=1e-12)
        assert not np.any(np.delete(own, columns, axis=1))


def test_priors_of_shared_effects_say_where_they_are_stated():
    found = priors_of(SHARED)
    rows = {name: says for name, _, says in found.rows() if "(g" in name}
    at = f"w = {M_W:.6g}, x = {M_X:.6g}"
    assert list(rows) == [
        "sd(g, Intercept(centred))",
        "sd(g, x)",
        "sd(g, sigma_Intercept(centred))",
        "sd(g, sigma_w)",
        "sd(g, sigma_x)",
        "corr(g)",
    ]
    assert rows["sd(g, Intercept(centred))"].endswith(f" y at x = {M_X:.6g}")
    assert rows["sd(g, sigma_Intercept(centred))"] == f"95 % below 3 (a factor of 20) at {at}"
    assert rows["corr(g)"].endswith(f" at x = {M_X:.6g}; {at}")


@pytest.mark.parametrize(
    ("given", "moved"),  # predictors whose intercept stays centred
    [
        ({"sd(g, Intercept)": "HalfNormal(1)"}, [2]),
        ({"sd(g, sigma_Intercept)": "HalfNormal(1)"}, [0]),
        ({"sd(g, sigma_Intercept(centred))": "HalfNormal(1)", "corr": "LKJ(1)"}, [2]),
        ({"corr(g)": "LKJ(1)"}, []),
        ("brms", []),
        ("flat", [0, 2]),
    ],
)
def test_a_prior_at_zero_leaves_its_own_intercept_there(given, moved):
    change = priors_of(SHARED, priors=given).changes[0]
    assert list(np.flatnonzero(np.any(change != np.eye(5), axis=1))) == moved


def test_a_shift_changes_nothing_that_priors_are_stated_on():
    """Priors are the same, and so are the linear predictors of the same values where the priors are stated."""
    spec, plain = made(SHARED)
    _, shifted = made(SHARED, data=ROWS.assign(x=ROWS["x"] + 1000.0 * ROWS["x"].std(), w=ROWS["w"] - 30.0))
    first, second = resolve(spec, plain), resolve(spec, shifted)
    assert (first.names, first.sd_names) == (second.names, second.sd_names)
    for one, other in zip((*first.fixed, *sum(first.sd, ())), (*second.fixed, *sum(second.sd, ())), strict=True):
        assert one.kind == other.kind
        np.testing.assert_allclose(one.arguments, other.arguments, rtol=1e-9)
    drawn = draw_parameters(first, plain, np.random.default_rng(4))
    gamma, there = first.contrast @ drawn.beta, to_means(drawn, first.changes)
    zero = to_zero(there, second.changes)
    beta = np.linalg.solve(second.contrast, gamma)
    total = [
        design.X @ b + sum((term.z * own[term.codes]).sum(axis=1) for term, own in zip(design.terms, bs, strict=True))
        for design, b, bs in ((plain, drawn.beta, drawn.b), (shifted, beta, zero.b))
    ]
    np.testing.assert_allclose(total[1], total[0], rtol=1e-8, atol=1e-8 * np.abs(total[0]).max())


def test_the_jacobian_of_shared_effects_is_the_derivative_of_the_change():
    spec, design = made(["y ~ x + (x | p | g)", "sigma ~ 1 + (x | p | g)"], data=ROWS.assign(x=ROWS["x"] - 49.0))
    priors = resolve(spec, design)
    values = draw_parameters(priors, design, np.random.default_rng(3))
    rows, columns = np.tril_indices(4, -1)

    def unpacked(v):
        corr = np.eye(4)
        corr[rows, columns] = corr[columns, rows] = v[4:]
        return Parameters(np.zeros(0), (v[:4],), (corr,), (), None)

    def there(v):
        moved = to_means(unpacked(v), priors.changes)
        return np.concatenate([moved.sd[0], moved.corr[0][rows, columns]])

    v = np.concatenate([values.sd[0], values.corr[0][rows, columns]])
    steps = 1e-6 * np.diag(np.where(np.arange(10) < 4, np.maximum(v, 1e-3), 1.0))
    slope = np.array([(there(v + h) - there(v - h)) / (2.0 * h.sum()) for h in steps])
    assert log_jacobian(unpacked(v), priors.changes) == pytest.approx(np.linalg.slogdet(slope)[1], abs=1e-4)


def test_a_prior_of_sigmas_effects_at_zero_far_from_the_data_is_named():
    spec, design = made(
        ["Reaction ~ yr + (1 | p | Subject)", "sigma ~ yr + (yr | p | Subject)"],
        priors={"sd(Subject, sigma_Intercept)": "HalfNormal(1)"},
        data=YEARS,
    )
    priors, back = resolve(spec, design), np.eye(3)
    back[1, 2] = -float(YEARS["yr"].mean())
    covariance = back @ np.diag([30.0, 0.4, 20.0]) ** 2 @ back.T  # at year zero
    (found,) = conflicts(priors, design, [covariance])
    assert (found.name, found.place) == ("sd(Subject, sigma_Intercept)", "yr = 2000.01")
    assert found.centred == pytest.approx(0.4, rel=1e-6)
    assert found.estimate == pytest.approx(20.0 * 2000.01, rel=1e-3)
    assert '"sd(Subject, sigma_Intercept(centred))": "HalfNormal(1)"' in found.advice
    assert not conflicts(resolve(*made(spec.text.split("; "), data=YEARS)), design, [covariance])


@pytest.mark.slow
def test_a_shifted_predictor_of_mean_and_sigma_has_the_same_posterior():
    formulas = ["Reaction ~ x + (x | p | Subject)", "sigma ~ x + (1 | p | Subject)"]
    posts = []
    for shift in (0.0, 1000.0):
        model = bmx.Model(formulas, SLEEP.assign(x=DAYS + shift * SPREAD))
        posts.append(model.sample(draws=200, chains=2, seed=4, method="marginal", progress=False))
    changes = [post.priors.changes for post in posts]
    there = [to_means(post.values, change) for post, change in zip(posts, changes, strict=True)]
    for first, second in zip(there[0].sd + there[0].corr, there[1].sd + there[1].corr, strict=True):
        np.testing.assert_allclose(second.mean(axis=(0, 1)), first.mean(axis=(0, 1)), rtol=1e-3, atol=1e-3)
    gammas = [post.values.beta @ post.priors.contrast.T for post in posts]
    np.testing.assert_allclose(gammas[1].mean(axis=(0, 1)), gammas[0].mean(axis=(0, 1)), rtol=1e-3, atol=1e-3)
