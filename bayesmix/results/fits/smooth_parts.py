"""Smooths of a fit: which fixed effects and terms each curve, or the curves of all levels, are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.learnt_smooth import LearntSmooth
from bayesmix.data.design.term import PenalisedBlock, Term
from bayesmix.language.formula.model_spec import ModelSpec, Predictor
from bayesmix.language.formula.smooths import Smooth


@dataclass(frozen=True, slots=True, eq=False)
class SmoothPart:
    """One curve of a smooth: all of it, or that of one level of a factor, of ``by`` or of ``bs = "fs"``."""

    predictor: int
    smooth: Smooth
    label: str  # "s(x)", "s(x):fb", "sigma: s(x)", "s(x,g):g1"
    level: str | None  # of the factor
    fixed: tuple[int, ...]  # places of its fixed effects
    terms: tuple[int, ...]  # places of its terms
    learnt: LearntSmooth
    group: str = ""  # expression of the grouping factor of `bs = "fs"`
    place: int = 0  # of its level in the terms, of which all others have one

    @property
    def factor(self) -> str:
        """Expression of the factor that has a curve for each level."""
        return self.group or (self.smooth.by if self.level is not None else "")

    @property
    def variables(self) -> tuple[str, ...]:
        """Expressions of the numbers that it is a function of."""
        return tuple(text for text in self.smooth.variables if text != self.group)

    @property
    def is_by_number(self) -> bool:
        """Whether the curve is a coefficient that a number is multiplied by."""
        return bool(self.smooth.by) and self.level is None

    @property
    def first(self) -> Array:
        """The first function of mgcv's basis in the coefficients of the fixed effects and terms."""
        whole = np.column_stack([self.learnt.fixed, *self.learnt.penalised])
        return np.asarray(np.linalg.lstsq(whole, self.learnt.first, rcond=None)[0])


def smooth_parts(spec: ModelSpec, design: Design) -> list[SmoothPart]:
    """The curves of the smooths that are part of the population, in the order of the formulas."""
    if design.encoder is None or not any(term.is_population for term in design.terms):
        return []
    return list(_parts(spec, design))


def level_parts(spec: ModelSpec, design: Design) -> list[SmoothPart]:
    """The curves of the levels of grouping factors, in the order of the formulas."""
    return list(_level_parts(spec, design)) if design.encoder is not None else []


def _level_parts(spec: ModelSpec, design: Design) -> Iterator[SmoothPart]:
    assert design.encoder is not None
    found = level_curves(spec, design)
    for r, smooth in _level_smooths(spec):
        label = _label(design.layout.prefixes[r], smooth, "")
        if label not in found:
            continue
        terms = tuple(found[label])
        encoder = design.encoder.terms[terms[0]]
        block = encoder.parts[0].matrix
        assert isinstance(block, PenalisedBlock)
        learnt = design.encoder.memory[block.text]
        assert isinstance(learnt, LearntSmooth)
        for place, level in enumerate(encoder.levels):
            yield SmoothPart(
                r, smooth, f"{label}:{level}", level, (), terms, learnt, group=encoder.factors[0], place=place
            )


def level_curves(spec: ModelSpec, design: Design) -> dict[str, list[int]]:
    """Places of the terms of each smooth that has a curve for each level of a factor, by what the smooth is called."""
    found: dict[str, list[int]] = {}
    for r, smooth in _level_smooths(spec):
        prefix = design.layout.prefixes[r]
        terms = [t for t, term in enumerate(design.terms) if _is_of(term, prefix + smooth.label)]
        if terms:
            found[_label(prefix, smooth, "")] = terms
    return found


def _level_smooths(spec: ModelSpec) -> Iterator[tuple[int, Smooth]]:
    for r, one in enumerate(spec.parameters):
        for smooth in one.formula.smooths if isinstance(one, Predictor) else ():
            if smooth.bases == ("fs",):
                yield r, smooth


def _is_of(term: Term, name: str) -> bool:
    return not term.is_population and term.smooth.rpartition("_")[0] == name


def _parts(spec: ModelSpec, design: Design) -> Iterator[SmoothPart]:
    assert design.encoder is not None
    places = {term.smooth: t for t, term in enumerate(design.terms) if term.is_population}
    for r, one in enumerate(spec.parameters):
        for smooth in one.formula.smooths if isinstance(one, Predictor) else ():
            learnt = design.encoder.memory.get(smooth.text)
            if not isinstance(learnt, LearntSmooth):
                continue
            prefix = design.layout.prefixes[r]
            for j, (own, names, blocks) in enumerate(learnt.owners):
                terms = tuple(places[prefix + block] for block in blocks if prefix + block in places)
                fixed = tuple(design.fixed.index(prefix + name) for name in names if prefix + name in design.fixed)
                level = learnt.levels[j] if learnt.known is not None else None
                yield SmoothPart(r, smooth, _label(prefix, smooth, own), level, fixed, terms, learnt)


def _label(prefix: str, smooth: Smooth, own: str) -> str:
    """As mgcv calls it, after the parameter that it is of."""
    of = f"{prefix.removesuffix('_')}: " if prefix else ""
    return f"{of}{smooth.function}({','.join(smooth.variables)}){f':{own}' if own else ''}"
