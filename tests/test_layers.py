"""The layer rule of CONTRIBUTING, and what may not be imported when."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmix

PACKAGE = Path(bayesmix.__file__).parent
STAGES = ("language", "data", "inference", "results", "present", "studies")
ROOT = {"errors": 0, "model": len(STAGES), "__init__": len(STAGES)}  # anyone's, and those that may know everyone

# importing module -> root modules it may know although they come later
ALLOWED = {
    "results.datatree": {"bayesmix"},  # the version, written into the tree
    "results.compare": {"present.plots"},  # `Comparison.plot`, a façade that imports it when called
    "present": {"model", "bayesmix"},  # the command line starts where a user does
    "studies": {"model", "bayesmix"},  # models as black boxes
}
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "bambi", "formulaic", "matplotlib")


def modules() -> dict[str, Path]:
    """Dotted name below the package -> file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


MODULES = modules()


def imports(name: str) -> list[tuple[int, str]]:
    """Line and target of every import of the package in a module, those inside functions and TYPE_CHECKING too."""
    package = name.split(".")[:-1] if MODULES[name].name != "__init__.py" else name.split(".")
    found = []
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
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


def module_of(target: str) -> str:
    """The module, below the package, that an import names: `bayesmix` itself for names of its own."""
    parts = target.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts = parts[:-1]
    return ".".join(parts) or "bayesmix"


def stage(module: str) -> int:
    first = module.partition(".")[0]
    if first == "bayesmix":
        return ROOT["__init__"]
    return ROOT[first] if first in ROOT else STAGES.index(first) + 1


def is_allowed(module: str, target: str) -> bool:
    own = (module, module.partition(".")[0])
    return stage(target) <= stage(module) or any(target in ALLOWED.get(name, ()) for name in own)


def test_every_folder_is_a_stage():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders == set(STAGES)
    roots = {path.stem for path in PACKAGE.glob("*.py")}
    assert roots <= ROOT.keys() | {"__main__"}


@pytest.mark.parametrize("name", MODULES)
def test_a_stage_knows_itself_and_earlier_ones(name):
    later = [f"line {line}: {target}" for line, target in imports(name) if not is_allowed(name, module_of(target))]
    assert not later


@pytest.mark.parametrize("name", ALLOWED)
def test_allowances_are_used_or_gone(name):
    users = [module for module in MODULES if module == name or module.startswith(f"{name}.")]
    if name in STAGES and all(MODULES[module].stat().st_size == 0 for module in users):
        pytest.skip("the stage is empty so far")
    targets = {module_of(target) for module in users for _, target in imports(module)}
    assert targets & ALLOWED[name]


def test_the_rule_sees_what_it_should():
    """Late and relative imports, and those of type checkers."""
    assert module_of("bayesmix.results.fit.Fit") == "results.fit"
    assert module_of("bayesmix.__version__") == "bayesmix"
    assert module_of("bayesmix.model.Model") == "model"
    assert not is_allowed("data.design", "inference.pls")
    assert not is_allowed("language.families.family", "model")
    assert is_allowed("inference.pls", "data.moments")
    assert is_allowed("language.prior", "errors")
    assert is_allowed("model", "results.fit")
    assert "results.fit" in {module_of(target) for _, target in imports("model")}  # imported inside functions
    assert any(imports(name) for name in MODULES)


def test_no_import_cycles_at_module_level():
    """Imports that run when a module is loaded form no circle."""
    edges: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lines = {
            node.lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
        }  # neither in functions nor under TYPE_CHECKING
        edges[name] = {module_of(target) for line, target in imports(name) if line in lines} - {name, "bayesmix"}
    done: set[str] = set()
    while edges.keys() - done:
        free = {name for name in edges.keys() - done if edges[name] <= done}
        assert free, f"a circle among {sorted(edges.keys() - done)}"
        done |= free


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
    ["import bayesmix", "import bayesmix.language.formula", "import bayesmix.language.spec", "import bayesmix.errors"],
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
