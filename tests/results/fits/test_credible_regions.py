"""Credible regions of draws whose distribution is known, and of a posterior beside the F test of its estimate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.credible_regions import contour, rope_columns, simultaneous_limits

DRAWS = 40_000
EACH = 0.5 * (1.0 + 0.95 ** (1.0 / 3.0))  # of three independent intervals that hold together


def normal(size=3, seed=1):
    return np.random.default_rng(seed).normal(size=(DRAWS, size))


def test_independent_quantities_have_sidaks_intervals():
    lower, upper = simultaneous_limits(normal() * [1.0, 2.0, 5.0] + [0.0, 1.0, 9.0], np.zeros(3, int), 0.95)
    reach = stats.norm.ppf(EACH)
    np.testing.assert_allclose(upper, reach * np.array([1.0, 2.0, 5.0]) + [0.0, 1.0, 9.0], atol=0.25)
    np.testing.assert_allclose(lower, -reach * np.array([1.0, 2.0, 5.0]) + [0.0, 1.0, 9.0], atol=0.25)


def test_they_hold_together_as_often_as_they_say():
    """Skewed and correlated draws, of which a second sample is covered."""
    first, second = (np.exp(normal(4, seed) @ np.array(np.triu(np.ones((4, 4))))) for seed in (2, 3))
    lower, upper = simultaneous_limits(first, np.zeros(4, int), 0.9)
    held = np.mean(np.all((lower <= second) & (second <= upper), axis=1))
    assert held == pytest.approx(0.9, abs=4.0 * np.sqrt(2.0 * 0.09 / DRAWS) + 1e-3)


def test_one_quantity_and_copies_of_it_have_the_ordinary_interval():
    draws = normal(1)
    expected = np.quantile(draws, [0.025, 0.975])
    for copies in (1, 3):
        found = simultaneous_limits(np.tile(draws, copies), np.zeros(copies, int), 0.95)
        np.testing.assert_allclose(np.array(found), np.tile(expected[:, None], copies), atol=1e-3)


def test_families_are_apart_and_constants_say_nothing():
    draws = normal(4)
    draws[:, 3] = 7.0
    lower, upper = simultaneous_limits(draws, np.array([0, 0, 1, 1]), 0.95)
    apart, _ = simultaneous_limits(draws[:, :2], np.zeros(2, int), 0.95)
    np.testing.assert_array_equal(lower[:2], apart)
    assert (lower[3], upper[3]) == (7.0, 7.0)
    assert lower[2] == pytest.approx(np.quantile(draws[:, 2], 0.025), abs=1e-3)


def test_practical_equivalence_by_definition():
    draws = np.column_stack([np.linspace(-1.0, 1.0, 201), np.linspace(-0.05, 0.05, 201), np.linspace(2.0, 3.0, 201)])
    limits = draws.min(axis=0), draws.max(axis=0)
    found = rope_columns(draws, limits, (-0.105, 0.105))
    np.testing.assert_allclose(found["in_rope"], [21 / 201, 1.0, 0.0])
    assert found["decision"].tolist() == ["undecided", "accepted", "rejected"]
    assert rope_columns(draws, limits, None) == {}


def test_the_content_of_a_normal_contour_is_a_chi_square():
    root = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [-2.0, 1.0, 0.3]])
    shift = np.array([1.0, 0.5, -1.0])
    found = contour(normal() @ root.T + shift)
    distance = float(shift @ np.linalg.solve(root @ root.T, shift))
    assert found.rank == 3
    assert found.distance == pytest.approx(np.sqrt(distance), rel=0.02)
    assert found.content == pytest.approx(stats.chi2.cdf(distance, 3), abs=0.01)


def test_that_of_a_t_is_an_f():
    """The posterior of normal coefficients under flat priors: the classical F test."""
    rng = np.random.default_rng(5)
    draws = normal(2) / np.sqrt(rng.chisquare(6, (DRAWS, 1)) / 6) + [1.0, 1.5]
    assert contour(draws).content == pytest.approx(stats.f.cdf((1.0 + 1.5**2) / 2, 2, 6), abs=0.01)


def test_redundant_equalities_say_nothing_and_units_do_not_matter():
    draws = normal(2) + np.array([1.0, 2.0])
    both = np.column_stack([draws, draws[:, 0] - draws[:, 1]])
    assert contour(both).rank == 2
    assert contour(both).content == pytest.approx(contour(draws).content, abs=1e-9)
    assert contour(draws * [1e-9, 1e9]).content == pytest.approx(contour(draws).content, abs=1e-9)
    with pytest.raises(SpecError, match="contradict each other"):
        contour(np.column_stack([draws, draws[:, 0] - draws[:, 1] + 5.0]))


# ---- of fits ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cake():
    return bmx.Model("angle ~ recipe + temp + (1 | recipe:replicate)", bmx.load_dataset("cake"))


@pytest.fixture(scope="module")
def post(cake):
    return cake.sample(draws=2000, chains=4, seed=1, method="marginal", progress=False)


def test_several_equalities_are_judged_as_by_the_f_test(cake, post):
    texts = ["recipeB = 0", "recipeC = 0"]
    found = post.hypothesis(*texts, joint=True).iloc[0]
    expected = cake.estimate().hypothesis(*texts, joint=True)["p_value"].iloc[0]
    assert found["rank"] == 2
    assert 1.0 - found["content"] == pytest.approx(expected, abs=0.05)  # priors are weak, not flat
    assert post.hypothesis("temp = 0", "recipeB = recipeC", joint=True)["content"].iloc[0] == 1.0
    with pytest.raises(SpecError, match="contradict each other"):
        post.hypothesis("temp = 0", "temp = 1", joint=True)
    with pytest.raises(SpecError, match="tests equalities"):
        post.hypothesis("temp > 0", joint=True)


def test_intervals_of_contrasts_that_hold_together(post):
    alone, together = post.contrasts("recipe"), post.contrasts("recipe", adjust="simultaneous")
    width = (together["upper"] - together["lower"]) / (alone["upper"] - alone["lower"])
    assert width.between(1.1, 1.35).all()  # Tukey's 2.37 of three means over 1.98
    assert "simultaneous" in together.attrs["adjustment"]
    b, c = (post.values.beta[..., post.design.fixed.index(f"recipe{level}")].ravel() for level in "BC")
    draws = np.column_stack([b, c, c - b])
    inside = (draws >= together["lower"].to_numpy()) & (draws <= together["upper"].to_numpy())
    assert np.mean(np.all(inside, axis=1)) == pytest.approx(0.95, abs=0.002)
    texts = ["recipeB = 0", "recipeC = 0", "recipeC = recipeB"]
    same = post.hypothesis(*texts, adjust="simultaneous")
    np.testing.assert_allclose(same[["lower", "upper"]], together[["lower", "upper"]], rtol=1e-9)
    with pytest.raises(SpecError, match='adjust="simultaneous"'):
        post.contrasts("recipe", adjust="tukey")


def test_practical_equivalence_of_effects(cake, post):
    found = post.hypothesis("temp = 0", "temp > 0.15", rope=(-0.1, 0.1))
    temp = post.values.beta[..., post.design.fixed.index("temp")]
    np.testing.assert_allclose(found["in_rope"], [np.mean(abs(temp) <= 0.1), np.mean(abs(temp - 0.15) <= 0.1)])
    assert found["decision"].tolist() == ["rejected", "accepted"]
    slope = post.slopes("temp", rope=(0.0, 1.0)).iloc[0]
    assert (slope["in_rope"], slope["decision"]) == (1.0, "accepted")
    assert "in_rope" in post.marginal_means("recipe", rope=(30.0, 34.0))
    for rope in ((0.1, -0.1), 0.1, (0.0, np.inf), ("a", "b")):
        with pytest.raises(SpecError, match="two numbers"):
            post.contrasts("recipe", rope=rope)
    with pytest.raises(SpecError, match="Of an estimate test both sides"):
        cake.estimate().contrasts("recipe", rope=(-1.0, 1.0))
