"""Degrees of freedom of standard deviations: against the tail of the marginal likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest
from several_predictors import DATA, made

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.marginal.marginal_posterior import marginal_posterior
from bayesmix.inference.sampling.propriety import check_bounded, check_proper, freedom, is_separated


def data(levels, each=6, seed=1):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(levels), each)
    x = rng.normal(size=len(codes))
    between = np.where(codes % 2 == 0, "a", "b")
    y = rng.normal(size=levels)[codes] + x + rng.normal(size=len(codes))
    labels = np.array([f"g{code:02d}" for code in codes])
    return {"g": labels, "x": x, "between": between, "w": rng.normal(size=levels)[codes], "y": y}


CASES = {
    "intercept": ("y ~ x + (1 | g)", 5, [4]),
    "slope": ("y ~ x + (0 + x | g)", 5, [4]),
    "slope without its mean": ("y ~ 1 + (0 + x | g)", 5, [5]),
    "intercept and slope": ("y ~ x + (x | g)", 6, [5, 5]),
    "factor between levels": ("y ~ between + (1 | g)", 6, [4]),
    "two predictors between levels": ("y ~ between + w + (1 | g)", 6, [3]),
    "one standard deviation for both": ("y ~ x + diag(x | g, hom = TRUE)", 6, [10]),
    "two levels": ("y ~ 1 + (1 | g)", 2, [1]),
}


@pytest.mark.parametrize("name", CASES)
def test_freedom_is_the_power_with_which_the_likelihood_falls(name):
    formula, levels, expected = CASES[name]
    model = bmx.Model(formula, data(levels))
    assert list(freedom(model.design, model.spec)[0]) == expected
    flat = bmx.Model(formula, data(levels), priors={"preset": "flat", "sd": "HalfNormal(1)"})
    target = marginal_posterior(flat.design, flat.priors, flat.estimate().point)
    coordinates = target.terms[0]
    for e, power in enumerate(expected):
        sizes = np.array([1e3, 1e4])
        theta = np.zeros((2, target.size))
        for row, size in zip(theta, sizes, strict=True):
            sd = np.full(coordinates.k, 0.5)
            sd[e if len(expected) == coordinates.k else slice(None)] = size
            row[: coordinates.size] = coordinates.pack(np.diag(sd**2))
        values = target.log_likelihood(theta, target.reduce(theta))
        slope = (values[1] - values[0]) / np.log(sizes[1] / sizes[0])
        assert slope == pytest.approx(-power, abs=0.02)


def test_counts_that_are_all_zero_tell_nothing_of_large_effects():
    table = data(6)
    counts = np.random.default_rng(2).poisson(3.0, len(table["y"]))
    counts[:6] = 0
    counts[6:12] = 0
    table["n"] = counts
    model = bmx.Model("n ~ 1 + (1 | g)", table, family="poisson")
    assert list(freedom(model.design, model.spec)[0]) == [3]
    table["hit"] = (counts > 2).astype(float)
    table["hit"][-6:] = 1.0
    model = bmx.Model("hit ~ 1 + (1 | g)", table, family="bernoulli")
    assert list(freedom(model.design, model.spec)[0]) == [2]


def test_many_levels_are_not_counted_exactly():
    model = bmx.Model("y ~ x + (1 | g)", data(40, each=2))
    assert list(freedom(model.design, model.spec)[0]) == [38]


def test_too_few_levels_for_a_flat_prior_are_refused():
    model = bmx.Model("y ~ between + (1 | g)", data(3), priors="flat")
    with pytest.raises(SpecError, match=r"flat prior on sd\(g, Intercept\) with 3 levels, of which 1 tell"):
        model.sample(progress=False)
    proper = bmx.Model("y ~ between + (1 | g)", data(4), priors="flat")
    assert marginal_posterior(proper.design, proper.priors, proper.estimate().point).size == 2


# ---- several linear predictors -----------------------------------------------------------------------------------


def log_marginal_of_sigma(rows, sizes):
    """Log of the likelihood of ``y ~ 1, sigma ~ 1 + (1 | g)`` by quadrature, flat intercepts integrated: per size."""
    mu, v = np.linspace(-4.0, 4.0, 81), np.linspace(-8.0, 12.0, 801)
    square = sum(((rows[:, :, None] - mu) ** 2)[:, i] for i in range(rows.shape[1]))  # (J, mu)
    levels = np.exp(-rows.shape[1] * v - 0.5 * square[..., None] * np.exp(-2.0 * v))  # (J, mu, v)
    found = []
    for size in sizes:
        a = np.linspace(-6.0, 6.0, 121) * size
        kernel = np.exp(-0.5 * ((v[:, None] - a) / size) ** 2) / size
        found.append(np.log(np.sum(np.prod(levels @ kernel, axis=0)) * (a[1] - a[0])))
    return np.array(found)


@pytest.mark.parametrize("J", [3, 5])
def test_levels_tell_of_a_sigma_as_the_likelihood_falls(J):
    rows = np.random.default_rng(3).normal(size=(J, 4))
    values = log_marginal_of_sigma(rows, [1e3, 1e4])
    table = {"y": rows.ravel(), "g": np.repeat([f"g{j}" for j in range(J)], 4)}
    spec, design = made(["y ~ 1", "sigma ~ 1 + (1 | g)"], data=table)
    (found,) = freedom(design, spec)
    assert found == pytest.approx(-(values[1] - values[0]) / np.log(10.0), abs=0.02)


def rows_a_level(each, levels=8):
    rng = np.random.default_rng(5)
    g = np.repeat([f"g{j}" for j in range(levels)], each)
    return {"y": rng.normal(size=len(g)), "x": rng.normal(size=len(g)), "g": g, "h": np.arange(len(g)) % 5}


SATURATED = [  # formulas, rows a level, freedom of the last term's effects
    (["y ~ 1", "sigma ~ 1 + (1 | g)"], 2, [7]),
    (["y ~ 1", "sigma ~ 1 + (1 | g)"], 1, [6]),  # the intercept goes through one row
    (["y ~ x + (1 | g)", "sigma ~ 1 + (1 | g)"], 1, [-1]),  # an effect goes through the row of each level
    (["y ~ 1 + (x | g)", "sigma ~ 1 + (1 | g)"], 2, [-1]),
    (["y ~ 1 + (x | g)", "sigma ~ 1 + (1 | g)"], 3, [6]),
    (["y ~ 1 + (1 | h)", "sigma ~ 1 + (1 | g)"], 3, [5]),  # five crossed effects and the intercept, for three rows each
    (["y ~ 1 + (1 | g)", "sigma ~ 1 + (0 + x | g)"], 8, [8]),
]


@pytest.mark.parametrize(("formulas", "each", "expected"), SATURATED)
def test_levels_whose_rows_the_mean_fits_tell_nothing(formulas, each, expected):
    spec, design = made(formulas, data=rows_a_level(each))
    at = [t for t, term in enumerate(design.terms) if 1 in term.owners]
    assert list(freedom(design, spec)[at[0]]) == expected


@pytest.mark.parametrize(
    ("formulas", "each", "is_proper"),
    [
        (["y ~ 1", "sigma ~ 1 + (1 | g)"], 2, True),
        (["y ~ x + (1 | g)", "sigma ~ 1 + (1 | g)"], 1, False),
        (["y ~ x + (1 | p | g)", "sigma ~ 1 + (1 | p | g)"], 1, False),
    ],
)
def test_flat_standard_deviations_of_sigma_need_levels(formulas, each, is_proper):
    given = {"preset": "default", "sd": "HalfFlat"}
    spec, design = made(formulas, priors=given, data=rows_a_level(each))
    if is_proper:
        check_proper(design, spec, resolve(spec, design))
        return
    with pytest.raises(SpecError, match=r"flat prior on sd\(g, sigma_Intercept\) with 8 levels, of which 0 tell"):
        check_proper(design, spec, resolve(spec, design))


def test_a_shape_without_end_has_no_flat_standard_deviation():
    spec, design = made(["count ~ x + (1 | g)", "shape ~ 1 + (1 | h)"], "negbinomial", "flat")
    assert list(freedom(design, spec)[0]) == [5]
    assert freedom(design, spec)[1][0] < 0
    with pytest.raises(SpecError, match=r"flat prior on sd\(h, shape_Intercept\)"):
        check_proper(design, spec, resolve(spec, design))


def test_each_response_counts_by_itself():
    spec, design = made(["y ~ x + (x | p | g)", "count ~ f + (1 | p | g)"], {"y": "gaussian", "count": "poisson"})
    alone = [made("y ~ x + (x | g)"), made("count ~ f + (1 | g)", "poisson")]
    expected = np.concatenate([freedom(design, spec)[0] for spec, design in alone])
    np.testing.assert_array_equal(freedom(design, spec)[0], expected)


def log_marginal_of_cell(rows, sigma):
    """Log of the likelihood of ``y ~ x``, flat coefficients integrated, where the last rows have another sigma."""
    rng = np.random.default_rng(8)
    X = np.column_stack([np.ones(12), rng.normal(size=12)])
    y, sd = rng.normal(size=12), np.ones(12)
    sd[12 - rows :] = sigma
    A, b = X / sd[:, None], y / sd
    rest = b - A @ np.linalg.lstsq(A, b, rcond=None)[0]
    return -np.log(sd).sum() - 0.5 * np.linalg.slogdet(A.T @ A)[1] - 0.5 * rest @ rest


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_cell_of_sigma_whose_rows_the_mean_fits_has_no_flat_prior(rows):
    falls = log_marginal_of_cell(rows, 1e-3) - log_marginal_of_cell(rows, 1e-2) < -10.0
    rng = np.random.default_rng(8)
    f = ["a"] * (12 - rows) + ["b"] * rows
    table = {"x": rng.normal(size=12), "y": rng.normal(size=12), "f": f}
    spec, design = made(["y ~ x", "sigma ~ f"], priors="flat", data=table)
    if falls:
        check_bounded(design, spec, resolve(spec, design))
        return
    with pytest.raises(SpecError, match=r"Flat priors on sigma_Intercept, sigma_fb .* all rows of `y`"):
        check_bounded(design, spec, resolve(spec, design))


SHAPES = {  # formulas, preset: whether the posterior is proper
    ("shape ~ x", "flat"): False,  # a Poisson response is the limit
    ("shape ~ x", "brms"): True,  # slopes alone take some rows there, and others to the other end
    ("shape ~ x", "default"): True,
}


@pytest.mark.parametrize(("formula", "preset"), SHAPES)
def test_a_flat_shape_has_no_end(formula, preset):
    spec, design = made(["count ~ x", formula], "negbinomial", preset)
    if SHAPES[formula, preset]:
        check_bounded(design, spec, resolve(spec, design))
        return
    with pytest.raises(SpecError, match="family poisson is the limit of negbinomial"):
        check_bounded(design, spec, resolve(spec, design))


def test_zero_inflation_and_overdispersion_end_at_zero():
    """On the scale of a logit nothing ends; a flat prior of phi itself does."""
    spec, design = made(["count ~ x", "zi ~ x"], "zero_inflated_poisson", "flat")
    with pytest.raises(SpecError, match="family poisson is the limit of zero_inflated_poisson"):
        check_bounded(design, spec, resolve(spec, design))
    for formula, family in (("count ~ x", "nbinom1"), ("count ~ x", "zero_inflated_nbinom1")):
        spec, design = made(formula, family, "flat")
        check_bounded(design, spec, resolve(spec, design))
    spec, design = made(["count ~ x", "phi ~ 1"], "nbinom1", "flat")
    with pytest.raises(SpecError, match="family poisson is the limit of nbinom1"):
        check_bounded(design, spec, resolve(spec, design))


@pytest.mark.parametrize("formulas", ["count ~ x", ["count ~ x", "y ~ 1"]])
def test_a_flat_shape_of_all_rows_has_none_either(formulas):
    families = "negbinomial" if isinstance(formulas, str) else {"count": "negbinomial", "y": "gaussian"}
    name = "shape" if isinstance(formulas, str) else "shape_count"
    spec, design = made(formulas, families, {"preset": "flat"})
    with pytest.raises(SpecError, match=f"Flat priors on {name} leave the posterior improper"):
        check_bounded(design, spec, resolve(spec, design))
    spec, design = made(formulas, families, {"preset": "flat", name: "Gamma(2, 0.1)"})
    check_bounded(design, spec, resolve(spec, design))


def test_the_response_that_is_separated_is_named():
    data = DATA.assign(hit=(DATA["x"] > 50.0).astype(float))
    spec, design = made(["y ~ x", "hit ~ x"], {"y": "gaussian", "hit": "bernoulli"}, "flat", data)
    with pytest.raises(SpecError, match=r"Flat priors on hit_Intercept, hit_x .* separate the outcomes of `hit`"):
        check_bounded(design, spec, resolve(spec, design))


@pytest.mark.parametrize("J", [4, 7])
def test_two_ordered_categories_are_those_of_binomial(J):
    """The threshold is the intercept; two levels have one category only."""
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(J), 8)
    y = rng.integers(0, 2, len(codes))
    y[codes == 0], y[codes == 1] = 0, 1
    y[codes > 1] = np.tile([0, 1], 4 * (J - 2))
    table = {"y": y, "x": rng.normal(size=len(codes)), "g": [f"g{code}" for code in codes]}
    families = ("binomial", "cumulative", "categorical")
    models = [bmx.Model("y ~ x + (1 | g)", table, family=family) for family in families]
    assert [freedom(model.design, model.spec)[0].tolist() for model in models] == [[J - 3]] * 3


def test_levels_with_one_category_alone_or_without_it_tell_nothing_of_its_score():
    """Five levels less the intercept: of `2` without level a and c, of `3` without b and c and e."""
    y = [1, 1, 3, 1, 2, 1, 1, 1, 1, 3, 2, 1, 2, 2, 1]
    model = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": np.repeat(list("abcde"), 3)}, family="categorical")
    assert [own.tolist() for own in freedom(model.design, model.spec)] == [[2], [1]]


def test_levels_at_one_end_of_an_order_tell_nothing_of_large_effects():
    y = [1, 1, 1, 3, 3, 3, 1, 3, 1, 2, 2, 2, 1, 2, 3]
    model = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": np.repeat(list("abcde"), 3)}, family="cumulative")
    assert freedom(model.design, model.spec)[0].tolist() == [2]


@pytest.mark.parametrize("family", ["cumulative", "sratio", "acat", "categorical"])
def test_flat_priors_of_separated_categories_are_refused(family):
    """A level with one rating only; a proper prior of what runs off is enough where nothing else does."""
    y = np.r_[np.arange(24) % 3, np.full(24, 2)]
    table = {"y": y, "f": np.repeat(["u", "v"], 24), "z": np.cos(np.arange(48.0))}
    flat = bmx.Model("y ~ f + z", table, family=family, priors="flat")
    with pytest.raises(SpecError, match=r"Flat priors on .*fv.* these separate the outcomes of `y`"):
        check_bounded(flat.design, flat.spec, flat.priors)
    assert is_separated(flat.design, flat.spec, flat.design.X)
    named = [name for name in flat.design.fixed if name.endswith("fv")]
    proper = bmx.Model(
        "y ~ f + z", table, family=family, priors={"preset": "flat"} | dict.fromkeys(named, "Normal(0, 2)")
    )
    check_bounded(proper.design, proper.spec, proper.priors)
    other = bmx.Model("y ~ f + z", table | {"f": np.tile(["u", "v"], 24)}, family=family, priors="flat")
    check_bounded(other.design, other.spec, other.priors)
    assert not is_separated(other.design, other.spec, other.design.X)
