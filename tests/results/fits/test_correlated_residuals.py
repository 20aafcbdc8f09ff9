import numpy as np
import pytest
from residuals import REFERENCE, dense, fitted
from scipy.stats import multivariate_normal, norm

from bayesmix.errors import SpecError
from bayesmix.results.fits.correlated_residuals import correlated_noise, log_density_given_others, log_joint_density
from bayesmix.results.fits.linear_predictor import linear_predictor

CASES = ["orthodont_unstr", "trial_unstr", "trial_cosy_strata", "trial_ar2"]


@pytest.mark.parametrize("case", ["orthodont_unstr", "orthodont_ar_strata", "orthodont_arma"])
def test_normalized_and_pearson_residuals_are_those_of_nlme(case):
    fit = fitted(case)
    for kind in ("normalized", "pearson"):
        np.testing.assert_allclose(fit.residuals(kind)[:12], REFERENCE[case][kind], atol=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_normalized_residuals_are_those_of_each_row_given_the_rows_before(case):
    """nlme takes those of data that are not sorted by block in another order: here by the dense Cholesky factor."""
    fit = fitted(case)
    blocks = fit.design.data.blocks
    order = np.lexsort((blocks.place, blocks.block))
    expected = np.linalg.solve(np.linalg.cholesky(dense(fit)[np.ix_(order, order)]), fit.residuals().to_numpy()[order])
    np.testing.assert_allclose(fit.residuals("normalized").to_numpy()[order], expected, atol=1e-10)


def test_models_without_a_structure_have_no_normalized_residuals():
    import bayesmix as bmx
    from bayesmix.data.datasets import load_dataset

    fit = bmx.Model("Reaction ~ Days", load_dataset("sleepstudy")).estimate()
    with pytest.raises(SpecError, match="pearson"):
        fit.residuals("normalized")


@pytest.mark.parametrize("case", CASES)
def test_density_given_others_is_that_of_the_dense_conditional(case):
    fit = fitted(case)
    design, V = fit.design, dense(fit)
    eta = linear_predictor(design.X, design.offset, design.terms, fit.values)
    found = log_density_given_others(design, fit.spec, fit.values, eta)
    r = design.y - eta[: design.n]
    for i in (0, 7, design.n - 1):
        others = np.arange(design.n) != i
        slope = np.linalg.solve(V[np.ix_(others, others)], V[others, i])
        expected = norm.logpdf(r[i], slope @ r[others], np.sqrt(V[i, i] - slope @ V[others, i]))
        assert found[i] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_joint_density_is_that_of_the_dense_matrix(case):
    fit = fitted(case)
    design = fit.design
    eta = linear_predictor(design.X, design.offset, design.terms, fit.values)
    found = log_joint_density(design, fit.spec, fit.values, eta)
    expected = multivariate_normal.logpdf(design.y - eta[: design.n], cov=dense(fit))
    assert found == pytest.approx(expected, abs=1e-8)


def test_simulated_responses_have_the_covariance():
    fit = fitted("trial_unstr")
    design = fit.design
    beta = np.broadcast_to(fit.values.beta, (4000, len(fit.values.beta)))
    noise = correlated_noise(design.data.blocks, beta, 1)
    V = dense(fit)
    sd = np.sqrt(np.diagonal(V))
    np.testing.assert_allclose(np.corrcoef(noise.T), V / np.outer(sd, sd), atol=0.09)
    simulated = fit.simulate(400, seed=1).to_numpy() - fit.fitted().to_numpy()[:, None]
    rows = np.flatnonzero(design.data.blocks.block == 0)
    np.testing.assert_allclose(np.cov(simulated[rows]), V[np.ix_(rows, rows)], rtol=0.3, atol=1.2)


def test_new_rows_have_no_structure_to_simulate():
    from residuals import data

    with pytest.raises(SpecError, match="Leave newdata out"):
        fitted("trial_unstr").simulate(2, newdata=data("trial"))
