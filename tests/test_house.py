"""Rules of the house that are counted: lines of a module, arguments of a function, imports inside functions."""

from __future__ import annotations

import ast
from functools import cache

import pytest
from test_layers import MODULES

LINES = 400  # of a module
LONG = {"inference.estimation.held_deviance"}  # about to be split
# module, or folder -> modules of our own that its functions may import, and why
LATE = {
    "bayesmix": {"errors"},  # what `import bayesmix` loads is nothing
    # verbs that few processes use: at the top they would cost every fit tens of milliseconds
    "fit": {
        "results.criticism.cross_validation",
        "results.criticism.diagnosis",
        "results.criticism.influence",
        "results.storage.fit_storage",
    },
    "model": {"results.interoperability.bambi"},
    "comparison": {"present.plots"},  # loads matplotlib
    "results.criticism.cross_validation": {"results.criticism.elpd"},  # loads ArviZ, whose record it extends
    "present.cli": set(MODULES),  # `bayesmix --help` is quick: a command imports what it needs when it runs
}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def late_imports(module: ast.Module) -> set[str]:
    """Names below the package of own modules that functions import."""
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    found = {node.module or "" for node in inside if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in inside if isinstance(node, ast.Import) for alias in node.names}
    return {name.removeprefix("bayesmix.") for name in found if f"{name}.".startswith("bayesmix.")}


def allowed_late(name: str) -> set[str]:
    return {target for module, targets in LATE.items() if f"{name}.".startswith(f"{module}.") for target in targets}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in LONG])
def test_modules_are_short(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("name", MODULES)
def test_own_modules_are_imported_at_the_top(name):
    assert late_imports(tree(name)) <= allowed_late(name)


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
    "studies.calibrate.calibrate": "options of a study, named",
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
