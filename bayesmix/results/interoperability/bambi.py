"""bambi's models as ours, and ours as bambi's where bambi has them.

Columns are matched by their numbers, so that it does not matter what either package calls them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import Source
from bayesmix.data.design.rebuild import to_frame
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.centring import AT_MEANS, CENTRED, slopes_at_means
from bayesmix.inference.parameters.names import sd_names
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.nuts.pymc_model import ARGUMENTS
from bayesmix.language.formula.expression import Call, Chain, Name, spell, walk
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.priors.on_link import natural
from bayesmix.language.priors.prior import Prior, to_prior

SHARE = re.compile(r"^\s*(?:p|prop|proportion)\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*\)\s*~")
FAMILIES = {  # ours and bambi's, with its name of the number beside the mean; its others have several numbers
    "gaussian": ("gaussian", "sigma"),
    "poisson": ("poisson", ""),
    "binomial": ("binomial", ""),
    "bernoulli": ("bernoulli", ""),
    "negbinomial": ("negativebinomial", "alpha"),
    "gamma": ("gamma", "alpha"),
    "exponential": ("exponential", ""),
    "weibull": ("weibull", "alpha"),
    "inverse_gaussian": ("wald", "lam"),
    "beta": ("beta", "kappa"),
    "betabinomial": ("beta_binomial", "kappa"),
}
NUMBERS = dict(FAMILIES.values())
TRIALS = "trials_of_response"  # a column made for bambi, which wants successes and trials


# ---- bambi's as ours --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """A bambi model in our words."""

    formula: str
    data: Any
    family: str
    link: str


def read_model(model: Any) -> Words:
    """The words of a bambi model.

    Raises
    ------
    SpecError
        If it has formulas for more than the mean, or its family more numbers beside it than one.
    """
    if model.formula.additionals:
        raise SpecError(f"bambi's formulas for other parameters are not supported: {model.formula.additionals[0]}.")
    if NUMBERS.get(model.family.name) is None:
        raise SpecError(
            f"from_bambi does not take bambi's family `{model.family.name}`, only those of a mean and at most one"
            f' number: {", ".join(NUMBERS)}. Write bmx.Model(formula, data, family=..., priors="bambi").'
        )
    formula = SHARE.sub(r"\1/\2 ~", model.formula.main)
    parent = model.family.likelihood.parent
    return Words(formula, model.data, str(model.family.name), str(model.family.link[parent].name))


def read_priors(model: Any, design: Design, spec: ModelSpec) -> dict[str, Any]:
    """Priors of a bambi model under our names of the parameters of the same columns.

    Raises
    ------
    SpecError
        If a column of the design is not among bambi's, or a prior is of a kind that we have not.
    """
    _built(model)
    component = model.parameters[model.family.likelihood.parent]
    found: dict[str, Any] = {"preset": "bambi"}
    if component.intercept_term is not None:
        found[CENTRED if model.center_predictors else "Intercept"] = to_prior(component.intercept_term.prior)
    columns = [(term, j, column) for term in component.common_terms.values() for j, column in _columns(term.data)]
    for name, ours in zip(design.fixed, design.X.T, strict=True):
        if name != "Intercept":
            term, j = _match(name, ours, columns)
            found[name] = _element(term.prior, j)
    for own, names in zip(design.terms, sd_names(design.terms), strict=True):
        theirs = [
            (term, j, column)
            for name, term in component.group_specific_terms.items()
            if name.rpartition("|")[2] == own.group
            for j, column in _columns(_predictor(term, design))
        ]
        for name, ours in zip(names, own.z.T, strict=True):
            term, j = _match(name, ours, theirs)
            found[name] = _element(term.prior.args["sigma"], j)
    number = NUMBERS[model.family.name]
    if number:
        found[str(spec.dispersion)] = to_prior(model.parameters[number].prior)
    return found


def _built(model: Any) -> None:
    if not model.built:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.build()


def _columns(data: Any) -> Iterator[tuple[int, Array]]:
    array = np.asarray(data, float)
    yield from enumerate(array.reshape(len(array), -1).T)


def _match(name: str, ours: Array, theirs: Sequence[tuple[Any, int, Array]]) -> tuple[Any, int]:
    for term, j, column in theirs:
        if len(column) == len(ours) and np.allclose(column, ours, rtol=1e-8, atol=1e-12):
            return term, j
    raise SpecError(f"`{name}` has no column of the same numbers in bambi's model: factors are coded otherwise there.")


def _element(prior: Any, j: int) -> Prior:
    """Our prior of one column of a term."""
    import bambi

    def of(value: Any) -> Any:
        array = np.atleast_1d(np.asarray(value, float))
        return float(array[j if len(array) > 1 else 0])

    return to_prior(bambi.Prior(prior.name, **{name: of(value) for name, value in prior.args.items()}))


# ---- ours as bambi's --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Translation:
    """A model of ours in bambi's words."""

    formula: str
    data: Any
    family: str
    link: str
    is_centred: bool  # whether the intercept's prior is at the means of the predictors
    columns: Mapping[str, str]  # made for bambi, as expressions of the data
    priors: Mapping[str, Any]


def to_bambi(design: Design, spec: ModelSpec, priors: Priors) -> Any:
    """The ``bambi.Model``, built, with the same priors.

    Raises
    ------
    SpecError
        Naming what bambi cannot express: several responses, formulas of other parameters, correlated effects, weights,
        contrasts, functions, a family's own link.
    """
    return _built_of(translated(design, spec, priors))


def translated(design: Design, spec: ModelSpec, priors: Priors) -> Translation:
    """A model in bambi's words; `SpecError` names what bambi cannot express."""
    _check_simple(spec)
    response, frame, columns = _response(design, spec)
    text = f"{response} ~ {_right(design, spec.formula)}"
    family = "bernoulli" if spec.family.values.has_trials and not response.startswith("p(") else spec.family.name
    bare = Translation(text, frame, FAMILIES[family][0], spec.link.name, CENTRED in priors.names, columns, {})
    return replace(bare, priors=_bambi_priors(_built_of(bare), design, priors))


def _built_of(words: Translation) -> Any:
    import bambi

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bambi.Model(
            words.formula,
            words.data,
            family=words.family,
            link=words.link,
            priors=dict(words.priors) or None,
            center_predictors=words.is_centred,
        )
        model.build()
    return model


def _check_simple(spec: ModelSpec) -> None:
    beside = replace(spec.responses[0].additions, trials="")
    if str(beside):
        raise SpecError(f"to_bambi does not write `{beside}` beside a response: to_pymc() is this model for PyMC.")
    if len(spec.responses) > 1:
        raise SpecError(f"bambi's models have one response, not {', '.join(one.label for one in spec.responses)}.")
    if spec.formula.residual is not None:
        raise SpecError(
            f"bambi's models have independent residuals, and the model has `{spec.formula.residual}`. to_pymc() is this"
            " model for PyMC."
        )
    if any(one.formula.monotonic for one in spec.predictors):
        raise SpecError("bambi has no monotonic effects: make the variable a factor. to_pymc() is this model for PyMC.")
    if FAMILIES.get(spec.family.name) is None:
        raise SpecError(
            f"to_bambi does not write family `{spec.family.name}`, only {', '.join(FAMILIES)}. to_pymc() is this model"
            " for PyMC."
        )
    if not spec.is_simple:
        other = spec.predictors[1].formula
        raise SpecError(
            f"to_bambi takes the formula of the mean alone, and the model has another, `{other.text or other}`."
            " to_pymc() is this model for PyMC."
        )


def _source(design: Design) -> Source:
    """The data, where nothing stands beside them that bambi has not."""
    design.check_rows("A model for bambi")
    source = design.source
    if source is None:
        raise SpecError("This model's design was made by hand: there are no data for bambi.")
    for what, given in (("weights", source.arguments.weights), ("contrasts", source.contrasts)):
        if given:
            raise SpecError(f"bambi's models have no {what} as ours do: {given}.")
    if source.arguments.offset is not None:
        raise SpecError("Write the offset into the formula, offset(...), for bambi.")
    return source


def _response(design: Design, spec: ModelSpec) -> tuple[str, Any, dict[str, str]]:
    """The response in bambi's words, the data, and what columns were made for it."""
    frame = to_frame(_source(design).columns).iloc[design.rows].reset_index(drop=True)
    trials = spec.responses[0].additions.trials
    match read(design.response):
        case Name(name=name) if trials:
            if not isinstance(read(trials), Name):
                raise SpecError(f"bambi's trials are a column, not `trials({trials})`: make it a column.")
            return _out_of(name, trials, design, frame)
        case Name(name=name):
            return name, frame, {}
        case Call(function="cbind", arguments=(successes, failures)) if isinstance(successes.value, Name):
            name = successes.value.name
            return _out_of(name, f"{name} + ({spell(failures.value)})", design, frame)
        case Chain(operators=("/",), operands=(Name(name=successes), Name(name=trials))):
            columns = {successes: successes, trials: trials}
            return f"p({successes}, {trials})", frame.astype({successes: int, trials: int}), columns
    raise SpecError(f"bambi cannot have the response `{design.response}`: make it a column.")


def _out_of(name: str, trials: str, design: Design, frame: Any) -> tuple[str, Any, dict[str, str]]:
    """Successes out of trials, which are a column made for it."""
    made = {TRIALS: np.asarray(design.trials).astype(int), name: design.y.astype(int)}
    return f"p({name}, {TRIALS})", frame.assign(**made), {name: name, TRIALS: trials}


def _right(design: Design, formula: Formula) -> str:
    """Fixed part, offsets and bars; bambi's effects are independent, so each bar of several must be, too."""
    if formula.smooths:
        raise SpecError(f"bambi has no penalised smooths, `{formula.smooths[0]}`: leave it out, or take `bs()`.")
    grouped = next((bar for bar in formula.bars if bar.grouping.function), None)
    if grouped is not None:
        raise SpecError(f"bambi has no `{grouped.grouping.function}()`: `{grouped}` has no form there.")
    texts = [formula.fixed, *formula.offsets, *(bar.effects for bar in formula.bars)]
    for text in texts:
        for part in walk(read(text)):
            if isinstance(part, Call):
                raise SpecError(f"bambi would evaluate `{spell(part)}` in its own way: make it a column.")
    for term in design.terms:
        if len(term.effects) > 1 and term.structure != "diag":
            effects = " + ".join(term.effects)
            raise SpecError(
                f"bambi has no correlated effects, ({effects} | {term.group}). Write ({effects} || {term.group}) for"
                " independent ones."
            )
    offsets = [f"offset({offset})" for offset in formula.offsets]
    bars = [f"({bar.effects}|{':'.join(bar.group)})" for bar in formula.bars]
    return " + ".join([formula.fixed, *offsets, *bars])


def _bambi_priors(model: Any, design: Design, priors: Priors) -> dict[str, Any]:
    import bambi

    component = model.parameters[model.family.likelihood.parent]
    found: dict[str, Any] = {}
    fixed = dict(zip(priors.names, map(natural, priors.fixed), strict=True))
    for name in slopes_at_means(priors.names, design.layout):
        raise SpecError(
            f"bambi has the prior of `{name}` where what it is multiplied with is zero, here it is at the mean,"
            f' `{name}{AT_MEANS}`: centre the predictors, take priors="bambi", or state it at zero,'
            f' priors={{"{name}": "{fixed[name + AT_MEANS]}"}}.'
        )
    if component.intercept_term is not None:
        found["Intercept"] = _as_bambi([fixed[CENTRED if CENTRED in fixed else "Intercept"]])
    ours = [(name, 0, column) for name, column in zip(design.fixed, design.X.T, strict=True)]
    for name, term in component.common_terms.items():
        found[name] = _as_bambi([fixed[_match(name, column, ours)[0]] for _, column in _columns(term.data)])
    for name, term in component.group_specific_terms.items():
        effects = [
            (prior, 0, column)
            for own, sds in zip(design.terms, priors.sd, strict=True)
            if own.group == name.rpartition("|")[2]
            for prior, column in zip(sds, own.z.T, strict=True)
        ]
        matched = [_match(name, column, effects)[0] for _, column in _columns(_predictor(term, design))]
        found[name] = bambi.Prior("Normal", mu=0, sigma=_as_bambi(matched))
    if priors.dispersion is not None:
        found[NUMBERS[model.family.name]] = _as_bambi([priors.dispersion])
    return found


def _predictor(term: Any, design: Design) -> Array:
    """Columns of a group-specific term; of an intercept a one."""
    predictor = np.asarray(term.predictor, float)
    return predictor if predictor.size > 1 else np.ones(len(design.y))


def _as_bambi(priors: Sequence[Prior]) -> Any:
    """One bambi prior for the columns of a term."""
    import bambi

    kind = priors[0].kind
    if any(prior.kind != kind for prior in priors):
        raise SpecError(f"bambi needs one kind of prior for all columns of a term, not {', '.join(map(str, priors))}.")
    if kind == "Decov":
        raise SpecError("bambi has no prior that standard deviations have together, such as Decov.")
    values = zip(*(prior.arguments for prior in priors), strict=True)
    arguments = {
        name: value[0] if len(priors) == 1 else np.array(value)
        for name, value in zip(ARGUMENTS[kind], values, strict=True)
    }
    return bambi.Prior(kind, **arguments)
