"""A model in words and symbols before it is fitted: maths, terms, levels, every prior in data units."""

from __future__ import annotations

import numpy as np

from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.response import in_words
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.model_spec import ModelSpec


def describe_model(spec: ModelSpec, design: Design, priors: Priors) -> str:
    """The expanded model as text."""
    lines = [f"Formula: {spec.text}", f"Family: {spec.family.title} ( {spec.link.name} )"]
    lines.append("; ".join(part for part in (f"Data: {len(design.y)} rows{_dropped(design)}", _groups(design)) if part))
    if design.categories is not None:
        lines.append(in_words(design.response, design.categories))
    lines += ["", "Model", *maths(spec, design)]
    lines += ["", "Priors", *priors.lines()]
    return "\n".join(lines)


def _dropped(design: Design) -> str:
    missing = design.n_given - len(design.y)
    return f" ({missing} dropped for missing values)" if missing else ""


def _groups(design: Design) -> str:
    sizes = {term.group: len(term.levels) for term in design.terms}
    return ", ".join(f"{group} with {levels} levels" for group, levels in sizes.items())


def maths(spec: ModelSpec, design: Design) -> list[str]:
    """The model in symbols, one line a distribution."""
    eta = "mu[i]" if spec.link.is_identity else f"{spec.link.name}(mu[i])"
    fixed = " + ".join("beta[Intercept]" if name == "Intercept" else f"beta[{name}] {name}[i]" for name in design.fixed)
    random = [f"b[{term.group}: {_sum(term)}]" for term in design.terms]
    offset = ["offset[i]"] if np.any(design.offset != 0.0) else []
    lines = [f"  {design.response}[i] ~ {spec.family.words or spec.family.name}"]
    if np.any(design.weights != 1.0):
        lines[0] += "  with weights"
    lines.append(f"  {eta} = {' + '.join([part for part in (fixed, *random, *offset) if part])}")
    return lines + [f"  {_distribution(term)}" for term in design.terms]


def _sum(term: Term) -> str:
    parts = ["1" if effect == "Intercept" else f"{effect}[i]" for effect in term.effects]
    return " + ".join(parts)


def _distribution(term: Term) -> str:
    levels = f"b[{term.group}], each of {len(term.levels)} levels"
    if len(term.effects) == 1:
        return f"{levels} ~ Normal(0, sd({term.group}, {term.effects[0]}))"
    shape = structure_of(term).correlation.words
    common = ", one sd for all" if structure_of(term).is_homogeneous else ""
    return f"{levels} ~ Normal(0, Sigma): {len(term.effects)} {shape} effects ({', '.join(term.effects)}){common}"
