"""Likelihood ratios beside those of simulated data."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from term_cases import FOLDER, estimate, generalized

import bayesmix as bmx
from bayesmix.errors import DataError
from bayesmix.results.criticism import likelihood_ratios as module
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


def test_simulated_tests_that_were_stopped_go_on_to_the_bit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PIECE", 4)
    fit, path = estimate("y ~ t + (1 | clinic)", "clinics"), tmp_path / "ratios.jsonl"
    options: dict[str, Any] = {"test": "bootstrap", "seed": 3, "progress": False}
    whole, real, calls = fit.drop1(replicates=6, **options), module._ratios, list[int]()

    def ratios(*arguments: Any) -> Any:
        calls.append(arguments[2])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_ratios", ratios)
    with pytest.raises(KeyboardInterrupt):
        fit.drop1(replicates=6, checkpoint=path, **options)
    assert fit.drop1(replicates=6, checkpoint=path, **options).equals(whole)
    assert calls == [4, 2, 2]
    small = fit.update("~ . - t")
    assert bmx.anova(small, fit, replicates=8, checkpoint=path, **options)["replicates"].iloc[1] == 8
    assert calls[3:] == [4]  # the same pair of models, and more of it
    fit.ranova(replicates=4, checkpoint=path, **options)
    assert calls[4:] == [4]  # another pair, in the same file
    with pytest.raises(DataError, match="not a checkpoint of this study"):
        fit.drop1(replicates=6, checkpoint=path, **(options | {"seed": 4}))


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
