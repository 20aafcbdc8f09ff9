"""Likelihood ratios beside those of simulated data."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from term_cases import FOLDER, estimate, generalized

import bayesmix as bmx
from bayesmix.results.criticism.likelihood_ratios import PIECE, Replication, monte_carlo, simulated_ratios

FIGURES = json.loads((FOLDER / "inference" / "nested.json").read_text(encoding="utf-8"))


def test_p_values_count_the_statistic_itself() -> None:
    p, error, n = monte_carlo(np.array([0.0, 1.0, 2.0, 3.0, np.nan]), 2.5)
    assert (p, n) == (2.0 / 5.0, 4.0)
    assert error == pytest.approx(np.sqrt(0.4 * 0.6 / 4))


def test_bootstrap_is_the_same_for_a_seed_on_any_executor() -> None:
    small, large = (estimate(f"y ~ {right} + (1 | clinic)", "clinics") for right in ("1", "t"))
    options = {"test": "bootstrap", "replicates": PIECE + 5, "seed": 3, "progress": False}
    here = bmx.anova(small, large, **options)
    with ThreadPoolExecutor(1) as pool:
        assert bmx.anova(small, large, executor=pool, **options).equals(here)
    assert here["replicates"].iloc[1] == PIECE + 5
    one, other = (simulated_ratios(small, large, Replication(5, seed, progress=False)) for seed in (3, 4))
    assert not np.array_equal(one, other)


def test_interruption_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    small, large = (estimate(f"y ~ {right} + (1 | clinic)", "clinics") for right in ("1", "t"))
    monkeypatch.setattr("bayesmix.results.criticism.likelihood_ratios.refit_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bmx.anova(small, large, test="bootstrap", replicates=3, progress=False)


def test_data_sets_that_cannot_be_fitted_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (estimate(f"y ~ {right} + (1 | clinic)", "clinics") for right in ("1", "t"))
    monkeypatch.setattr(
        "bayesmix.results.criticism.likelihood_ratios.refit_all",
        lambda design, spec, method, responses, near: SimpleNamespace(criterion=np.full(len(responses[0]), np.nan)),
    )
    with pytest.raises(bmx.FitError, match="None of the 3 simulated data sets"):
        simulated_ratios(small, large, Replication(3, progress=False))


def test_generalized_models_are_simulated_too() -> None:
    fit = generalized("cbpp")
    table = bmx.anova(fit.update("~ . - period"), fit, test="bootstrap", replicates=3, seed=1, progress=False)
    assert table["p_value"].iloc[1] == 0.25
    assert table["replicates"].iloc[1] == 3.0


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_p_values_are_pbkrtests(name: str) -> None:
    """Within the Monte Carlo error of both: pbkrtest's ``PBmodcomp`` (tests/reference/inference/nested.R)."""
    figures = FIGURES[name]
    small, large = (estimate(figures[size], name) for size in ("small", "large"))
    row = bmx.anova(small, large, test="bootstrap", replicates=1000, seed=1, progress=False).iloc[1]
    assert row["chisq"] == pytest.approx(figures["lrt"], rel=1e-4)
    p = figures["p_value"]
    error = np.hypot(row["mc_error"], np.sqrt(p * (1.0 - p) / figures["n"]))
    assert abs(row["p_value"] - p) < 3.5 * error
