"""What tells the model of one study from that of another, for checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.model_spec import ModelSpec


def parts_of_model(spec: ModelSpec, design: Design, priors: Priors | None = None) -> Iterator[Any]:
    """Formula, families and links, the numbers of the design, and the priors: arguments of `fingerprint`."""
    yield spec.text
    yield [(one.family.name, [link.name for link in one.links]) for one in spec.responses]
    yield from (design.X, design.offset)
    for term in design.terms:
        yield from (term.group, term.structure, term.codes, term.z)
        if term.relation is not None:
            yield from (term.relation.row, term.relation.column, term.relation.value)
    if design.data.blocks is not None:
        yield from (design.data.blocks.block, design.data.blocks.place)
    for outcome in design.outcomes:
        yield from outcome.arrays
    if priors is not None:
        yield [(name, str(prior)) for name, prior, _ in priors.rows()]
