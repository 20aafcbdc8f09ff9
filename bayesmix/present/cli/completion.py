"""What a shell offers when the tab key is pressed, after ``bayesmix --install-completion``."""

from __future__ import annotations

from collections.abc import Iterable
from glob import escape, glob


def model_files(incomplete: str) -> list[str]:
    """Names of the model files that come with bayesmix, and paths of others."""
    from bayesmix.data.model_file import model_names

    return [*_starting(model_names(), incomplete), *_paths(incomplete, ".toml")]


def data_sets(incomplete: str) -> list[str]:
    """Names of the data sets that come with bayesmix."""
    from bayesmix.data.datasets import dataset_names

    return _starting(dataset_names(), incomplete)


def data(incomplete: str) -> list[str]:
    """Names of data sets, and paths of files."""
    return [*data_sets(incomplete), *_paths(incomplete, "")]


def families(incomplete: str) -> list[str]:
    """Names of families."""
    from bayesmix.language.families.registry import FAMILIES

    return _starting(FAMILIES, incomplete)


def presets(incomplete: str) -> list[str]:
    """Names of presets of priors."""
    from bayesmix.language.priors.presets import PRESETS

    return _starting(PRESETS, incomplete)


def estimates(incomplete: str) -> list[str]:
    """Methods of an estimate."""
    return _starting(("auto", "reml", "ml", "laplace", "agq"), incomplete)


def methods(incomplete: str) -> list[str]:
    """Methods of an estimate and of a posterior."""
    return [*estimates(incomplete), *_starting(("posterior", "marginal", "nuts", "advi", "pathfinder"), incomplete)]


def samplers(incomplete: str) -> list[str]:
    """Methods of a posterior."""
    return _starting(("auto", "marginal", "nuts", "advi", "pathfinder"), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _paths(incomplete: str, ending: str) -> list[str]:
    return sorted(glob(f"{escape(incomplete)}*{ending}"))
