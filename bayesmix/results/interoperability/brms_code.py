"""Models in the words of brms: formulas, families and priors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bayesmix.inference.parameters.centring import AT_MEANS, CENTRED, INTERCEPT, is_centred, slopes_at_means, where
from bayesmix.language.formula.expression import Argument, Call, Chain, Name, spell
from bayesmix.language.formula.model_spec import Auxiliary, Predictor, Response
from bayesmix.language.formula.parse import Bar, Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.residual_terms import ResidualTerm
from bayesmix.language.formula.smooths import Smooth
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.language.priors.on_link import natural
from bayesmix.language.priors.prior import Prior
from bayesmix.results.interoperability.described import (
    Described,
    call,
    check_arguments,
    check_functions,
    check_rank,
    lacks,
    libraries,
    right_side,
    spaced,
)

FAMILIES = {  # ours -> brms's, where it has them
    **{
        name: name
        for name in (
            *("gaussian", "student", "skew_normal", "exgaussian", "lognormal", "weibull", "exponential", "von_mises"),
            *("shifted_lognormal", "hurdle_gamma", "hurdle_lognormal", "zero_inflated_beta", "asym_laplace", "beta"),
            *("zero_one_inflated_beta", "binomial", "bernoulli", "zero_inflated_binomial", "poisson", "negbinomial"),
            *("geometric", "hurdle_poisson", "hurdle_negbinomial", "zero_inflated_poisson", "gamma"),
            *("zero_inflated_negbinomial", "cumulative", "sratio", "cratio", "acat", "categorical", "multinomial"),
        )
    },
    "inverse_gaussian": "inverse.gaussian",
    "betabinomial": "beta_binomial",
    "truncated_poisson": "poisson",  # with `trunc(lb = 1)` beside the response
    "truncated_negbinomial": "negbinomial",
}
TRUNCATED = {"truncated_poisson": "trunc(lb = 1)", "truncated_negbinomial": "trunc(lb = 1)"}
LINKS = {"inverse_squared": "1/mu^2"}
DENSITIES = {  # of Stan, by ours; of positive parameters brms truncates them
    "Normal": "normal",
    "StudentT": "student_t",
    "Cauchy": "cauchy",
    "Laplace": "double_exponential",
    "HalfNormal": "normal",
    "HalfStudentT": "student_t",
    "HalfCauchy": "cauchy",
    "Exponential": "exponential",
    "Gamma": "gamma",
    "InverseGamma": "inv_gamma",
    "LogNormal": "lognormal",
    "Uniform": "uniform",
    "Beta": "beta",
    "LKJ": "lkj",
}
HALF = {"HalfNormal": 0, "HalfStudentT": 1, "HalfCauchy": 0}  # where the location, zero, goes among the arguments
ROUNDING = 1e-12  # of means that are zero
REPLACED = (  # in names of coefficients, by brms, in this order
    *((mark, "") for mark in " ()[],\"'`"),
    *(("!=", "NEQ"), ("<=", "LEQ"), (">=", "GEQ"), ("==", "EQ"), ("+", "P"), ("-", "M"), ("*", "MU"), ("/", "D")),
    *(("^", "E"), ("=", "EQ"), ("<", "L"), (">", "G"), ("|", "OR"), ("&", "AND"), ("!", "EX"), ("?", "QM"), ("$", "d")),
)


def brms_code(described: Described) -> str:
    """The model as a call of ``brm``."""
    check_arguments("brms", described)
    spec = described.spec
    check_rank("brms", described)
    if described.source.contrasts:
        raise lacks("brms", "argument for contrasts", 'Set them on the factor: `contrasts(d$f) <- "contr.sum"`.')
    formulas = [one.formula for one in spec.predictors if not one.formula.is_implied]
    for formula in formulas:
        check_functions("brms", formula)
    responses = [_response_formula(described, number) for number in range(len(spec.responses))]
    text = " +\n    ".join([*responses, *([f"set_rescor({str(spec.rescor).upper()})"] if len(responses) > 1 else [])])
    arguments = [text, f"data = {described.data}"]
    names = sorted({bar.grouping.cov for formula in formulas for bar in formula.bars if bar.grouping.cov})
    if names:
        arguments.append(f"data2 = list({', '.join(f'{name} = {name}' for name in names)})")
    if len(responses) == 1:
        arguments.append(f"family = {_family(spec.responses[0])}")
    priors = list(_priors(described))
    if priors:
        arguments.append("prior = c(\n    " + ",\n    ".join(priors) + "\n  )")
    lines = libraries("brms", formulas) + [f"# {line}" for line in _differences(described)]
    return "\n".join([*lines, call("brm", arguments)])


# ---- formulas ---------------------------------------------------------------------------------------------------


def _response_formula(described: Described, number: int) -> str:
    """``bf(...)`` of a response: its mean and the parameters that have formulas."""
    spec = described.spec
    response = spec.responses[number]
    mean = next(one for one in spec.predictors if one.response == number and one.parameter == 0)
    others = [
        f"{name} ~ {_right(described, one.formula)}"
        for name, one in described.of_response(number)
        if one.formula is not mean.formula
    ]
    curve = mean.formula.curve
    right = curve or _right(described, mean.formula, mean)
    own = [f"{_left(described, number, mean)} ~ {right}", *others, *(["nl = TRUE"] if curve else [])]
    if len(spec.responses) > 1:
        own.append(f"family = {_family(response)}")
    if len(own) == 1:
        return own[0]
    return f"bf({', '.join(own)})"


def _left(described: Described, number: int, mean: Predictor) -> str:
    """A response with what stands beside it, as brms has it."""
    response = described.spec.responses[number]
    additions, name = response.additions, mean.formula.response
    beside = [str(additions)] if str(additions) else []
    weights = described.source.arguments.weights
    match read(name):
        case Call(function="cbind", arguments=counts):
            name = name if response.family.has_category_counts else spell(counts[0].value)
            beside += [] if additions.trials else [f"trials({' + '.join(map(_bracketed, counts))})"]
        case Chain(operators=("/",), operands=(Name(name=successes), Name(name=trials))):
            if described.design.has_trials:
                name, weights = successes, None
                beside.append(f"trials({trials})")
    if weights:
        if response.family.weights == "precision":
            raise lacks("brms", "weights that divide a variance", "Its `weights()` multiply log densities.")
        beside.append(f"weights({weights})")
    if truncated := TRUNCATED.get(response.family.name):
        beside.append(truncated)
    return " | ".join([name, *([" + ".join(beside)] if beside else [])])


def _bracketed(argument: Argument) -> str:
    text = spell(argument.value)
    return f"({text})" if isinstance(argument.value, Chain) else text


def _right(described: Described, formula: Formula, mean: Predictor | None = None) -> str:
    """The right side; an intercept whose prior is at zero has a column of its own."""
    offset = described.source.arguments.offset if mean is not None else None
    bars = [_bar(bar) for bar in formula.bars]
    if formula.residual is not None:
        bars.append(_residual(formula.residual))
    text = right_side(formula, bars, offset)
    if mean is not None and mean.response == 0 and described.priors.names[:1] == (INTERCEPT,) and formula.fixed != "1":
        return f"0 + Intercept + {text}"
    return text


def _bar(bar: Bar) -> str:
    if bar.structure == "us":
        group = bar.grouping.spelled(bar.group)
        return f"({bar.effects} | {bar.shared} | {group})" if bar.shared else spaced(bar)
    if bar.structure == "diag":
        return f"({bar.effects} || {bar.grouping.spelled(bar.group)})"
    function = STRUCTURES[bar.structure][0]
    raise lacks("brms", f"`{function}()` around a bar", "glmmTMB has structures of the effects.")


def _residual(term: ResidualTerm) -> str:
    """A structure of the residuals, stationary as here."""
    text = str(term)
    return text.removesuffix(")") + ", cov = TRUE)" if term.p or term.q else text


def _family(response: Response) -> str:
    name = response.family.name.partition("(")[0]
    if name not in FAMILIES:
        raise lacks("brms", f"family `{response.family.name}`", "glmmTMB may have it.")
    link = response.links[0].name
    links = [f'link = "{LINKS.get(link, link)}"']
    if not response.family.levels:
        parameters = zip(response.family.parameters[1:], response.links[1:], strict=True)
        links += [f'link_{one.name} = "{own.name}"' for one, own in parameters if own.name not in one.links[:1]]
    return f'brmsfamily("{FAMILIES[name]}", {", ".join(links)})'


# ---- priors -----------------------------------------------------------------------------------------------------


def _priors(described: Described) -> Iterator[str]:
    """Calls of ``set_prior``, one a parameter; brms's own flat ones are left out."""
    spec, design, priors = described.spec, described.design, described.priors
    for r, one in enumerate(spec.parameters):
        for j in design.of_predictor(r):
            prefix = design.layout.prefixes[r].removesuffix(design.layout.slopes.get(r, ""))
            yield from _of_coefficient(described, one, priors.names[j].removeprefix(prefix), j)
    if priors.dispersion is not None:
        yield _set(priors.dispersion, f'class = "{priors.dispersion_name}"')
    if spec.rescor and priors.rescor is not None:
        yield _set(Prior("LKJ", (priors.rescor,)), 'class = "rescor"')
    for t in range(len(design.terms)):
        yield from _of_term(described, t)


def _of_coefficient(described: Described, one: Predictor | Auxiliary, name: str, j: int) -> Iterator[str]:
    prior, response = natural(described.priors.fixed[j]), described.spec.responses[one.response]
    own = response.family.parameters[one.parameter]
    where_ = _of_predictor(described, one)
    if isinstance(one, Auxiliary):
        if own.is_threshold:
            place = [other.name for other in described.spec.auxiliaries if other.is_threshold].index(one.name) + 1
            yield _set(prior, 'class = "Intercept"', f'coef = "{place}"', *where_[1:])
        else:
            yield _set(prior, f'class = "{own.name}"', *where_[1:])
    elif name in (INTERCEPT, CENTRED):
        at_zero = name == INTERCEPT and not one.parameter and one.formula.fixed != "1"
        is_column = at_zero or own.is_of_curve  # brms centres no predictors of nonlinear parameters
        yield _set(prior, *(['class = "b"', 'coef = "Intercept"'] if is_column else ['class = "Intercept"']), *where_)
    elif not prior.is_flat:
        yield _set(prior, 'class = "b"', f"coef = {json.dumps(renamed(name.removesuffix(AT_MEANS)))}", *where_)


def _of_predictor(described: Described, one: Predictor | Auxiliary) -> list[str]:
    """Options that say which linear predictor a prior is of: ``dpar``, and ``resp`` of several responses."""
    response = described.spec.responses[one.response]
    own = response.family.parameters[one.parameter]
    kind = "nlpar" if own.is_of_curve else "dpar"
    shown = (
        [f'{kind} = "{own.name}"']
        if (one.parameter or own.is_mean) and not own.is_slope
        else ([""] if isinstance(one, Auxiliary) else [])
    )
    return [*shown, *([f'resp = "{response.name}"'] if response.name else [])]


def _of_term(described: Described, t: int) -> Iterator[str]:
    term, priors = described.design.terms[t], described.priors
    if term.smooth:
        smooth = _only_smooth(described)
        if smooth is not None:
            yield _set(priors.sd[t][0], 'class = "sds"', f"coef = {json.dumps(str(smooth))}")
        return
    owners = term.owners or (0,) * len(term.effects)
    for effect, r, prior in zip(term.effects, owners, priors.sd[t], strict=True):
        name = effect.removeprefix(described.design.layout.prefixes[r])
        group = f"group = {json.dumps(term.group)}"
        own = _of_predictor(described, described.spec.parameters[r])
        yield _set(prior, 'class = "sd"', f"coef = {json.dumps(renamed(name))}", group, *own)
    yield from (_set(prior, 'class = "cor"', f"group = {json.dumps(term.group)}") for prior in priors.corr[t])
    if not term.is_normal and all(other.group != term.group for other in described.design.terms[:t]):
        yield _set(priors.df[term.group].prior, 'class = "df"', f"group = {json.dumps(term.group)}")


def _only_smooth(described: Described) -> Smooth | None:
    """The smooth of a model that has one with one standard deviation, whose prior brms can be told by its text."""
    smooths = [smooth for one in described.spec.predictors for smooth in one.formula.smooths]
    terms = [term for term in described.design.terms if term.smooth]
    is_process = any(term.spectrum is not None for term in terms)
    return (
        smooths[0]
        if len(smooths) == len(terms) == 1 and len(described.spec.responses) == 1 and not is_process
        else None
    )


def _set(prior: Prior, *options: str) -> str:
    """One call of ``set_prior``."""
    if prior.is_flat:
        return f"set_prior({', '.join(['""', *filter(None, options)])})"
    if prior.kind not in DENSITIES:
        raise lacks("brms", f"prior `{prior}`")
    numbers = [f"{value if abs(value) > ROUNDING else 0.0:.10g}" for value in prior.arguments]
    if prior.kind in HALF:
        numbers.insert(HALF[prior.kind], "0")
    bounds = [f"{name} = {value}" for name, value in zip(("lb", "ub"), numbers, strict=False)]
    shown = filter(None, [*options, *(bounds if prior.kind == "Uniform" else [])])
    return f'set_prior("{DENSITIES[prior.kind]}({", ".join(numbers)})", {", ".join(shown)})'


def renamed(name: str) -> str:
    """A coefficient's name as brms has it: ``I(x^2)`` is ``IxE2``."""
    for mark, text in REPLACED:
        name = name.replace(mark, text)
    return re.sub(r"\s", "", name)


def _differences(described: Described) -> Iterator[str]:
    """What is not the same there."""
    priors = described.priors
    for t, term in enumerate(described.design.terms):
        if is_centred(priors.changes[t]):
            place = where([unit.place for unit in priors.sd_units[t]])
            yield f"The priors of {term.group}'s effects hold at {place} here, at zero in brms:"
            yield "center the predictor, or take priors by name, for the same posterior."
    if slopes := slopes_at_means(priors.names, described.design.layout):
        names = ", ".join(name + AT_MEANS for name in slopes)
        yield f"The priors of {names} hold where what they are multiplied with is at its mean here, at"
        yield "zero in brms: center the predictors, or take priors by name, for the same posterior."
    if described.design.layout.slopes and described.spec.preset != "brms":
        yield "Priors of intercepts hold at the means of imputed predictors here, where these are zero in brms."
    if any(term.smooth for term in described.design.terms) and _only_smooth(described) is None:
        yield "The priors of the smooths' standard deviations are brms's own."
    if described.formula.residual is not None:
        yield "The prior of the residuals' correlations is brms's own."
