"""A specification as words: the arguments of `make_spec` that read back to it, as text and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bayesmix.language.families.link import Link
from bayesmix.language.formula.left_sides import name_of
from bayesmix.language.formula.model_spec import ModelSpec, Response, make_spec
from bayesmix.language.priors.prior import Prior


def spec_words(spec: ModelSpec) -> dict[str, Any]:
    """Formulas, families, links and priors as `read_spec` takes them."""
    curve = spec.family.curve
    nonlinear = {} if curve is None else {"nonlinear": list(curve.parameters), "start": dict(curve.starts)}
    priors = {"preset": spec.preset} | {name: _prior_text(prior) for name, prior in spec.priors.items()}
    if spec.is_simple:
        return {"formula": spec.text, "family": spec.family.name, "link": spec.link.name, "priors": priors}
    families = {response.label: response.family.name for response in spec.responses}
    links = {key: link.name for response in spec.responses for key, link in _links(response)}
    family = families if len(families) > 1 else spec.family.name
    return {"formula": spec.text, "family": family, "link": links, "priors": priors, "rescor": spec.rescor, **nonlinear}


def _links(response: Response) -> Iterator[tuple[str, Link]]:
    """The links of a response's parameters, by what a dictionary of links may call them without doubt."""
    for parameter, link in zip(response.family.parameters, response.links, strict=True):
        is_mean = parameter is response.family.parameters[0]
        is_by_data = parameter.is_threshold or parameter.of_threshold or (parameter.is_mean and not is_mean)
        is_of_mean = parameter.is_of_curve or parameter.is_slope or parameter.is_monotonic or parameter.simplex
        if parameter.is_known or is_of_mean or is_by_data:
            continue  # the data say which there are, and they have the link of the first
        if is_mean:
            made = response.family.curve or response.family.steps
            yield response.label, link if made is None else made.link
        else:
            yield f"{parameter.name}_{name_of(response.label)}", link


def read_spec(words: Mapping[str, Any]) -> ModelSpec:
    """Read the specification of a model from words as `spec_words` writes them."""
    formula, family, link, priors = (words[key] for key in ("formula", "family", "link", "priors"))
    rescor, start, parameters = words.get("rescor", False), words.get("start"), words.get("nonlinear", ())
    return make_spec(
        formula, family, link, priors, rescor=rescor, start=start, is_column=lambda name: name not in parameters
    )


def _prior_text(prior: Prior) -> str:
    """Text that reads back to the same numbers, to the last bit."""
    return f"{prior.kind}({', '.join(map(repr, map(float, prior.arguments)))})"
