"""A model in words and symbols before it is fitted: maths, terms, levels, every prior in data units."""

from __future__ import annotations

from re import escape, sub

import numpy as np

from bayesmix.data.design.design import Design, Term
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.steps import MonotonicEffect
from bayesmix.language.formula.imputed_predictors import imputed_response
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.results.tables.r_printing import paragraph
from bayesmix.results.tables.summary_sections import category_lines, family_lines, formula_lines

MOST = 8  # effects of a term that are named
NAME = r"(?<![\w.])(`[^`]+`|(?:[^\W\d]|\.)[\w.]*)(?![\w.(])"  # in a nonlinear formula, of no function


def describe_model(spec: ModelSpec, design: Design, priors: Priors) -> str:
    """The expanded model as text."""
    lines = [*formula_lines(spec), *(line[1:].replace("  ( ", " ( ") for line in family_lines(spec))]
    lines.append(data_line(design))
    lines += category_lines(spec, design)
    lines += ["", "Model", *maths(spec, design)]
    lines = [line for whole in lines for line in paragraph(whole, indent=4)]
    lines += ["", "Priors", *priors.lines()]
    return "\n".join(lines)


def data_line(design: Design) -> str:
    """How many rows and levels there are."""
    return "; ".join(part for part in (f"Data: {design.n_used} rows{_dropped(design)}", _groups(design)) if part)


def _dropped(design: Design) -> str:
    missing = design.n_given - design.n_used
    return f" ({missing} dropped for missing values)" if missing else ""


def _groups(design: Design) -> str:
    return ", ".join(f"{group} with {levels} levels" for group, levels in design.group_sizes.items())


def maths(spec: ModelSpec, design: Design) -> list[str]:
    """The model in symbols, one line a distribution and a linear predictor."""
    lines = []
    for number, (response, outcome) in enumerate(zip(spec.responses, design.outcomes, strict=True)):
        own = {one.parameter: r for r, one in enumerate(spec.parameters) if one.response == number}
        weights = "  with weights" if np.any(outcome.weights != 1.0) and not outcome.has_known_noise else ""
        lines.append(f"  {response.label}[i] ~ {_words(spec, number)}{weights}")
        if number in spec.incomplete:
            lines.append(f"  {response.label}[i] is missing in {int(np.sum(~outcome.seen))} rows: integrated out")
        lines += [_predictor(spec, design, own[parameter]) for parameter in sorted(own)]
    if spec.rescor:
        names = ", ".join(one.name for one in spec.residual_correlations)
        lines.append(f"  residuals of a row are correlated: {names}")
    if spec.has_row_covariance:
        lines.append(f"  residuals of a block are correlated: {spec.formula.residual}")
    return [line for line in lines if line] + [f"  {_distribution(term)}" for term in design.terms]


def _words(spec: ModelSpec, number: int) -> str:
    """The distribution of a response, with the names of its parameters; those with a formula have an index."""
    response = spec.responses[number]
    text = response.family.words or response.family.name
    if response.has_known_noise:
        text = sub(r"\bsigma\b(\[i\])?", "se[i]", text)
    if spec.is_simple:
        return text
    for one in spec.parameters:
        if one.response == number:
            name = response.family.parameters[one.parameter].name
            symbol = _symbol(spec, one).replace("\\", r"\\")  # names of levels may be anything
            text = sub(rf"\b{escape(name)}\b(\[i\])?", symbol, text)
    return text


def _symbol(spec: ModelSpec, one: Predictor | Auxiliary) -> str:
    """A parameter: ``mu[i]``, ``sigma_a[i]``, and without a formula ``sigma_a``."""
    if isinstance(one, Auxiliary):
        return one.name
    response = spec.responses[one.response]
    name = response.family.parameters[one.parameter].name
    return f"{name}_{response.name}[i]" if response.name else f"{name}[i]"


def _predictor(spec: ModelSpec, design: Design, r: int) -> str:
    """The line of a linear predictor; none of a parameter that is one number for all rows."""
    one = spec.parameters[r]
    if isinstance(one, Auxiliary):
        return ""
    if r in design.layout.slopes:
        return ""  # part of the mean
    if one.formula.is_implied and not spec.responses[one.response].family.parameters[one.parameter].of_threshold:
        return _known(spec, one)
    curve, steps = spec.responses[one.response].family.curve, spec.responses[one.response].family.steps
    if curve is not None and not one.parameter:
        added = " + offset[i]" if np.any(design.offset[design.block(r)] != 0.0) else ""
        value = "curve[i]" if curve.link.is_identity else f"{curve.link.name}(curve[i])"
        return f"  {value} = {sub(NAME, r'\1[i]', curve.text)}{added}"
    symbol = _symbol(spec, one)
    link = one.link if steps is None or one.parameter else steps.link
    eta = symbol if link.range == "real" else f"{link.name}({symbol})"
    prefix = design.layout.prefixes[r]
    fixed = " + ".join([_fixed(design, r), *(_slope(design, s) for s in _slopes(spec, design, r))])
    random = [_effects(spec, term, r, prefix) for term in design.terms if term.columns_of(r)]
    offset = ["offset[i]"] if np.any(design.offset[design.block(r)] != 0.0) else []
    monotonic = [_steps(effect) for effect in steps.effects] if steps is not None and not one.parameter else []
    return f"  {eta} = {' + '.join([part for part in (fixed, *monotonic, *random, *offset) if part]) or '0'}"


def _steps(effect: MonotonicEffect) -> str:
    """A monotonic effect: its slope, times the sum of the shares up to the category, times the number of steps."""
    times = f" {effect.multiplier.removeprefix('(').removesuffix(')')}[i]" if effect.multiplier else ""
    total = f"sum({effect.simplex}[1 .. {effect.code}[i]])" if effect.steps > 1 else f"{effect.code}[i]"
    return f"beta[{effect.name}] {effect.steps} {total}{times}"


def _known(spec: ModelSpec, one: Predictor) -> str:
    """The line of what each row has: its standard error; columns speak for themselves."""
    response = spec.responses[one.response]
    is_column = one.formula.offsets != (f"log({response.additions.se})",)
    return "" if is_column else f"  se[i] = {response.additions.se}[i], known"


def _fixed(design: Design, r: int) -> str:
    """The fixed effects of a linear predictor."""
    prefix, names = design.layout.prefixes[r], design.layout.fixed_of(r)
    return " + ".join(f"beta[{name}]{_times(name.removeprefix(prefix).removeprefix(':'))}" for name in names)


def _slopes(spec: ModelSpec, design: Design, r: int) -> list[int]:
    """The slopes of imputed predictors that are part of a mean."""
    one = spec.parameters[r]
    return [s for s in design.layout.slopes if spec.parameters[s].response == one.response and not one.parameter]


def _slope(design: Design, s: int) -> str:
    """A slope and what it is of."""
    names, own = design.layout.fixed_of(s), _fixed(design, s)
    return f"{own if len(names) == 1 else f'({own})'} {imputed_response(design.layout.slopes[s])}[i]"


def _times(column: str) -> str:
    return "" if column in ("Intercept", "") else f" {column}[i]"


def _effects(spec: ModelSpec, term: Term, r: int, prefix: str) -> str:
    """The effects of a term on a linear predictor; with their names where other predictors have effects, too."""
    names = [term.effects[e] for e in term.columns_of(r)]
    if term.is_population:
        return f"{term.smooth}[i]"
    if not spec.is_simple:
        return " + ".join(f"b[{term.group}, {name}]{_times(name.removeprefix(prefix))}" for name in names)
    return f"b[{term.group}: {' + '.join('1' if name == 'Intercept' else f'{name}[i]' for name in names)}]"


def _distribution(term: Term) -> str:
    if term.is_population:
        functions = "basis functions" if len(term.effects) > 1 else "basis function"
        count = f"{term.smooth}[i]: {len(term.effects)} {functions}, coefficients"
        if term.spectrum is not None:
            return f"{count} ~ Normal(0, sdgp({term.smooth}) * {term.structure}'s density at lscale({term.smooth}))"
        return f"{count} ~ Normal(0, sds({term.smooth}))"
    are_related = ", related levels" if term.relation is not None else ""
    levels = f"b[{term.group}], each of {len(term.levels)} levels"
    if term.smooth:
        functions = f"{len(term.effects)} functions of a curve" if len(term.effects) > 1 else "one function of a curve"
        return f"{levels} ~ Normal(0, sds({term.smooth})): {functions} ({', '.join(term.effects)})"
    law = "Normal(" if term.is_normal else f"{'Student' if len(term.effects) == 1 else 'MvStudent'}T(df({term.group}), "
    if len(term.effects) == 1:
        return f"{levels} ~ {law}0, sd({term.group}, {term.effects[0]})){are_related}"
    shape = structure_of(term).correlation.words
    common = (", one sd for all" if structure_of(term).is_homogeneous else "") + are_related
    named = term.effects if len(term.effects) <= MOST else (*term.effects[: MOST - 2], "...", term.effects[-1])
    return f"{levels} ~ {law}0, Sigma): {len(term.effects)} {shape} effects ({', '.join(named)}){common}"
