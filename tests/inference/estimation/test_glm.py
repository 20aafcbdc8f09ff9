"""Generalized linear models without groups against score and information by `scipy.stats`."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central
from densities import MEAN, response
from generalized import COUNTS, LINKS, log_joint_rows, make

from bayesmix.inference.estimation.glm import fit_glm
from bayesmix.language.families.registry import FAMILIES, find_family, find_link

BERNOULLI = find_family("bernoulli")
LOGIT = find_link(BERNOULLI, None)
STATIONARY = 1e-6  # score in units of its standard deviation: the iterations stop at steps of 1e-7
SCALED = [name for name, family in FAMILIES.items() if family.has_scale]


def fitted(family, link, **options):
    design, _, problem = make(family, link, n=60, **options)
    model = FAMILIES[family], find_link(FAMILIES[family], link)
    return design, problem, fit_glm(design.X, design.y, design.trials, design.weights, design.offset, *model)


def information(design, trials, family, link, glm, dispersion):
    """Expected information ``(p, p)``: ``X' diag(w (dmu / deta)^2 / Var(y / trials)) X``."""
    eta = design.X @ glm.beta + design.offset
    slope = central(lambda shift: MEAN[link](eta + shift[0]), np.zeros(1), 1e-4)[:, 0]
    variance = response(family, MEAN[link](eta), dispersion, trials).var() / trials**2
    return (design.X.T * (design.weights * slope**2 / variance)) @ design.X


@pytest.mark.parametrize(("family", "link"), LINKS)
def test_the_score_is_zero_and_the_covariance_inverse_information(family, link):
    design, _problem, glm = fitted(family, link)
    assert glm.converged

    def rows(beta):
        return log_joint_rows(design, family, link, design.X @ beta + design.offset, glm.dispersion).sum()

    scale = 1.0 if family in SCALED else glm.dispersion
    inverse = np.linalg.inv(information(design, design.trials, family, link, glm, scale))
    spread = 1.0
    if family in SCALED:  # R's dispersion: Pearson's statistic over its degrees of freedom
        mu = MEAN[link](design.X @ glm.beta + design.offset)
        variance = response(family, mu, 1.0, design.trials).var()
        spread = np.sum(design.weights * (design.y - mu) ** 2 / variance) / (60 - 2)
    score = central(rows, glm.beta, 1e-4)
    assert np.all(np.abs(score) < STATIONARY * np.sqrt(np.diagonal(np.linalg.inv(inverse))) + 1e-6)
    np.testing.assert_allclose(glm.beta_cov, inverse * spread, rtol=1e-6)


@pytest.mark.parametrize(("family", "link"), COUNTS)
def test_rows_of_weight_two_are_rows_twice(family, link):
    design, _, _problem = make(family, link, n=40, weighted=False)
    model = FAMILIES[family], find_link(FAMILIES[family], link)
    twice = np.r_[np.arange(40), np.arange(10)]
    weights = 1.0 + (np.arange(40) < 10)
    one = fit_glm(design.X, design.y, design.trials, weights, design.offset, *model)
    other = fit_glm(design.X[twice], design.y[twice], design.trials[twice], np.ones(50), design.offset[twice], *model)
    if FAMILIES[family].dispersion is None:
        np.testing.assert_allclose(one.beta_cov, other.beta_cov, rtol=1e-6)
    if family != "negbinomial":  # whose dispersion by the moments counts rows, not weights
        np.testing.assert_allclose(one.beta, other.beta, rtol=1e-6, atol=1e-7)


def test_an_offset_is_part_of_the_predictor():
    """A constant one moves the intercept by as much, and nothing else."""
    design, _, _problem = make("poisson", "log", n=40, weighted=False)
    model = FAMILIES["poisson"], find_link(FAMILIES["poisson"], "log")
    plain, moved = (
        fit_glm(design.X, design.y, design.trials, design.weights, np.full(40, shift), *model) for shift in (0.0, 0.7)
    )
    np.testing.assert_allclose(moved.beta, plain.beta - [0.7, 0.0], atol=1e-8)
    np.testing.assert_allclose(moved.beta_cov, plain.beta_cov, rtol=1e-6)


@pytest.mark.parametrize(("columns", "says"), [(1, True), (2, False), (3, False)])
def test_a_covariance_needs_rows_to_estimate_it_from(columns, says):
    """Two rows leave one degree of freedom, none, or not even the coefficients."""
    X = np.column_stack([np.ones(2), [0.0, 1.0], [2.0, 3.0]])[:, :columns]
    family = FAMILIES["gaussian"]
    glm = fit_glm(X, np.array([1.0, 2.0]), np.ones(2), np.ones(2), np.zeros(2), family, find_link(family, None))
    assert np.all(np.isfinite(glm.beta_cov)) == says
    assert np.all(np.isnan(glm.beta_cov)) != says
    if says:
        np.testing.assert_allclose(glm.beta_cov, [[0.5 / 2.0]])  # variance 1/2 on one degree of freedom, two rows


def test_a_level_that_is_always_one_does_not_converge():
    """Its linear predictor runs to infinity, and stands still where it is held back."""
    X = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
    fit = fit_glm(
        X, np.array([0, 1, 0, 1, 1, 1, 1, 1.0]), np.ones(8), np.ones(8), np.zeros(8), BERNOULLI, LOGIT, rounds=200
    )
    assert not fit.converged


def test_too_few_rounds_do_not_converge():
    design, _, _problem = make("poisson", "log", n=40)
    model = FAMILIES["poisson"], find_link(FAMILIES["poisson"], "log")
    start = np.full(len(design.y), 3.0)  # an offset far off, so that one round is not enough
    assert not fit_glm(design.X, design.y, design.trials, design.weights, start, *model, rounds=1).converged
    assert fit_glm(design.X, design.y, design.trials, design.weights, start, *model).converged
