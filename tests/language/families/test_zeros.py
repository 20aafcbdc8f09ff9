"""Zero-inflated, truncated and hurdle families against sums of logarithms."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from count_densities import (
    binomial,
    hurdle,
    nbinom1,
    negbinomial,
    poisson,
    truncated,
    zero_inflated,
)

from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 12.0, 0.0, 40.0, 1.0, 90.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 30.0, 25.0, 1e-6, 60.0])
PHI = np.array([0.3, 1.0, 2.0, 0.1, 7.0, 1e-3, 0.5, 12.0, 2.0, 4.0])
SHAPE = np.array([0.3, 1.0, 20.0, 0.1, 7.0, 1e3, 0.5, 12.0, 2.0, 1e7])
SHARE = np.array([0.3, 0.01, 0.5, 0.2, 0.9, 0.05, 1e-4, 0.6, 1.0 - 1e-6, 1e-9])
COUNTS = np.arange(150.0)
BASES = {"poisson": (poisson, (MU,)), "negbinomial": (negbinomial, (MU, SHAPE)), "nbinom1": (nbinom1, (MU, PHI))}

LAWS = [
    *(
        laws.Law(FAMILIES[f"zero_inflated_{name}"], Y, (*own, SHARE), zero_inflated(base), y_of_cdf=COUNTS)
        for name, (base, own) in BASES.items()
    ),
    *(
        laws.Law(FAMILIES[f"truncated_{name}"], Y + 1.0, own, truncated(base), y_of_cdf=COUNTS)
        for name, (base, own) in BASES.items()
    ),
    *(
        laws.Law(FAMILIES[f"hurdle_{name}"], Y, (*own, SHARE), hurdle(truncated(base)), y_of_cdf=COUNTS)
        for name, (base, own) in BASES.items()
    ),
    laws.Law(
        FAMILIES["zero_inflated_binomial"],
        np.minimum(Y, 12.0),
        (np.linspace(0.01, 0.99, 10), SHARE),
        zero_inflated(binomial),
        trials=12.0,
        y_of_cdf=np.arange(13.0),
    ),
]


DEAR = {"hurdle_negbinomial", "truncated_negbinomial"}  # to draw from: shapes that are nearly nothing


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", [law for law in LAWS if law.id not in DEAR], ids=lambda law: law.id)
def test_law(law, check):
    check(law)


@pytest.mark.slow
@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", [law for law in LAWS if law.id in DEAR], ids=lambda law: law.id)
def test_law_where_draws_are_dear(law, check):
    check(law)


@pytest.mark.slow
def test_zeros_that_nothing_explains_have_a_finite_density_in_the_compiled_model():
    """Hardly any inflation, and a mean of 1097: the larger of two logarithms is -800, which no probability can be."""
    import pytensor
    import pytensor.tensor as pt

    from bayesmix.language.families.link import LINKS
    from bayesmix.language.families.namespaces import symbolic

    eta, zi = pt.dscalars("eta", "zi")
    xp, family = symbolic(), FAMILIES["zero_inflated_poisson"]
    graph = family.kernel(
        xp, pt.as_tensor_variable(0.0), 1.0, LINKS["log"].formula(xp, eta), LINKS["logit"].formula(xp, zi)
    )
    found = pytensor.function([eta, zi], [graph, *pt.grad(graph, [eta, zi])])(7.0, -800.0)
    np.testing.assert_allclose(found, [-800.0, 0.0, 1.0], atol=1e-12)
