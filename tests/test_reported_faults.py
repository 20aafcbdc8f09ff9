"""Faults that were found on other people's data: which test holds each of them, and those that no other holds.

Letters are those of the report: silent wrong numbers (A), losses (B), errors (C), refusals (D), words (E), environment
(F), speed (G); P are public threads about lme4, glmmTMB, bambi and emmeans.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

HELD: dict[str, list[str]] = {
    "A1, P G: z and t in one fit": ["results/fits/test_fixed_inference.py::test_one_choice_goes_through_every_table"],
    "A2.1: one of two modes": ["inference/sampling/test_sample.py::test_nuts_does_not_settle_in_one_of_two_modes"],
    "A2.2: truncated tails": ["inference/sampling/test_sample.py::test_what_is_called_converged_is_right"],
    "A3, P B: a slope far from zero": [
        "inference/parameters/test_centring.py::test_years_have_the_posterior_of_years_since_2000",
        "inference/parameters/test_centring.py::test_years_are_compared_with_their_estimate",
        "results/test_shifted_predictors.py::test_a_shift_changes_nothing_but_intercepts",
        "inference/parameters/test_column_scales.py::test_interactions_and_curves_are_those_of_centred_predictors",
    ],
    "A4, P A1-A3: an sd at zero": [
        "inference/test_profile_boundary.py::test_upper_limits_of_a_standard_deviation_at_zero"
    ],
    "A4, P A4: a second valley": ["inference/test_profile_boundary.py::test_a_deeper_valley_is_followed"],
    "A4, P A5: a correlation of -1": ["inference/test_profile_boundary.py::test_a_perfect_correlation_has_limits"],
    "A4, P A6: a shape that runs off": [
        "inference/test_profile_boundary.py::test_a_shape_that_runs_off_has_no_upper_limit"
    ],
    "A5, P C: cells without rows": ["results/test_estimability.py::test_cells_without_rows_are_not_determined"],
    "A6: three levels read as two": [
        "data/design/test_response.py::test_responses_that_are_refused",
        "data/design/test_response.py::test_the_category_that_is_success_is_known",
    ],
    "A7: a family as a record": ["test_new_family.py::test_residuals_are_scipys"],
    "A8: intervals asked wrongly": ["results/fits/test_level.py::test_wrong_levels_are_refused_everywhere"],
    "A9: a damaged store": ["results/storage/test_fit_storage.py::test_damage_is_one_clear_error_at_once"],
    "A10: text that holds numbers": ["data/test_text_columns.py::test_text_that_holds_numbers_or_dates_is_refused"],
    "A11, P E1: a level without events": [
        "inference/estimation/test_identifiability.py::test_a_level_without_events_is_named_in_any_coding"
    ],
    "A11, P E2: Laplace far from quadrature": [
        "inference/estimation/test_identifiability.py::test_spreads_beyond_what_outcomes_tell_are_named",
        "inference/estimation/test_restart.py::test_laplace_with_its_optimum_far_out_is_named",
        "inference/estimation/test_laplace_error.py::test_an_optimum_below_no_effects_is_named",
    ],
    "A11, P E5: an optimum at sd = 0": [
        "inference/estimation/test_restart.py::test_sparse_outcomes_have_their_laplace_optimum_inside"
    ],
    "A12: a local optimum at zero": [
        "inference/estimation/test_restart.py::test_a_search_that_ends_at_zero_variance_goes_on_inside"
    ],
    "A13: centre x": ["inference/estimation/test_ridge.py::test_a_predictor_far_from_zero_is_told_to_be_centred"],
    "B1: a save that is interrupted": ["results/storage/test_atomic_replacement.py::test_a_killed_save_loses_no_fit"],
    "B2: a full disk": [
        "results/storage/test_atomic_replacement.py::test_files_that_cannot_be_written_are_named",
        "present/report/test_report.py::/dev/full",
    ],
    "B3: a killed worker": ["parallel/test_executors.py::test_what_is_finished_is_kept"],
    "C: errors that are not ours": ["test_bad_inputs.py::test_bad_input_is_one_message_at_once_without_memory"],
    "C: arguments of other packages": [
        "language/test_spellings.py::test_arguments_of_other_packages_are_ours_or_have_an_answer"
    ],
    "D: all successes, all zeros": ["inference/sampling/test_sample.py::test_what_is_called_converged_is_right"],
    "D, P F1: poisson beside negbinomial": [
        "results/criticism/test_anova.py::test_a_poisson_model_is_nested_in_the_negative_binomial_one"
    ],
    "D, P D: known and new levels": [
        "results/prediction/test_scopes.py::test_known_levels_keep_their_effects_beside_new_ones",
        "results/prediction/test_scopes.py::test_average_and_new_do_not_need_the_columns_of_groups",
        "results/prediction/test_scopes.py::test_a_missing_value_costs_its_row_alone",
        "results/prediction/test_scopes.py::test_a_factor_can_be_switched_off",
    ],
    "D: no random effects": ["test_regressions.py::test_whether_the_group_is_needed"],
    "D: files": [
        "data/test_files.py::test_the_dialect_of_text_is_found",
        "data/test_files.py::test_tables_with_types",
        "data/test_files.py::test_what_is_given_is_not_guessed",
    ],
    "E: families of other packages": [
        "language/test_spellings.py::test_families_of_other_packages_are_ours_or_have_an_answer"
    ],
    "F: the locale": ["present/test_cli.py::LC_ALL"],
    "G: predictions of new groups": [
        "results/prediction/test_scopes.py::test_one_decomposition_a_term_draws_all_groups"
    ],
    "G: threads": ["parallel/test_threads.py::test_fits_have_one_thread"],
    "G: ArviZ's figures": ["results/test_arviz.py::test_figures"],
}


@pytest.mark.parametrize(("fault", "test"), [(fault, test) for fault, tests in HELD.items() for test in tests])
def test_a_test_holds_it(fault: str, test: str) -> None:
    file, _, name = test.partition("::")
    text = (Path(__file__).parent / file).read_text("utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE) if name.startswith("test_") else name in text, fault


def two_arms() -> bmx.Estimate:
    rng = np.random.default_rng(0)
    g = np.repeat(list("abcdef"), 20)
    t = np.where(np.isin(g, list("abc")), "ctl", "trt")
    b = dict(zip("abcdef", rng.normal(0, 1, 6), strict=True))
    y = np.array([b[k] for k in g]) + 1.6 * (t == "trt") + rng.normal(size=120)
    return bmx.Model("y ~ t + (1|clinic)", {"y": y, "t": t, "clinic": g}).estimate()


def test_a_treatment_of_six_clinics_has_four_degrees_of_freedom() -> None:
    """A1: 0.027 by lmerTest, 0.00065 by contrasts and hypotheses, which took a normal distribution."""
    fit = two_arms()
    for row in (fit.contrasts("t").iloc[0], fit.hypothesis("ttrt = 0").iloc[0]):
        assert row["p_value"] == pytest.approx(0.02703, abs=5e-6)
        assert (row["lower"], row["upper"]) == pytest.approx((0.26, 2.51), abs=5e-3)
    table = fit.tidy().set_index("term")
    assert table.loc["ttrt", "p.value"] == pytest.approx(0.02703, abs=5e-6)
    assert fit.marginal_means("t")["df"].to_numpy() == pytest.approx(4.0, abs=1e-6)


def ordered_without_events() -> tuple[str, pd.DataFrame, str]:
    rng = np.random.default_rng(0)
    level = rng.choice(list("abcdefg"), 140)
    y = np.where(level == "a", 0, rng.poisson(2, 140))
    f = pd.Categorical(level, ordered=True)
    return "y ~ f + (1 | g)", pd.DataFrame({"y": y, "f": f, "g": rng.choice(list("uvwxyz"), 140)}), "poisson"


def one_failure_of_fifty() -> tuple[str, pd.DataFrame, str]:
    rng = np.random.default_rng(3)
    y = np.ones(50, int)
    y[int(rng.integers(50))] = 0
    g = np.repeat(list("abcdefghij"), 5)
    return "y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": rng.normal(size=50), "g": g}), "bernoulli"


def sex_by_person() -> tuple[str, pd.DataFrame, str]:
    rng = np.random.default_rng(0)
    g, t = np.repeat(np.arange(20), 5), np.tile(np.arange(5.0), 20)
    y = t + rng.normal(size=20)[g] + rng.normal(size=100)
    data = pd.DataFrame({"y": y, "t": t, "sex": np.array(["f", "m"])[g % 2], "id": [f"i{k:02d}" for k in g]})
    return "y ~ t + sex + (sex | id)", data, "gaussian"


UNTOLD = {
    "A11, P E1, an ordered factor": (ordered_without_events, "The estimate of `f.L`, `f.Q`, .* runs off to infinity"),
    "A11, P E3, 49 of 50": (one_failure_of_fifty, "The Laplace approximation fails"),
    "A11, P E4, a correlation": (sex_by_person, "do not determine `sd\\(id, sexm\\)`, `corr\\(id, Intercept, sexm\\)`"),
}


@pytest.mark.parametrize("case", [pytest.param(case, marks=pytest.mark.slow) for case in UNTOLD])
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_what_the_data_do_not_tell_is_named_by_all_three(case: str) -> None:
    """In problems, by converged, and in the summary (P E6)."""
    make, words = UNTOLD[case]
    formula, data, family = make()
    fit = bmx.Model(formula, data, family=family).estimate()
    assert not fit.converged
    assert re.search(words, " ".join(fit.problems))
    text = " ".join(str(fit.summary()).split())
    assert " ".join(fit.problems[0].split()) in text
    assert "The optimiser converged" not in text


SMALL = {"y": np.arange(8.0) ** 1.5, "x": [0.0, 1.0] * 4, "g": list("aabbccdd"), "w": [0.0, *[1.0] * 7]}
SAID: dict[str, tuple[str, dict[str, Any], str]] = {
    "P F2, as many effects as rows": ("y ~ x + (x | g)", {}, r"`g` has 4 levels x 2 effects for 8 rows.*Or sample"),
    "D, P F3, ar1 of a number": ("y ~ 1 + ar1(x | g)", {}, r"Write `ar1\(0 \+ factor\(x\) \| g\)`"),
    "D, P F3, ar1 of a number less one": ("y ~ 1 + ar1(x - 1 | g)", {}, r"Write `ar1\(0 \+ factor\(x\) \| g\)`"),
    "P F4, a weight of zero": ("y ~ 1 + (1 | g)", {"weights": "w"}, r"weights are 0 in row 0 .* leave out the rows"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_cannot_be_estimated_is_said(case: str) -> None:
    formula, options, words = SAID[case]
    with pytest.raises(bmx.BayesmixError, match=words):
        bmx.Model(formula, SMALL, **options).estimate()


@pytest.mark.slow
def test_as_many_effects_as_rows_have_a_posterior() -> None:
    """P F2, a thread of bambi's: the priors are proper."""
    post = bmx.Model("y ~ x + (x | g)", SMALL).sample(seed=1, progress=False)
    assert post.converged
