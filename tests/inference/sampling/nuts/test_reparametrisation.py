"""Coordinates of effects against their conditional distributions with dense matrices; typical sizes under priors."""

from __future__ import annotations

import numpy as np
import pytest
from dense import indicator
from scipy import stats

import bayesmix as bmx
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.nuts.reparametrisation import inside, reparametrise, typical
from bayesmix.language.priors.prior import parse_prior

EXACT = {"rtol": 1e-6, "atol": 1e-8}


@pytest.fixture(scope="module")
def nested():
    """Rows in cups in bowls in shelves, unequal numbers in each, and a factor that crosses all of them."""
    rng = np.random.default_rng(5)
    cup = np.sort(np.r_[np.arange(36), rng.integers(0, 36, 84)])
    bowl, shelf, day = cup // 3, cup // 9, rng.integers(0, 6, len(cup))
    x = rng.normal(size=len(cup))
    y = 1.0 + 0.5 * x + rng.normal(0.0, 0.7, len(cup))
    for codes, sd in ((cup, 0.8), (bowl, 1.0), (shelf, 1.2), (day, 0.6)):
        y += rng.normal(0.0, sd, 40)[codes]
    data = {"y": y, "x": x, "cup": cup, "bowl": bowl, "shelf": shelf, "day": day}
    return bmx.Model("y ~ x + (1 | cup) + (1 | bowl) + (1 | shelf) + (1 | day)", data).estimate()


# term -> terms that it is nested in, terms that are integrated out of its levels
NESTED = {
    "cup": (["bowl", "shelf"], []),
    "bowl": (["shelf"], ["cup"]),
    "shelf": ([], ["cup", "bowl", "day"]),
    "day": ([], ["cup", "bowl", "shelf"]),
}


@pytest.mark.parametrize("group", NESTED)
def test_levels_are_looked_at_given_what_holds_them_with_the_rest_integrated_out(nested, group):
    """Given fixed effects and holders, precision ``Z' M^-1 Z + 1 / sd^2`` with M the covariance of the rest."""
    design, point = nested.design, nested.point
    priors = resolve(nested.spec, design)
    found = reparametrise(design, nested.spec, priors, point)
    at = {term.group: t for t, term in enumerate(design.terms)}
    Z = [indicator(term.codes, term.z, len(term.levels)) for term in design.terms]
    holders, others = ([at[name] for name in names] for names in NESTED[group])
    M = point.dispersion**2 * np.eye(design.n)
    for s in others:
        M = M + point.covariances[s][0, 0] * Z[s] @ Z[s].T
    t, own = at[group], found.terms[at[group]]
    variance = point.covariances[t][0, 0]
    pulled = np.linalg.solve(M, Z[t])  # M^-1 Z
    joint = np.linalg.inv(Z[t].T @ pulled + np.eye(Z[t].shape[1]) / variance)
    precision = 1.0 / np.diagonal(joint)
    np.testing.assert_allclose(own.information[:, 0, 0], precision - 1.0 / variance, **EXACT)
    assert [parent.term for parent in own.parents] == sorted(holders)
    for parent in own.parents:
        members = Z[t].T @ Z[parent.term] > 0.0
        np.testing.assert_array_equal(parent.index, members.argmax(axis=1))
    # the mean is the conditional mode where fixed effects and holders are as estimated; what a change of them takes
    taken = sum(parent.slope[:, 0, 0] * point.b[parent.term][parent.index, 0] for parent in own.parents)
    np.testing.assert_allclose(own.score[:, 0] - taken, precision * point.b[t][:, 0], **EXACT)
    by_fixed = precision[:, None] * (joint @ pulled.T @ design.X)
    np.testing.assert_allclose(own.slope[:, 0], by_fixed, **EXACT)
    for parent in own.parents:
        whole = precision[:, None] * (joint @ pulled.T @ Z[parent.term])
        rows = np.arange(len(whole))
        np.testing.assert_allclose(parent.slope[:, 0, 0], whole[rows, parent.index], **EXACT)


@pytest.mark.parametrize(
    ("text", "median"),
    [
        ("HalfNormal(2)", stats.halfnorm(scale=2.0).median()),
        ("HalfStudentT(3, 5)", 5.0 * stats.t(3).ppf(0.75)),
        ("Exponential(0.01)", stats.expon(scale=100.0).median()),
        ("Gamma(2, 50)", stats.gamma(2.0, scale=0.02).median()),
        ("LogNormal(3, 0.5)", np.exp(3.0)),
        ("Uniform(0, 8)", 4.0),
        ("Flat()", 1.0),
    ],
)
def test_typical_sizes_are_medians(text, median):
    assert typical([parse_prior(text)])[0] == pytest.approx(median, rel=0.02)  # a grid of 125 points a decade


def test_typical_sizes_relative_to_the_dispersion():
    np.testing.assert_allclose(typical([parse_prior("Decov(1, 1, 2.5)")], 4.0), [10.0])


def test_values_outside_a_priors_support_are_moved_into_its_middle():
    priors = [parse_prior(text) for text in ("Uniform(2, 6)", "Uniform(2, 6)", "HalfNormal(1)", "HalfNormal(1)")]
    median = float(stats.halfnorm.median())
    np.testing.assert_allclose(inside(priors, np.array([7.0, 5.0, -1.0, 0.3])), [4.0, 5.0, median, 0.3], rtol=0.02)
