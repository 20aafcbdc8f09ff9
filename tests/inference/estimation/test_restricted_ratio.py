"""Null distribution of restricted likelihood ratios, against F tests, refits to simulated data and RLRsim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from term_cases import FIGURES, estimate

import bayesmix as bmx
from bayesmix.inference.estimation.restricted_ratio import eigenvalues, restricted_ratios
from bayesmix.results.criticism.likelihood_ratios import Replication, simulated_ratios

DRAWS = 40_000


def test_eigenvalues_are_those_of_the_dense_matrix() -> None:
    """With weights and a slope."""
    data = bmx.load_dataset("sleepstudy_ow")
    design = bmx.Model("Reaction ~ Days + (0 + Days | Subject)", data.iloc[:95], weights="wt").design
    (term,) = design.terms
    root = np.sqrt(design.weights)[:, None]
    Z = root * term.z * (term.codes[:, None] == np.arange(len(term.levels)))
    Q = np.linalg.qr(root * design.X)[0]
    wanted = np.linalg.eigvalsh(Z.T @ Z - Z.T @ Q @ Q.T @ Z)
    mu, many = eigenvalues(design, term)
    np.testing.assert_allclose(np.repeat(mu, many), wanted[wanted > 1e-8 * wanted[-1]], rtol=1e-8)


def test_a_balanced_layout_has_one_eigenvalue() -> None:
    design = estimate("Yield ~ 1 + (1 | Batch)", "Dyestuff").design
    mu, many = eigenvalues(design, design.terms[0])
    np.testing.assert_allclose(mu, [5.0])
    np.testing.assert_array_equal(many, [5])


@pytest.mark.parametrize(
    ("formula", "name", "between", "within"),
    [("Yield ~ 1 + (1 | Batch)", "Dyestuff", 5, 24), ("y ~ t + (1 | clinic)", "clinics", 4, 114)],
)
def test_balanced_layouts_have_the_p_value_of_f(formula: str, name: str, between: int, within: int) -> None:
    """There the ratio is a function of the F of the groups: of F = 2, 3, ... the profile is known in closed form."""
    design = estimate(formula, name).design
    draws = restricted_ratios(design, design.terms[0], DRAWS, seed=1)
    total = between + within
    for F in (1.2, 2.0, 3.0, 5.0):
        share = between * F / (between * F + within)  # of the sum of squares between groups
        ratio = -total * np.log(total) - between * np.log(share / between) - within * np.log((1.0 - share) / within)
        p = stats.f.sf(F, between, within)
        assert np.mean(draws >= ratio) == pytest.approx(p, abs=4.0 * np.sqrt(p * (1.0 - p) / DRAWS))


def test_draws_are_the_same_for_a_seed() -> None:
    design = estimate("y ~ a * x + (1 | g)", "cells").design
    one, other = (restricted_ratios(design, design.terms[0], 50, seed) for seed in (1, 1))
    np.testing.assert_array_equal(one, other)
    assert (one >= 0.0).all()
    assert (one == 0.0).any()  # the point mass at zero


@pytest.mark.slow
def test_unbalanced_designs_are_like_refits_to_simulated_data() -> None:
    small, large = (estimate(f"y ~ a * x{bar}", "cells") for bar in ("", " + (1 | g)"))
    draws = restricted_ratios(large.design, large.design.terms[0], DRAWS, seed=1)
    refits = simulated_ratios(small, large, Replication(2000, seed=2, progress=False))
    for at in (1e-4, 0.5, 2.0, 4.0):
        one, other = np.mean(draws > at), np.mean(refits > at)
        assert abs(one - other) < 4.0 * np.sqrt(one * (1.0 - one) * (1.0 / DRAWS + 1.0 / 2000))


@pytest.mark.parametrize("name", ["dyestuff", "clinics", "cells"])
def test_p_values_are_rlrsims(name: str) -> None:
    """exactRLRT of RLRsim 3.1.8, within the Monte Carlo error of both."""
    formula = {
        "dyestuff": ("Yield ~ 1 + (1 | Batch)", "Dyestuff"),
        "clinics": ("y ~ t + (1 | clinic)", "clinics"),
        "cells": ("y ~ a * x + (1 | g)", "cells"),
    }[name]
    figures = FIGURES["rlrt"][name]
    design = estimate(*formula).design
    p = figures["p_value"]
    found = np.mean(restricted_ratios(design, design.terms[0], DRAWS, seed=3) >= figures["rlrt"])
    assert abs(found - p) < 4.0 * np.sqrt(p * (1.0 - p) * (1.0 / DRAWS + 1.0 / figures["n"]))
