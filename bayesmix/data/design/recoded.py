"""The fixed columns of a design in other codings of its factors: a column for every level, treatment contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bayesmix.arrays import Array
from bayesmix.data.columns import Variable
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import evaluate_all
from bayesmix.data.design.matrix import ModelMatrix, assemble
from bayesmix.errors import SpecError

Coding = Callable[[ModelMatrix, Mapping[str, Variable]], ModelMatrix]


def recipe_of(design: Design, predictor: int) -> ModelMatrix:
    """How the fixed columns of a predictor are made.

    Raises
    ------
    SpecError
        If the design was made by hand.
    """
    if design.encoder is None or design.source is None:
        raise SpecError("This fit does not know its terms: its design was made by hand.")
    return design.encoder.predictors[predictor].fixed


def recoded(design: Design, predictor: int, *codings: Coding) -> list[tuple[ModelMatrix, Array]]:
    """Recipes and columns ``(n, ...)`` of a predictor in other codings, on the rows of the design."""
    matrix = recipe_of(design, predictor)
    assert design.encoder is not None
    assert design.source is not None
    memory, condensed = dict(design.encoder.memory), design.source.condensed
    variables: Mapping[str, Variable]
    if condensed is not None:
        variables = {text: condensed.evaluate(text, memory) for text in matrix.terms.used}
    else:
        variables = evaluate_all(matrix.terms.used, design.source.columns, memory, design.rows)
    others = [coding(matrix, variables) for coding in codings]
    return [(other, assemble(other, variables, design.n)) for other in others]
