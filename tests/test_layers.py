"""The order of chapters: a module knows its own chapter and earlier ones, imports inside functions counted."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import bayesmix

PACKAGE = Path(bayesmix.__file__).parent

# In reading order. A folder stands for the modules in it that no longer name of this list stands for.
CHAPTERS = (
    "hidden_letters",
    "errors",
    "arrays",
    "parallel",
    "language.spellings",
    "language.arguments",
    "language.families",
    "language.priors",
    "language.formula",
    "data",
    "data.design",
    "inference.parameters",
    "inference.least_squares",
    "inference.estimation",
    "inference.sampling",
    "results.fits",
    "results.prediction",
    "results.storage",
    "results.tables",
    "results.interoperability",
    "results.criticism",
    "results.comparison",
    "results.questions",
    "results.updates",
    "results.deletions",
    "results.cross_validation",
    "results.intervals",
    "fit",
    "stored",
    "comparison",
    "model",
    "studies",
    "present.plots",
    "present.report",
    "present.cli",
    "__main__",  # `python -m bayesmix`
    "bayesmix",  # the public names
)
# importing chapter or module -> what it may know although that comes later
ALLOWED = {
    "parallel.checkpoint": {"bayesmix"},  # the version, written into what is kept
    "results.storage": {"bayesmix"},  # the version, written into what is stored
    "comparison": {"present.plots"},  # `Comparison.plot`, a front door that imports it when called
    "present": {"bayesmix"},  # the command line starts where a user does
}
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "bambi", "formulaic", "matplotlib")


def modules() -> dict[str, Path]:
    """Dotted name below the package -> file; the package itself is `bayesmix`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "bayesmix"] = path
    return found


MODULES = modules()


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> list[tuple[int, str]]:
    """Line and target of every import of the package in a module, those inside functions and TYPE_CHECKING too."""
    package = name.split(".")[:-1] if MODULES[name].name != "__init__.py" else name.split(".")
    found = []
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["bayesmix", *package[: len(package) - node.level + 1]] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            targets = [f"{source}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            targets = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        else:
            continue
        found += [(node.lineno, target) for target in targets if f"{target}.".startswith("bayesmix.")]
    return found


@cache
def module_of(target: str) -> str:
    """The module, below the package, that an import names: `bayesmix` itself for names of its own."""
    parts = target.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts = parts[:-1]
    return ".".join(parts) or "bayesmix"


def chapter(module: str) -> str:
    """The longest name of the list that the module's begins with."""
    found = [name for name in CHAPTERS if f"{module}.".startswith(f"{name}.")]
    assert found, f"{module} stands in no chapter"
    return max(found, key=len)


def is_allowed(module: str, target: str) -> bool:
    if CHAPTERS.index(chapter(target)) <= CHAPTERS.index(chapter(module)):
        return True
    allowed = [own for name, own in ALLOWED.items() if f"{module}.".startswith(f"{name}.")]
    return any(chapter(target) in own for own in allowed)


FOLDERS = {path.parent for path in PACKAGE.rglob("*.py")}
INNER = [name for name in MODULES if name != "bayesmix" and MODULES[name].name != "__init__.py"]


def test_a_module_knows_its_chapter_and_earlier_ones():
    known = {name: {module_of(target) for _, target in imports(name)} for name in INNER}
    wrong = {name: {target for target in targets if not is_allowed(name, target)} for name, targets in known.items()}
    assert {name: targets for name, targets in wrong.items() if targets} == {}


@pytest.mark.parametrize("name", ALLOWED)
def test_allowances_are_used_or_gone(name):
    users = [module for module in MODULES if f"{module}.".startswith(f"{name}.")]
    targets = {chapter(module_of(target)) for module in users for _, target in imports(module)}
    assert targets & ALLOWED[name]


def test_the_rule_sees_what_it_should():
    """Late and relative imports, and those of type checkers."""
    assert module_of("bayesmix.fit.Fit") == "fit"
    assert module_of("bayesmix.__version__") == "bayesmix"
    assert chapter("data.design.matrix") == "data.design"
    assert not is_allowed("data.files", "data.design.matrix")
    assert not is_allowed("data.design.design", "inference.least_squares.cholesky")
    assert not is_allowed("language.families.family", "language.formula.parse")
    assert is_allowed("inference.sampling.sample", "inference.estimation.estimate")
    assert is_allowed("model", "fit")
    assert "fit" in {module_of(target) for _, target in imports("model")}  # imported inside functions


def circles(edges: dict[str, set[str]]) -> set[str]:
    """Modules that lie on a circle: what is left when those that know nothing else left are taken away, both ways."""
    left = dict(edges)
    while True:
        free = {name for name in left if not left[name] & left.keys()}
        free |= {name for name in left if not any(name in targets for other, targets in left.items() if other != name)}
        if not free:
            return set(left)
        left = {name: targets for name, targets in left.items() if name not in free}


def test_no_circles():
    """Imports inside functions and for type checkers counted."""
    edges = {name: {module_of(target) for _, target in imports(name)} - {name, "bayesmix"} for name in INNER}
    edges["comparison"] -= {"present.plots"}
    assert circles(edges) == set()


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}


NAMES = re.compile(
    r"\b(family|link|families|links)(\[\d\])?\.name\s*(==|!=|in\b|not in\b)|match \S*(family|link)\.name"
)


def test_no_name_of_a_family_or_link_is_compared():
    """What other modules ask of a family or a link is a field of its record."""
    others = [name for name in INNER if not name.startswith("language.families")]
    found = {name: NAMES.findall(MODULES[name].read_text(encoding="utf-8")) for name in others}
    assert {name: compared for name, compared in found.items() if compared} == {}


def test_comparisons_of_names_are_found():
    assert NAMES.search('if spec.family.name == "gaussian":')
    assert NAMES.search("if link.name in LATENT:")
    assert not NAMES.search("print(family.name)")


# ---- what is loaded when -------------------------------------------------------------------------------------------


def loaded(code: str, watched: tuple[str, ...]) -> set[str]:
    """Which of the libraries a fresh interpreter has loaded after running the code."""
    report = f"import sys\nprint(','.join(sorted({set(watched)!r} & set(sys.modules))))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(filter(None, result.stdout.strip().splitlines()[-1].split(","))) if result.stdout.strip() else set()


LIGHT = (*HEAVY, "pandas", "scipy", "xarray", "narwhals")


@pytest.mark.parametrize(
    "code",
    [
        "import bayesmix",
        "import bayesmix.language.formula.parse",
        "import bayesmix.language.formula.model_spec",
        "import bayesmix.errors",
    ],
)
def test_importing_is_light(code):
    assert loaded(code, LIGHT) == set()


def test_the_watch_sees_what_is_loaded():
    assert loaded("import pandas", LIGHT) >= {"pandas"}


def test_a_point_estimate_never_pays_for_pytensor():
    code = (
        "import bayesmix as bmx\n"
        'model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))\n'
        "fit = model.estimate()\n"
        "fit.parameters(), fit.ranef(), fit.coef(), fit.varcorr(), fit.fitted(), fit.residuals(), fit.predict()\n"
        "str(model)"
    )
    assert loaded(code, HEAVY) == set()


def test_importing_is_fast():
    """Under 0.4 s. Interpreter and NumPy included, on a busy machine: best of three."""
    from time import perf_counter

    times = []
    for _ in range(3):
        start = perf_counter()
        loaded("import bayesmix", ())
        times.append(perf_counter() - start)
    assert min(times) < 0.4
