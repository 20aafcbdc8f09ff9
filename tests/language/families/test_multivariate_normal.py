"""Gaussian responses with correlated residuals, against SciPy's multivariate normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.multivariate_normal import kernel
from bayesmix.language.families.namespaces import NUMERIC

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_density_is_scipys(k):
    A = RNG.normal(size=(k, 2 * k))
    corr = np.corrcoef(A)
    y, mu, sigma = RNG.normal(size=(k, 5)), RNG.normal(size=(k, 5)), np.exp(RNG.normal(size=(k, 5)))
    root = np.linalg.cholesky(corr)
    found = kernel(NUMERIC, list(y), list(mu), list(sigma), [list(root[i, : i + 1]) for i in range(k)])
    expected = [
        stats.multivariate_normal(mu[:, i], np.outer(sigma[:, i], sigma[:, i]) * corr).logpdf(y[:, i]) for i in range(5)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
