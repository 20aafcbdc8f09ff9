"""Methods by their names, and which models they fit."""

from __future__ import annotations

import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.methods import Agq, Laplace, Ml, Reml, likelihood_method, resolve_method
from bayesmix.language.formula.model_spec import ModelSpec, make_spec

LINEAR = make_spec("y ~ x + (1 | g)", "gaussian", None, None)
COUNTS = make_spec("y ~ x + (1 | g)", "poisson", None, None)
CURVED = make_spec("y ~ x + (1 | g)", "gaussian", "log", None)
SIGMA = make_spec(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian", None, None)


@pytest.mark.parametrize(
    ("text", "spec", "right"),
    [
        ("auto", LINEAR, Reml()),
        ("REML", LINEAR, Reml()),
        ("ml", LINEAR, Ml()),
        ("auto", COUNTS, Laplace()),
        ("ml", COUNTS, Laplace()),  # maximum likelihood of these is by Laplace's approximation
        ("agq", COUNTS, Agq(9)),
        ("auto", CURVED, Laplace()),
        ("auto", SIGMA, Laplace()),
        ("reml", SIGMA, Reml()),  # of the fixed effects of the means
    ],
)
def test_text_stands_for_a_method(text: str, spec: ModelSpec, right: object) -> None:
    assert resolve_method(text, spec) == right


@pytest.mark.parametrize(
    ("method", "spec", "message"),
    [
        (
            "remel",
            LINEAR,
            r"method `remel` does not exist\. Did you mean `reml`\? Methods: reml, ml, laplace, agq, auto",
        ),
        ("laplace", LINEAR, r"family `gaussian` and link `identity`: use Reml\(\) or Ml\(\)"),
        ("reml", COUNTS, r"family `poisson` and link `log`: use Laplace\(\) or Agq\(points=\.\.\.\)"),
        (Ml(), SIGMA, r"formulas of several parameters.*: use Reml\(\), Laplace\(\) or Agq"),
        (3, LINEAR, "a record such as bmx.Agq"),
    ],
)
def test_methods_that_do_not_fit_are_refused(method: object, spec: ModelSpec, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        resolve_method(method, spec)  # type: ignore[arg-type]


@pytest.mark.parametrize("points", [0, -3, 101])
def test_quadrature_has_between_one_and_a_hundred_points(points: int) -> None:
    with pytest.raises(SpecError, match=f"not {points}"):
        bmx.Agq(points)


@pytest.mark.parametrize(
    ("method", "spec", "right"),
    [(Reml(), LINEAR, Ml()), (Ml(), LINEAR, Ml()), (Reml(), SIGMA, Laplace()), (Agq(5), COUNTS, Agq(5))],
)
def test_likelihoods_of_all_data_are_by_ml(method: object, spec: ModelSpec, right: object) -> None:
    """Those of REML are of contrasts, and cannot be compared between fixed effects."""
    assert likelihood_method(method, spec) == right  # type: ignore[arg-type]
