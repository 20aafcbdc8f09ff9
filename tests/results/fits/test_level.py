"""Levels of intervals: every function that takes one refuses what is not a probability between 0 and 1."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix import studies

WRONG = [-1, 0, 0.0, 1, 1.0, 95, 1.5, float("nan"), float("inf"), "x", "0.9", None, True, [0.5, 0.9]]
OF_FITS: dict[str, Callable[..., Any]] = {
    "predict": lambda fit, **level: fit.predict(**level),
    "tidy": lambda fit, **level: fit.tidy(**level),
    "conditional_effects": lambda fit, **level: fit.conditional_effects("Days", **level),
    "marginal_means": lambda fit, **level: fit.marginal_means("Days", **level),
    "contrasts": lambda fit, **level: fit.contrasts("Days", **level),
    "slopes": lambda fit, **level: fit.slopes("Days", **level),
    "hypothesis": lambda fit, **level: fit.hypothesis("Days > 0", **level),
    "smooths": lambda fit, **level: fit.smooths(**level),
    "imputed": lambda fit, **level: fit.imputed(**level),
    "plots.smooths": bmx.plots.smooths,
    "plots.effects_forest": bmx.plots.effects_forest,
    "plots.forest": bmx.plots.forest,
    "plots.caterpillar": bmx.plots.caterpillar,
    "plots.pooling": bmx.plots.pooling,
    "plots.mean_curves": bmx.plots.mean_curves,
    "plots.categories": bmx.plots.categories,
}
OF_ESTIMATES: dict[str, Callable[..., Any]] = {
    "Estimate.confint": lambda fit, **level: fit.confint(**level),
}
OF_POSTERIORS: dict[str, Callable[..., Any]] = {
    "Posterior.parameters": lambda fit, **level: fit.parameters(**level),
    "Posterior.ppc": lambda fit, **level: fit.ppc(**level),
}
OF_COMPARISONS: dict[str, Callable[..., Any]] = {
    "Comparison.intervals": lambda both, **level: both.intervals(**level),
    "Comparison.coverage": lambda both, **level: both.coverage(2, **level),
}
OF_MODELS: dict[str, Callable[..., Any]] = {
    "calibrate": lambda model, **level: studies.calibrate(model, 2, **level),
    "standard_errors": lambda _, **level: studies.standard_errors(**level),
    "plots.coverage": lambda _, **level: bmx.plots.coverage(pd.DataFrame({"wald": [0.9]}, index=["x"]), **level),
}


def takes_level(function: Any) -> str | None:
    """The name of the argument that is a level, None if there is none."""
    known = inspect.signature(function).parameters if inspect.isfunction(function) else {}
    return next((name for name in ("interval", "level") if name in known), None)


def public_functions() -> dict[str, str]:
    """Every public function or method that takes a level, with the name of the argument."""
    places = {"": bmx, "plots.": bmx.plots, "studies.": studies}
    places |= {f"{one.__name__}.": one for one in (bmx.Estimate, bmx.Posterior, bmx.Comparison)}
    found = {}
    for prefix, place in places.items():
        for name in dir(place) if isinstance(place, type) else place.__all__:
            argument = None if name.startswith("_") else takes_level(getattr(place, name))
            if argument is not None:
                found[prefix + name] = argument
    return found


PUBLIC = public_functions()


def argument_of(name: str) -> str:
    return next(argument for full, argument in PUBLIC.items() if full == name or full.split(".")[-1] == name)


def test_the_table_is_complete() -> None:
    tested = {**OF_FITS, **OF_ESTIMATES, **OF_POSTERIORS, **OF_COMPARISONS, **OF_MODELS}
    untested = [name for name in PUBLIC if name not in tested and name.split(".")[-1] not in tested]
    assert untested == []
    assert len(PUBLIC) >= 20


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_levels_are_refused_everywhere(fitted: Any, posterior_of: Any, model: Any, wrong: object) -> None:
    estimate, posterior = fitted("sleepstudy"), posterior_of("sleepstudy", spread=0.01)
    calls = [(name, call, fit) for name, call in OF_FITS.items() for fit in (estimate, posterior)]
    calls += [(name, call, estimate) for name, call in OF_ESTIMATES.items()]
    calls += [(name, call, posterior) for name, call in OF_POSTERIORS.items()]
    calls += [(name, call, model("sleepstudy")) for name, call in OF_MODELS.items()]
    both = bmx.compare(posterior, estimate, causes=False)
    calls += [(name, call, both) for name, call in OF_COMPARISONS.items()]
    for name, call, subject in calls:
        argument = argument_of(name)
        with pytest.raises(bmx.SpecError, match=rf"^{argument} is a probability between 0 and 1, such as 0.95, not "):
            call(subject, **{argument: wrong})


def test_a_percentage_is_named(fitted: Any) -> None:
    with pytest.raises(bmx.SpecError, match=r"not 95\. For 95 % write level=0\.95\.$"):
        fitted("sleepstudy").confint(level=95)
