"""Every input of the report on other people's data, and of the public threads beside it, with the test that holds it.

Letters are those of the report: silent wrong numbers (A), losses (B), errors that are not ours (C), refusals (D), words
(E), environment (F), time (G); P are public threads about lme4, glmmTMB, bambi and emmeans. Where a figure is none of
the report's own, it is in the test, with its source. Tables of `tests/reported` have a row called as the input is here.

Three inputs came without their data: the trial of schizophrenia (P E2, simulated anew, with glmmTMB's figures), cells
of P C and P G (`cells.csv`, with emmeans' figures), and the counts of P F1 (`nbsim`, with glmmTMB's).

Right values of the report that are corrected: of P A2 at s = 0 they are 4 to 19 % off (closed forms of balanced data
and SciPy's density agree to 12 digits; those of s = 1 and 2 are the report's), and of P A4 the limits of the intercept
and of sigma are those of lme4's splines, which miss a valley: dense deviances have risen there by 1.74 and 0.15, not by
3.84.
"""

from __future__ import annotations

UPPER = "inference/test_profile_boundary.py::test_upper_limits_of_a_standard_deviation_at_zero"
DENSE = "inference/test_profile_boundary.py::test_limits_are_where_the_lowest_dense_deviance_has_the_critical_value"
POSTERIORS = "inference/sampling/test_sample.py::test_seeds_that_were_wrong_are_right"
CELLS = "results/test_estimability.py::test_cells_without_rows_are_not_determined"
DAMAGED = "results/storage/test_fit_storage.py::test_damage_is_one_clear_error_at_once"
TEXTS = "data/test_files.py::test_the_dialect_of_text_is_found"
TYPED = "data/test_files.py::test_tables_with_types"
SCOPES = "results/prediction/test_scopes.py"
REPLACED = "results/storage/test_atomic_replacement.py"
REFUSALS = "reported/test_refusals.py"
OPTIMA = "reported/test_optima.py"
MEMORY = "data/test_memory.py::test_what_is_too_large_is_refused_before_it_is_tried"

# input -> what holds it: file below `tests`, test, and its row where it has one; those of `tests/reported` are below
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "A1 forest": ("results/fits/test_degrees_of_freedom.py::test_the_forest_draws_the_intervals_of_the_summary",),
    "A2.1 seed 2": ("inference/sampling/test_sample.py::test_what_is_called_converged_is_right[two_modes]",),
    "A2.1 seed 6": (f"{POSTERIORS}[two_modes]",),
    "A2.1 NUTS": ("inference/sampling/test_sample.py::test_nuts_does_not_settle_in_one_of_two_modes",),
    "A2.1 Intercept Normal(0, 1.25)": (
        "inference/sampling/test_sample.py::test_what_is_called_converged_is_right[two_modes_unequal]",
    ),
    "A2.2 cbind(s, f), five seeds": (
        f"{POSTERIORS}[nearly_all_successes]",
        "inference/sampling/test_sample.py::test_of_all_cases_none_is_wrong_and_nine_in_ten_converge",
    ),
    "A3 compare": ("reported/test_far_from_zero.py::test_both_answers_are_compared",),
    "A3 REML is invariant": ("reported/test_far_from_zero.py::test_slopes_and_noise_are_those_of_days",),
    "P B, priors=brms": ("reported/test_far_from_zero.py::test_a_preset_at_zero_is_sampled_and_named",),
    "A4 pure noise, y ~ x + (1 | g)": (f"{UPPER}[noise]",),
    "A4 Poisson alike": (f"{UPPER}[noise of counts]",),
    "A4 a limit in a wrong valley": (
        "inference/test_profile_boundary.py::test_a_deeper_valley_is_followed",
        "inference/estimation/test_profile_curve.py::test_a_limit_is_that_of_the_valley_beside_a_saddle",
    ),
    "A4 a cap returned as a result": ("inference/test_profile_boundary.py::test_a_search_that_does_not_end_gives_nan",),
    "P A1 five groups of ten": (f"{UPPER}[five groups]", f"{DENSE}[five]"),
    **{f"P A2 {case}": (f"{UPPER}[shrunk, {case}]",) for case in ("(4, 5, 0)", "(8, 4, 0)", "(8, 4, 2)", "(30, 3, 0)")},
    **{f"P A2 {case}": (f"{UPPER}[shrunk, {case}]",) for case in ("(4, 5, 1)", "(4, 5, 2)", "(8, 4, 1)", "(30, 3, 1)")},
    "P A2 (30, 3, 2)": (f"{UPPER}[shrunk, (30, 3, 2)]",),
    "P A2 Dyestuff2": (f"{UPPER}[dyestuff2]",),
    "P A3 gopher tortoises": (f"{UPPER}[gophers]",),
    "P A4 issue 325 of lme4": (f"{UPPER}[thread]", f"{DENSE}[thread]"),
    "P A5 mtcars": (f"{DENSE}[cars]",),
    "P A5 simulated slopes": (
        "inference/test_profile_boundary.py::test_a_perfect_correlation_has_limits",
        f"{DENSE}[correlation]",
    ),
    "P A6 a shape that runs off": (
        "inference/test_profile_boundary.py::test_a_shape_that_runs_off_has_no_upper_limit",
    ),
    "A5 predict of (c, y)": (f"{CELLS}[predict]",),
    "A5 marginal_means": (f"{CELLS}[means]",),
    "A5 rows outside the row space": (
        "results/test_estimability.py::test_rows_off_the_row_space_are_undetermined_to_either_side",
    ),
    "P C y ~ a * b + (1 | g)": (f"{CELLS}[cells]", f"{CELLS}[contrasts]"),
    "A7 quantile residuals": ("test_new_family.py::test_residuals_are_scipys",),
    "A7 print(model)": ("test_new_family.py::test_every_verb",),
    "A9 a chunk of beta": (f"{DAMAGED}[lost chunk]",),
    "A9 a chunk of fixef": (
        f"{DAMAGED}[lost chunk]",
        "results/storage/test_fit_storage.py::test_every_file_has_a_checksum",
    ),
    "P E5 21 levels of three": (
        "inference/estimation/test_restart.py::test_sparse_outcomes_have_their_laplace_optimum_inside",
    ),
    "P E5 ten groups of five": (
        "inference/estimation/test_restart.py::test_sparse_outcomes_have_their_laplace_optimum_inside",
    ),
    "P E2, Agq(15)": (f"{OPTIMA}::test_laplace_is_glmmtmbs_and_quadrature_the_likelihood",),
    "P E3, quadrature": ("inference/estimation/test_laplace_error.py::test_an_optimum_below_no_effects_is_named",),
    "P E4, one criterion": (f"{OPTIMA}::test_both_bars_of_a_person_have_one_criterion",),
    "P E6 the summary's end": (
        f"{OPTIMA}::test_what_the_data_do_not_tell_is_named_by_all_three",
        "results/tables/test_summary.py::test_failed_convergence_is_a_sentence",
    ),
    "A12 ten rows, y ~ x + (x || g)": (
        "inference/estimation/test_restart.py::test_a_search_that_ends_at_zero_variance_goes_on_inside",
    ),
    "A12 random problems": (
        "inference/estimation/test_restart.py::test_no_random_design_has_a_lower_criterion_than_the_estimate",
    ),
    "A13 two gamma, one Poisson": (
        "test_defaults.py::test_no_divergences_r_hat_below_1_01_and_400_effective_draws_at_defaults",
    ),
    "B1 Ctrl-C inside save(overwrite=True)": (
        f"{REPLACED}::test_a_folder_is_the_old_or_the_new_one",
        f"{REPLACED}::test_a_killed_save_loses_no_fit",
    ),
    "B1 stale hidden siblings": (f"{REPLACED}::test_only_what_dead_processes_left_is_removed",),
    "B2 fit --save": ("present/test_cli.py::test_no_room_for_files_is_one_message_and_nothing_is_left[--save]",),
    "B2 report --output": ("present/test_cli.py::test_no_room_for_files_is_one_message_and_nothing_is_left[report]",),
    "B3 calibrate": (
        "parallel/test_executors.py::test_what_is_finished_is_kept",
        "test_kills.py::test_what_is_finished_is_there_after_a_kill",
    ),
    "B3 coverage": ("parallel/test_executors.py::test_what_is_finished_is_kept",),
    'C compare({"a": ...})': ("reported/test_wrong_calls.py::test_fits_are_taken_one_by_one_and_by_name",),
    "C loo_compare(p1, p2)": ("reported/test_wrong_calls.py::test_fits_are_taken_one_by_one_and_by_name",),
    "C a factor of 100 000 levels": (f"{MEMORY}[fixed factor]",),
    "C a count of 1e300": (f"{MEMORY}[a count]",),
    "C Days * 1e12": ("reported/test_wrong_calls.py::test_units_of_a_trillionth_change_their_own_numbers_alone",),
    "C Parquet bombs": ("data/test_files.py::test_a_bomb_of_parquet_is_refused",),
    "C criterion = 9e99999999999999999999": ("data/test_memory.py::test_a_number_beyond_all_measure_in_a_model_file",),
    "C a FIFO inside a store": (f"{DAMAGED}[pipe]", f"{DAMAGED}[root a pipe]"),
    "C /dev/zero inside a store": (f"{DAMAGED}[device]", f"{DAMAGED}[root a device]"),
    "C 200 000 columns": ("data/test_files.py::test_of_wide_files_only_the_columns_needed_are_read",),
    "D all successes": (f"{REFUSALS}::test_successes_alone_have_the_posterior_of_failures_alone_turned_round",),
    "D all zeros": (
        f"{REFUSALS}::test_successes_alone_have_the_posterior_of_failures_alone_turned_round",
        "inference/test_proper_posteriors.py::test_counts_that_are_all_zero",
    ),
    "D one Bernoulli row a level": ("inference/test_proper_posteriors.py::test_binary_responses[one row a level]",),
    "D the posterior of rows <= random effects": (
        f"{REFUSALS}::test_as_many_effects_as_rows_have_a_posterior",
        "inference/test_proper_posteriors.py::test_more_effects_than_rows",
    ),
    "P F1 anova(poisson, negbinomial)": (
        "results/criticism/test_anova.py::test_a_poisson_model_is_nested_in_the_negative_binomial_one",
    ),
    "P D, fitted, new sub": (f"{REFUSALS}::test_a_level_that_is_not_there_is_refused_with_what_to_write",),
    "D colliding labels of a:b": (
        "data/design/test_build.py::test_combinations_of_levels_whose_labels_collide_are_told_apart",
    ),
    "D a duplicate among unused columns": (f"{REFUSALS}::test_columns_of_one_name_matter_where_they_are_used",),
    "D no random effects": (
        f"{REFUSALS}::test_a_model_without_random_effects_is_a_regression",
        "test_regressions.py::test_whether_the_group_is_needed",
    ),
    "D tab": (f"{TEXTS}[tabs]",),
    "D semicolon, decimal comma": (f"{TEXTS}[semicolons, decimal commas]",),
    "D Latin-1": (f"{TEXTS}[Latin-1]",),
    "D UTF-16": (f"{TEXTS}[UTF-16]",),
    "D xlsx": (f"{TYPED}[Excel]",),
    "D feather": (f"{TYPED}[feather]",),
    "D Stata": (f"{TYPED}[Stata]",),
    "D SPSS": (f"{TYPED}[SPSS]",),
    "E y = x + (1|g) my.csv": ("present/test_cli.py::test_what_people_type",),
    "E compare ... | head -1": ("present/test_cli.py::test_a_closed_pipe_is_left_quietly[summary]",),
    "E draws are few": ("results/tables/test_summary.py::test_few_good_draws_are_called_few",),
    "E calibrate of a negbinomial": (
        "studies/test_calibrate.py::test_certified_and_uncertified_replications_are_apart",
    ),
    "E words of our own": ("reported/test_words.py::test_what_the_project_says_of_itself",),
    "F xarray's lower bound": ("../.ci/environments::lowest-direct", "../.ci/release::lowest-direct"),
    "F uv run": ("test_house.py::test_what_uv_run_installs_is_little",),
    "F LC_ALL=C PYTHONUTF8=0": ("present/test_cli.py::test_other_letters_than_ascii_where_the_locale_knows_none",),
    'G predict(groups="new")': (f"{SCOPES}::test_one_decomposition_a_term_draws_all_groups",),
    "G posterior_predictive()": ("results/prediction/test_simulation.py::test_replications_leave_the_tree_as_it_is",),
    "G az.plot_ppc_dist(post.data)": ("results/test_arviz.py::test_figures[plot_ppc_dist]",),
    "G BLAS threads, estimate": ("parallel/test_threads.py::test_fits_have_one_thread[estimate]",),
    "G BLAS threads, sample": ("parallel/test_threads.py::test_fits_have_one_thread[sample]",),
    "G Poisson (x | g), 1e4 rows x 1e3 groups": (
        "inference/sampling/marginal/test_cost_model.py::test_alternating_moves_draw_where_they_take_much_less",
    ),
    "G crossed Bernoulli, 2e4 rows": (
        "inference/sampling/marginal/test_cost_model.py::test_nuts_draws_where_factorisations_take_longer",
    ),
    "P G means of cells": ("results/fits/test_degrees_of_freedom.py::test_tables_are_emmeans",),
}

# rows of the tables in `tests/reported`
TABLES: dict[str, tuple[str, ...]] = {
    "test_two_answers.py": (
        *("A1 summary", "A1 tidy", "A1 satterthwaite", "A1 contrasts", "A1 hypothesis", "A1 slopes"),
        *("A1 marginal_means", "A1 predict", "A1 conditional_effects"),
    ),
    "test_far_from_zero.py": (
        *("A3 yr", "A3 I(yr - 2000)", "P B, Days + 10", "P B, Days + 50", "P B, Days + 100", "P B, Days + 400"),
    ),
    "test_wrong_calls.py": (
        *("C bmx.anova(reml, post)", 'C predict(groups=["batch"])', 'C predict(groups=["batch"]) of a posterior'),
        *("C plots.group_lines(model)", "C hypothesis([..])", "C formula None", "C formula 42", "C formula list"),
        *("C formula tuple", "C family=None", "C chains=2.5", 'C draws="x"', 'C seed="abc"', "C seed=1.5"),
        *("C draws=10**9", "C Agq(10**6)", "C REML=", "C nAGQ=", "C subset=", "C control=", "C dispformula="),
        *("C ziformula=", "C adjust=", "C by=", "C tune=", "C random_seed=", "C iter="),
    ),
    "test_words.py": (
        *("A6 bernoulli of a, b, c", "A6 binomial of a, b, c", "A6 bernoulli of yes, no", "A6 binomial of yes, no"),
        *("A8 -1", "A8 0", "A8 1", "A8 95", "A10 a dot", "A10 dates", "A10 missing values", "A10 a NaN weight"),
        *("E corAR1", "E 0 + Intercept", 'E "y = x + (1|g)"', "E a URL", "E 10 rows, 41 columns", "E level 999"),
        *("E nbinom1", "E weibull", "E lognormal", "E yi | se(sei)", "E s(x)"),
    ),
    "test_optima.py": (
        *("P E1, ordered", "P E1, unordered", "P E1, an ordered factor of seven levels", "P E2, Laplace"),
        *("P E3, 49 of 50", "P E4, (sex | id)", "P E4, (0 + sex | id)", "A13 (x || h), 13407 +- 1"),
    ),
    "test_refusals.py": (
        *("P F2, 80 rows, 16 x 6 effects", "P F2, 4 rows", "D rows <= random effects", "P F3, ar1(year | id)"),
        *("P F3, ar1(year - 1 | id)", "P F4, a weight of zero", "D known and new levels"),
        *("D average without the group's column", "D new without the group's column", "D one NaN in newdata"),
        *("P D, zero without the group's column", "D re.form = ~ (1|a)"),
    ),
}
