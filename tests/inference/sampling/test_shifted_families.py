"""Twins of every family: posteriors of `y ~ x + (x | g)` do not change where a number is added to ``x``.

Compared are the coefficients that priors are stated on, standard deviations, correlations and effects where the columns
are at their means, and all numbers beside them: nothing else is in the model, and intercepts alone are none of them.
"""

from __future__ import annotations

import warnings
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from arviz_stats import mcse
from every_family import data_of, formulas_of

import bayesmix as bmx
from bayesmix.inference.parameters.centring import centring, to_means
from bayesmix.language.families.registry import FAMILIES

CHANCE = 1e-6  # of a failure of one family whose posteriors are equal, over its numbers
ONLY_NUTS = ("asym_laplace", "shifted_lognormal")  # on these data
DRAWS = {"draws": 300, "chains": 2, "seed": 20261130}


@cache
def shifted(family, shift, method="marginal"):
    formula = formulas_of(family)[0].replace("x + f + (1 | g)", "x + (x | g)")
    data = data_of(family)
    data = data.assign(x=data["x"] + shift * data["x"].std())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bmx.ConvergenceWarning)
        return bmx.Model(formula, data, family=family).sample(**DRAWS, method=method, progress=False)


def numbers_of(post):
    """What a shift leaves ``(chains, draws, numbers)``."""
    found = to_means(post.values, [centring(one, post.design.layout.prefixes) for one in post.design.terms])
    parts = [found.beta @ post.priors.contrast.T, *found.sd, *(b.reshape(*found.lead, -1) for b in found.b)]
    parts += [corr[..., *np.tril_indices(corr.shape[-1], -1)] for corr in found.corr]
    if found.dispersion is not None:
        parts.append(found.dispersion[..., None])
    return np.concatenate(parts, axis=-1)


def furthest(first, second):
    """Largest difference of the means, and of the standard deviations, of two posteriors in Monte Carlo errors."""
    one, two = numbers_of(first), numbers_of(second)
    distances = [
        abs(float(of(a)) - float(of(b))) / (np.hypot(*(float(mcse(c, method=kind)) for c in (a, b))) + 1e-12)
        for kind, of in (("mean", np.mean), ("sd", np.std))
        for a, b in zip(np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0), strict=True)
    ]
    return max(distances), len(distances)


def check(first, second):
    worst, count = furthest(first, second)
    assert count >= 10
    assert worst < NormalDist().inv_cdf(1.0 - 0.5 * CHANCE / count)


@pytest.mark.slow
@pytest.mark.rotating
@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ONLY_NUTS])
def test_a_number_added_to_a_predictor_leaves_the_posterior(family):
    check(shifted(family, 0.0), shifted(family, 1000.0))
