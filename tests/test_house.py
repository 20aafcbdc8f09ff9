"""Rules of the house that are counted: lines of a module, arguments of a function, imports inside functions."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from test_layers import MODULES, tree

LINES = 400  # of a module
INSTALLED = [path for path in sys.path if "lib" in Path(path).parts]  # the standard library, and packages
# module, or folder -> modules of our own that its functions may import, and why
LATE = {
    "bayesmix": {"errors"},  # what `import bayesmix` loads is nothing
    # verbs that few processes use: at the top they would cost every fit tens of milliseconds
    "stored": {"results.storage.fit_storage", "results.storage.sampling_run"},
    "fit": {"results.criticism.diagnosis", "results.criticism.influence", "results.storage.fit_storage"},
    "results.cross_validation": {"results.criticism.cross_validation"},
    "results.deletions": {"results.criticism.group_evidence", "results.criticism.term_evidence"},
    "model": {"results.interoperability.bambi", "results.storage.sampling_run"},
    # loads pools of processes
    "results.criticism.confidence_intervals": {"results.criticism.bootstrap"},
    "results.intervals": {"results.criticism.bootstrap"},
    "comparison": {"present.plots"},  # loads matplotlib
    "present.cli": set(MODULES),  # `bayesmix --help` is quick: a command imports what it needs when it runs
}


def outermost(node: ast.AST) -> Iterator[ast.AST]:
    """Functions that are inside of no other."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from [child] if is_function else outermost(child)


def late_imports(module: ast.Module) -> set[str]:
    """Names below the package of own modules that functions import."""
    inside = [node for function in outermost(module) for node in ast.walk(function)]
    found = {node.module or "" for node in inside if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in inside if isinstance(node, ast.Import) for alias in node.names}
    return {name.removeprefix("bayesmix.") for name in found if f"{name}.".startswith("bayesmix.")}


def allowed_late(name: str) -> set[str]:
    return {target for module, targets in LATE.items() if f"{name}.".startswith(f"{module}.") for target in targets}


def test_modules_are_short():
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_no_script_hides_a_module_that_others_import():
    """Its folder is where Python looks first: numba took `benchmarks/coverage.py` for the package of that name."""
    folder = Path(__file__).parents[1] / "benchmarks"
    names = {path.stem for path in folder.glob("*.py")}
    assert names
    assert [name for name in names if PathFinder.find_spec(name, INSTALLED) is not None] == []


def test_own_modules_are_imported_at_the_top():
    late = {name: late_imports(tree(name)) - allowed_late(name) for name in MODULES}
    assert {name: targets for name, targets in late.items() if targets} == {}


def test_late_imports_are_found():
    code = "from bayesmix.fit import Fit\ndef f():\n    from bayesmix.model import Model\n    import bayesmix.errors\n"
    assert late_imports(ast.parse(code)) == {"model", "errors"}
    assert late_imports(tree("comparison")) == {"present.plots"}


@pytest.mark.parametrize("name", [name for name in LATE if name != "present.cli"])
def test_allowances_are_used(name):
    assert late_imports(tree(name)) == LATE[name]


ARGUMENTS = 8  # of a public function
# function -> why it has more
MANY = {
    "model.Model.__init__": "what a model is made of, most of it named",
    "results.intervals.Intervals.confint": "options of the bootstrap, named",
    "results.questions.Questions.predict": "options of a prediction, named",
    "results.questions.Questions.conditional_effects": "options of a prediction, named",
    "results.questions.Questions.contrasts": "options of a prediction, named",
    "results.questions.Questions.marginal_means": "options of a prediction, named",
    "results.questions.Questions.slopes": "options of a prediction, named",
    "results.updates.Updates.update": "what a model is made of, named",
    "results.criticism.anova.anova": "options of a test, named",
    "present.plots.category_curves.categories": "options of a figure, named",
    "present.plots.lines.group_lines": "options of a figure, named",
    "present.plots.lines.mean_curves": "options of a figure, named",
    "results.criticism.coverage.coverage": "options of a study, named",
    "studies.calibrate.calibrate": "options of a study, named",
    "studies.power.power": "options of a study, named",
    "studies.standard_errors.standard_errors": "options of a study, named",
}


def public_functions(module: ast.Module) -> dict[str, int]:
    """Public functions and methods of public classes, and the constructor: number of arguments but `self`."""
    found = {}
    for scope, owner in [("", module), *((f"{c.name}.", c) for c in module.body if isinstance(c, ast.ClassDef))]:
        for node in owner.body:
            if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
                names = [own.arg for own in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                found[scope + node.name] = len([name for name in names if name not in {"self", "cls"}])
    return {name: count for name, count in found.items() if not name.startswith("_")}


def many_arguments() -> set[str]:
    """Public functions with more than `ARGUMENTS`, but for commands, where each is an option."""
    return {
        f"{name}.{function}"
        for name in MODULES
        if not name.startswith("present.cli")
        for function, count in public_functions(tree(name)).items()
        if count > ARGUMENTS
    }


def test_public_functions_have_few_arguments():
    assert many_arguments() == set(MANY)


def test_arguments_are_counted():
    code = "class A:\n    def __init__(self, a, *, b): ...\n    def _c(self): ...\ndef f(a, /, b, *, c): ...\n"
    assert public_functions(ast.parse(code)) == {"A.__init__": 2, "f": 3}


# ---- tests mirror the package ---------------------------------------------------------------------------------------

TESTS = Path(__file__).parent
# Modules without a test file of their name, alone or by the folder -> the file whose tests run them.
COVERED = {
    "stored": "results/storage/test_sampling_run.py",
    # records and constants, without logic of their own
    "fit": "results/fits/test_linear_predictor.py",
    "inference.estimation.connected_rows": "inference/estimation/test_correlated_kenward_roger.py",
    "inference.estimation.point_estimate": "inference/estimation/test_estimate.py",
    "results.comparison.record": "test_comparison.py",
    "results.fits.records": "results/fits/test_linear_predictor.py",
    "results.fits.variance_components": "results/fits/test_linear_predictor.py",
    "results.fits.fitted_model": "results/storage/test_fit_storage.py",
    "results.intervals": "results/criticism/test_bootstrap.py",
    "results.questions": "results/prediction/test_marginal_effects.py",
    "results.updates": "results/fits/test_updated_model.py",
    "results.deletions": "results/criticism/test_single_deletions.py",
    "results.cross_validation": "results/criticism/test_cross_validation.py",
    # one table of cases for a whole chapter
    "language.families": "language/families/test_registry.py",
    "results.interoperability": "results/interoperability/test_code.py",
    "__main__": "present/test_terminal.py",
    "present.cli": "present/test_cli.py",
    "present.plots": "present/test_plots.py",
    "present.report": "present/report/test_report.py",
    # parts of the module whose tests run them
    "results.fits.model_fingerprint": "parallel/test_checkpoint.py",
    "studies.power_tables": "studies/test_power.py",
    "inference.parameters.positive_numbers": "inference/parameters/test_spectral_covariance.py",
    "data.design.inputs": "data/design/test_matrix.py",
    "data.design.rebuild": "results/storage/test_fit_storage.py",
    "data.design.design": "data/design/test_rows.py",
    "data.design.model_design": "test_model.py",
    "data.design.recoded": "inference/estimation/test_term_contrasts.py",
    "data.design.level_labels": "data/design/test_build.py",
    "data.design.layout": "data/design/test_rows.py",
    "data.design.term": "data/design/test_build.py",
    "inference.parameters.response_parts": "inference/parameters/test_likelihood.py",
    "inference.sampling.marginal": "inference/sampling/marginal/test_marginal_posterior.py",
    "inference.sampling.nuts.pymc_likelihood": "inference/sampling/nuts/test_pymc_model.py",
    "language.formula.grouping_factors": "language/formula/test_parse.py",
    "language.formula.monotonic_effects": "data/design/test_monotonic_terms.py",
    "language.formula.other_responses": "language/formula/test_response_levels.py",
    "language.formula.monotonic_means": "data/design/test_monotonic_terms.py",
    "inference.estimation.running_steps": "inference/estimation/test_monotonic_estimates.py",
    "inference.parameters.freedom_priors": "inference/parameters/test_heavy_tails.py",
    "inference.parameters.correlation_priors": "inference/parameters/test_range_priors.py",
    "language.formula.suited_additions": "language/formula/test_additions.py",
    "language.formula.response_families": "language/formula/test_model_spec.py",
    "inference.sampling.nuts.moved_parameters": "inference/sampling/nuts/test_reparametrised_model.py",
    "inference.sampling.nuts.pymc_incomplete": "inference/sampling/nuts/test_nuts_of_several_predictors.py",
    "results.fits.imputed_parameters": "results/prediction/test_imputed_values.py",
    "language.priors": "language/priors/test_prior.py",
    "results.comparison": "test_comparison.py",
    "results.comparison.flat_prior_posterior": "results/comparison/test_decomposition.py",
    "results.criticism.elpd": "results/criticism/test_cross_validation.py",
    "results.prediction.rows": "results/prediction/test_prediction_rows.py",  # `test_rows` is of designs
    "results.storage.model_storage": "results/storage/test_fit_storage.py",
    "results.tables.model_html": "results/tables/test_mathml.py",
    "results.tables.model_text": "inference/parameters/test_default_priors.py",
    "results.tables.prior_table": "inference/parameters/test_default_priors.py",
    "results.tables": "results/tables/test_summary.py",
}


def own_test(name: str) -> Path:
    *folders, module = name.split(".")
    return TESTS.joinpath(*folders, f"test_{module}.py")


WITHOUT = [name for name in MODULES if MODULES[name].name != "__init__.py" and not own_test(name).exists()]


def test_modules_have_a_test_file_of_their_name():
    assert [name for name in WITHOUT if not any(f"{name}.".startswith(f"{listed}.") for listed in COVERED)] == []


@pytest.mark.parametrize("listed", COVERED)
def test_listed_files_of_tests_are_there_and_needed(listed):
    assert (TESTS / COVERED[listed]).is_file()
    assert any(f"{name}.".startswith(f"{listed}.") for name in WITHOUT)


def test_files_of_tests_have_names_of_their_own():
    """Without packages pytest imports them by their names alone: of two it would find only one."""
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_slow_cases_are_there():
    """Each line of `slow_cases.txt` is a case of a test that there is; it runs with `-m slow`."""
    lines = (TESTS / "slow_cases.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    for line in lines:
        file, *_, name = line.split("[")[0].split("::")
        assert f"def {name}(" in (TESTS.parent / file).read_text(encoding="utf-8"), line


def test_rotating_cases_are_there():
    lines = (TESTS / "rotating_cases.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    for line in lines:
        file, *names = line.split("::")
        assert (TESTS.parent / file).exists(), line
        assert all(f"def {name}(" in (TESTS.parent / file).read_text(encoding="utf-8") for name in names), line


def test_what_uv_run_installs_is_little():
    """Users who run `uv run bayesmix` got mypy, polars and DuckDB, 1.4 GB."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["uv"]["default-groups"] == ["test"]
    assert len(project["dependency-groups"]["test"]) <= 3
