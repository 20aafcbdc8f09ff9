"""Models of responses of several categories, which the data name."""

from __future__ import annotations

from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.data.design.rebuild import rebuild
from bayesmix.errors import BayesmixWarning, warn_user
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.response_levels import with_levels

MANY = 20  # categories from which on a model of them takes long, and numbers may have been meant


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
    for response, own in zip(spec.responses, levels, strict=True):
        if own is not None and len(own) > MANY:
            warn_user(_of_many(response.label, len(own), response.family), BayesmixWarning)
    spec = with_levels(spec, levels)
    return spec, rebuild(parts_of(spec), design.source)


def _of_many(name: str, count: int, family: Family) -> str:
    own = "a threshold between each two of them" if family.is_ordered else "coefficients of its own for each but one"
    return (
        f"The response `{name}` has {count} categories: family {family.name} has {own}, and takes time by the square of"
        ' their number or more. If these are numbers, family="gaussian" is for them, counts are for "poisson" or'
        ' "negbinomial"; if they are categories, merge those with few rows, as `pandas.cut` does.'
    )
