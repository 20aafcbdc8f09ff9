import numpy as np
import pytest
from residuals import dense, fitted

from bayesmix.errors import DesignError
from bayesmix.inference.estimation.correlated import correlated_problem
from bayesmix.inference.least_squares import correlated_rows

CASES = ["trial_unstr", "trial_site_unstr", "trial_patient_ar", "orthodont_arma"]


@pytest.mark.parametrize("case", CASES)
def test_cross_products_are_those_of_the_dense_inverse(case):
    fit = fitted(case)
    design, problem = fit.design, correlated_problem(fit.design, fit.spec, fit.point.coordinates)
    V = dense(fit)
    for term, sd in zip(design.terms, fit.values.sd, strict=True):
        V -= sd[0] ** 2 * (term.codes[: design.n, None] == term.codes[None, : design.n])
    moments, log_det = problem.rows.moments(problem.phi_of(fit.values.beta))
    X, inverse = problem.coordinates.X, np.linalg.inv(V)
    y = design.y - X @ problem.linear.beta_ols
    columns = np.column_stack([X, y])
    np.testing.assert_allclose(moments.XX, columns.T @ inverse @ columns, rtol=1e-8, atol=1e-8)
    assert log_det == pytest.approx(np.linalg.slogdet(V)[1], abs=1e-8)
    for factor, D, B in zip(problem.coordinates.factors, moments.D, moments.B, strict=True):
        Z = (factor.codes[:, None] == np.arange(factor.levels)) * factor.z
        np.testing.assert_allclose(D[:, 0, 0], np.diagonal(Z.T @ inverse @ Z), rtol=1e-8)
        np.testing.assert_allclose(B[:, 0], Z.T @ inverse @ columns, rtol=1e-7, atol=1e-7)


def test_many_points_at_once_are_single_ones():
    fit = fitted("trial_site_unstr")
    problem = correlated_problem(fit.design, fit.spec, fit.point.coordinates)
    phi = problem.phi_of(fit.values.beta) + 0.1 * np.sin(np.arange(30)).reshape(3, 10)
    together, log_det = problem.rows.moments(phi)
    for i in range(3):
        alone, own = problem.rows.moments(phi[i])
        np.testing.assert_allclose(together.XX[i], alone.XX, rtol=1e-10)
        np.testing.assert_allclose(together.D[0][i], alone.D[0], rtol=1e-10)
        assert log_det[i] == pytest.approx(own, abs=1e-10)


def test_blocks_of_one_pattern_are_summed():
    """Of 60 patients with four visits the sums are of the few patterns of drop-out."""
    fit = fitted("trial_unstr")
    rows = correlated_problem(fit.design, fit.spec).rows
    assert sum(len(blocks.of_cell) for blocks in rows.sizes) <= 8
    assert sum(blocks.count.sum() for blocks in rows.sizes) == 60


def test_sums_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(correlated_rows, "MOST", 10)
    fit = fitted("trial_unstr")
    with pytest.raises(DesignError, match="leave predictors or random effects out"):
        correlated_problem(fit.design, fit.spec)
