"""Models of responses of several categories, which the data name."""

from __future__ import annotations

from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.data.design.rebuild import rebuild
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.response_levels import with_levels


def with_categories(spec: ModelSpec, design: Design) -> tuple[ModelSpec, Design]:
    """A model and its design with the categories that the data have: themselves where no response is of such a kind.

    Parameters
    ----------
    design : of the model as it is before the data are known.
    """
    levels = [
        outcome.categories if response.family.levels else None
        for response, outcome in zip(spec.responses, design.outcomes, strict=True)
    ]
    if not any(levels) or design.source is None:
        return spec, design
    spec = with_levels(spec, levels)
    return spec, rebuild(parts_of(spec), design.source)
