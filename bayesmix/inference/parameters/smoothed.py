"""Models whose densities have kinks, and smooth ones next to them: what searches and coordinates of samplers go by."""

from __future__ import annotations

from dataclasses import replace

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import ModelSpec


def kinked(spec: ModelSpec) -> Family | None:
    """The first family whose density has no second derivative somewhere."""
    return next((one.family for one in spec.responses if one.family.smooth is not None), None)


def check_smooth(spec: ModelSpec) -> None:
    """Raise `SpecError` where the density of a response has kinks.

    Laplace's approximation and quadrature go by the curvature at a mode, and modes are at kinks.
    """
    family = kinked(spec)
    if family is not None:
        raise SpecError(
            f"The density of family `{family.name}` has a kink at mu and no curvature elsewhere: Laplace's"
            " approximation, quadrature around a mode and the marginal sampler cannot be right. Sample with NUTS:"
            " model.sample()."
        )


def smoothed(spec: ModelSpec) -> ModelSpec:
    """The specification with the smooth families next to those whose densities have kinks; itself for most."""
    if kinked(spec) is None:
        return spec
    responses = tuple(replace(one, family=one.family.smooth or one.family) for one in spec.responses)
    return replace(spec, family=spec.family.smooth or spec.family, responses=responses)
