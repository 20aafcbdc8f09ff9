"""Normal variables that depend on each other, some missing: densities and moments of a dense normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from dense_imputation import dense

from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.structural_equations import Equation, kernel

N = 7
# what each variable depends on; those that are never missing
GRAPHS = {
    "one parent": ({0: (), 1: (0,)}, {1}),
    "two parents that depend on each other": ({0: (), 1: (0,), 2: (0, 1)}, set()),
    "two children": ({0: (), 1: (0,), 2: (0,)}, {1}),
    "a chain of four": ({0: (), 1: (0,), 2: (1,), 3: (2, 0)}, {1}),
    "no edge": ({0: (), 1: ()}, set()),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_what_was_observed_has_the_density_and_the_moments_of_a_joint_normal(name):
    parents, complete = GRAPHS[name]
    rng, k = np.random.default_rng(4), len(parents)
    mu, sigma = rng.normal(size=(k, N)), rng.uniform(0.5, 2.0, (k, N))
    slopes = {(i, j): rng.normal(size=N) for i, own in parents.items() for j in own}
    y = rng.normal(size=(k, N))
    y[(rng.random((k, N)) < 0.5) & ~np.isin(np.arange(k), list(complete))[:, None]] = np.nan
    equations = {
        i: Equation(
            mu[i],
            sigma[i],
            {j: slopes[i, j] for j in own},
            np.nan_to_num(y[i], nan=9.0),
            None if i in complete else (~np.isnan(y[i])).astype(float),
        )
        for i, own in parents.items()
    }
    rows, state = kernel(NUMERIC, list(parents), equations)
    whole = dense(mu, np.diag(sigma.ravel() ** 2), slopes)
    assert np.sum(rows) == pytest.approx(whole.log_density(y), rel=1e-12)
    means, variances = whole.conditional(y)
    for i in parents:
        assert state.means[i] == pytest.approx(means[i], rel=1e-10, abs=1e-12)
        assert state.covariance(i, i) * np.ones(N) == pytest.approx(variances[i], rel=1e-9, abs=1e-12)
