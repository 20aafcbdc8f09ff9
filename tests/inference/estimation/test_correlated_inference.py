"""Satterthwaite's degrees of freedom beside residual structures, by differences of the dense criterion."""

import numpy as np
import pytest
from residuals import fitted


@pytest.mark.parametrize("case", ["trial_unstr", "trial_ar", "trial_site_unstr"])
def test_satterthwaite_is_that_of_differences_of_the_dense_criterion(case):
    """Two variances by the Hessian of the criterion and the gradient of the variance, both by differences."""
    from bayesmix.inference.estimation.correlated import correlated_problem, criterion
    from bayesmix.inference.estimation.reml import solve_linear

    fit = fitted(case)
    problem, x = correlated_problem(fit.design, fit.spec, fit.point.coordinates), fit.point.optimum.x
    h, m = 2e-4, len(x)
    hessian = np.array(
        [
            (criterion(problem, x + h * u, reml=True)[1] - criterion(problem, x - h * u, reml=True)[1]) / (2 * h)
            for u in np.eye(m)
        ]
    )

    def variances(at):
        solution = solve_linear(problem.at(at[problem.theta :]), at[: problem.theta])
        p, T = problem.linear.p, problem.coordinates.T
        return np.diagonal(T @ np.linalg.inv(solution.factorisation.XX[:p, :p]) @ T.T)

    slopes = np.array([(variances(x + h * u) - variances(x - h * u)) / (2 * h) for u in np.eye(m)])
    spread = np.einsum("ai,ab,bi->i", slopes, 2.0 * np.linalg.inv(0.5 * (hessian + hessian.T)), slopes)
    found = fit.satterthwaite()["df"].iloc[: len(spread)]
    np.testing.assert_allclose(found, 2.0 * variances(x) ** 2 / spread, rtol=1e-4)


def test_tests_of_terms_have_their_degrees_of_freedom():
    import bayesmix as bmx

    table = bmx.anova(fitted("trial_unstr"), df="kenward-roger")
    assert np.all((table["den_df"].iloc[:-1] > 20) & (table["den_df"].iloc[:-1] < 60))
    assert np.isinf(table["den_df"].iloc[-1])  # of sigma
