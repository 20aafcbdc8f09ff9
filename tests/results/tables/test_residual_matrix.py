import numpy as np
from residuals import dense, fitted

from bayesmix.results.tables.residual_matrix import residual_matrix


def test_matrix_is_that_of_a_whole_block():
    fit = fitted("trial_unstr")
    block = fit.design.data.blocks.block
    whole = next(rows for rows in (np.flatnonzero(block == b) for b in range(60)) if len(rows) == 4)
    table = residual_matrix(fit)
    assert list(table.index) == ["w1", "w2", "w4", "w8"]
    np.testing.assert_allclose(table, dense(fit)[np.ix_(whole, whole)], rtol=1e-10)


def test_summary_prints_it():
    text = str(fitted("trial_unstr").summary())
    assert "Residual covariance: unstr(visit, patient), 60 blocks of 1 to 4 rows:" in text
    assert "Linear model fit by REML. t-tests use Satterthwaite's method" in text
    assert "Residual covariance: ar(step, patient, p = 1)" in str(fitted("trial_ar").summary())
    assert residual_matrix(fitted("trial_ar")) is None
