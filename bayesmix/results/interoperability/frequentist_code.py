"""Models in the words of lme4 and glmmTMB: point estimates, without priors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bayesmix.language.formula.expression import Chain, Name
from bayesmix.language.formula.model_spec import Response
from bayesmix.language.formula.parse import Bar, Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.vocabulary import POSITIONAL, STRUCTURES
from bayesmix.results.interoperability.described import (
    Described,
    call,
    check_arguments,
    check_functions,
    check_rank,
    contrasts,
    lacks,
    libraries,
    right_side,
    spaced,
)

LME4 = {  # families of `glmer`, by our names
    "gaussian": "gaussian",
    "poisson": "poisson",
    "binomial": "binomial",
    "bernoulli": "binomial",
    "gamma": "Gamma",
    "inverse_gaussian": "inverse.gaussian",
}
OWN = {"negbinomial": "glmer.nb"}  # families with a function of their own
GLMMTMB = {
    **LME4,
    "negbinomial": "nbinom2",
    "nbinom1": "nbinom1",
    "genpois": "genpois",
    "betabinomial": "betabinomial",
    "beta": "beta_family",
    "tweedie": "tweedie",
    "student": "t_family",
    "skew_normal": "skewnormal",
    "truncated_poisson": "truncated_poisson",
    "truncated_negbinomial": "truncated_nbinom2",
    "truncated_nbinom1": "truncated_nbinom1",
    "hurdle_poisson": "truncated_poisson",
    "hurdle_negbinomial": "truncated_nbinom2",
    "hurdle_nbinom1": "truncated_nbinom1",
    "hurdle_gamma": "ziGamma",
    "zero_inflated_poisson": "poisson",
    "zero_inflated_negbinomial": "nbinom2",
    "zero_inflated_nbinom1": "nbinom1",
    "zero_inflated_binomial": "binomial",
}
RECENT = {"skew_normal": "1.1.10", "student": "1.1.8"}  # versions of glmmTMB that have them first
DISPERSED = {  # families whose parameter beside the mean is that of `dispformula`
    *("gaussian", "student", "negbinomial", "nbinom1", "betabinomial", "beta"),
    *("zero_inflated_negbinomial", "zero_inflated_nbinom1", "hurdle_negbinomial", "hurdle_nbinom1"),
}
LINKS = {"inverse_squared": "1/mu^2"}
NO_PRIORS = "# {} has no priors: this is the estimate, not the posterior."


def lme4_code(described: Described) -> str:
    """The model as a call of ``lmer``, ``glmer`` or ``glmer.nb``."""
    _check("lme4", described)
    response = described.spec.responses[0]
    if next(described.of_response(0), None) is not None:
        raise lacks("lme4", "formulas of other parameters", "glmmTMB and brms have them.")
    if not described.formula.bars:
        raise lacks("lme4", "models without random effects", "R's are `lm()` and `glm()`.")
    if described.formula.smooths:
        raise lacks("lme4", "penalised smooths", "gamm4, which calls lme4, has `s(x)` and `t2(x, z)`.")
    bars = [_lme4_bar(described, bar) for bar in described.formula.bars]
    arguments = _arguments(described, right_side(described.formula, bars))
    lines = [*libraries("lme4", [described.formula]), NO_PRIORS.format("lme4")]
    if described.spec.is_linear:
        return "\n".join([*lines, call("lmer", arguments)])
    if own := OWN.get(response.family.name):
        note = "# It finds the shape by turns and may stop short of the maximum, which glmmTMB finds."
        return "\n".join([*lines, note, call(own, arguments)])
    family = _family("lme4", response, LME4)
    if response.family.has_scale:
        lines.append("# glmer's dispersion is no maximum likelihood estimate: glmmTMB's is that of here.")
    return "\n".join([*lines, call("glmer", [*arguments, f"family = {family}"])])


def glmmtmb_code(described: Described) -> str:
    """The model as a call of ``glmmTMB``."""
    _check("glmmTMB", described)
    check_rank("glmmTMB", described)
    _check_smooths(described)
    response = described.spec.responses[0]
    formulas = [described.formula]
    arguments = _arguments(described, right_side(described.formula, _glmmtmb_bars(described.formula)))
    arguments.append(f"family = {_family('glmmTMB', response, GLMMTMB)}")
    given = dict(described.of_response(0))
    for option, names in (("ziformula", ("zi", "hu")), ("dispformula", ("sigma", "shape", "phi"))):
        for name in (one.name for one in response.family.parameters if one.name in names):
            right = "1"
            if name in given:
                own = given.pop(name).formula
                formulas.append(own)
                right = right_side(own, _glmmtmb_bars(own))
            if option == "ziformula" or right != "1":
                _check_dispersion(option, response)
                arguments.append(f"{option} = ~ {right}")
    if given:
        raise lacks("glmmTMB", f"formula of `{next(iter(given))}`", "brms has it.")
    if described.spec.is_linear:
        arguments.append("REML = TRUE")
    for formula in formulas:
        check_functions("glmmTMB", formula)
    lines = [*libraries("glmmTMB", formulas), "# Priors are left out: this is the estimate, not the posterior."]
    lines += _versions(described, response)
    return "\n".join([*lines, call("glmmTMB", arguments)])


def _check_smooths(described: Described) -> None:
    smooths = [smooth for one in described.spec.predictors for smooth in one.formula.smooths]
    other = next((smooth for smooth in smooths if smooth.function != "s"), None)
    if other is not None:
        raise lacks("glmmTMB", f"`{other.function}()`", "brms has it.")


def _versions(described: Described, response: Response) -> Iterator[str]:
    since = RECENT.get(response.family.name)
    if since:
        yield f"# This family needs glmmTMB {since} or later."
    if response.is_linear and dict(described.of_response(0)):
        yield "# glmmTMB 1.1.5 prints dispersion on the log of the variance: twice the coefficients of here."
    if any(one.formula.smooths for one in described.spec.predictors):
        yield "# Smooths need glmmTMB 1.1.8 or later."


def _check_dispersion(option: str, response: Response) -> None:
    known = response.family.name
    if option == "dispformula" and known not in DISPERSED:
        raise lacks(
            "glmmTMB",
            f"formula of the `{response.family.dispersion}` of {response.family.name} responses",
            "Its `dispformula` is of another number; brms has it.",
        )


def _check(package: str, described: Described) -> None:
    """Refuse what neither package has."""
    spec = described.spec
    check_arguments(package, described)
    if len(spec.responses) > 1:
        raise lacks(package, "models of several responses", "brms has them.")
    formula, additions = described.formula, spec.responses[0].additions
    if formula.curve or spec.family.curve is not None:
        raise lacks(package, "such nonlinear means", "brms has them.")
    if formula.residual is not None:
        raise lacks(package, f"`{formula.residual}`", "nlme and brms have residual structures.")
    for text, what in (
        (additions.is_bounded, "censored or truncated responses"),
        (additions.se, "known standard errors"),
        (additions.rate, "`rate()`"),
    ):
        if text:
            raise lacks(package, what, "brms has them.")
    if any(bar.shared for one in spec.predictors for bar in one.formula.bars):
        raise lacks(package, "effects that several formulas share", "brms has them, `(x | ID | g)`.")
    grouped = next((bar for one in spec.predictors for bar in one.formula.bars if bar.grouping.function), None)
    if grouped is not None:
        raise lacks(package, f"`{grouped.grouping.function}()`", "brms has it.")
    check_functions(package, formula)
    _check_weights(package, described)


def _check_weights(package: str, described: Described) -> None:
    """Refuse weights that mean something else there: those of lme4 divide a dispersion, where there is one."""
    response = described.spec.responses[0]
    is_precise = package == "lme4" and (response.family.has_scale or response.family.is_normal)
    if (described.source.arguments.weights or response.additions.weights) and (
        is_precise != (response.family.weights == "precision")
    ):
        own = "divide the dispersion" if is_precise else "multiply log densities"
        raise lacks(package, "such weights", f"Its weights of {response.family.name} responses {own}.")


def _arguments(described: Described, right: str) -> list[str]:
    """Formula, data, weights, offset and contrasts."""
    given = described.source.arguments
    left, trials = _response(described)
    found = [f"{left} ~ {right}", f"data = {described.data}"]
    given_weights = given.weights or described.spec.responses[0].additions.weights
    if trials and given_weights:
        raise lacks("R", "weights beside shares, whose trials are given as weights", "Write `cbind()`.")
    weights = trials or given_weights
    if weights:
        found.append(f"weights = {weights}")
    if given.offset:
        found.append(f"offset = {given.offset}")
    return [*found, *filter(None, [contrasts(described)])]


def _response(described: Described) -> tuple[str, str]:
    """The response, and what stands as weights for it: the trials of a share."""
    formula, additions = described.formula, described.spec.responses[0].additions
    if additions.trials:
        return f"cbind({formula.response}, {additions.trials} - {formula.response})", ""
    if described.design.has_trials:
        match read(formula.response):
            case Chain(operators=("/",), operands=(Name(), Name(name=trials))):
                return formula.response, trials
    return formula.response, ""


def _family(package: str, response: Response, known: Mapping[str, str]) -> str:
    name, link = response.family.name, response.links[0].name
    if name not in known:
        raise lacks(package, f"family `{name}`")
    return f'{known[name]}(link = "{LINKS.get(link, link)}")'


def _lme4_bar(described: Described, bar: Bar) -> str:
    """A bar of lme4: correlated, or one effect by itself."""
    columns = [term.effects for term in described.design.terms if term.group == ":".join(bar.group)]
    if bar.structure == "us" or (bar.structure == "diag" and all(len(effects) == 1 for effects in columns)):
        return spaced(bar)
    if bar.structure == "diag":
        return _doubled(described, bar)
    name = STRUCTURES[bar.structure][0]
    raise lacks("lme4", f"`{name}()`", f"glmmTMB has it, `{name}(0 + f | g)`; so does lme4 2.0.")


def _doubled(described: Described, bar: Bar) -> str:
    """Independent effects, which lme4 has of numbers: of the columns of a factor it keeps the correlations."""
    factors = [name for name in described.source.columns if name in bar.effects and _is_factor(described, name)]
    if factors:
        raise lacks("lme4", f"independent effects of the levels of `{factors[0]}`", "glmmTMB has them: `diag(f | g)`.")
    return f"({bar.effects} || {':'.join(bar.group)})"


def _is_factor(described: Described, name: str) -> bool:
    return hasattr(described.source.columns[name], "levels")


def _glmmtmb_bars(formula: Formula) -> list[str]:
    return [_glmmtmb_bar(bar) for bar in formula.bars]


def _glmmtmb_bar(bar: Bar) -> str:
    """A bar of glmmTMB, whose structures are ours by name."""
    if bar.structure == "us":
        return spaced(bar)
    if bar.structure in POSITIONAL:
        coordinates = ", ".join(part.strip() for part in bar.effects.split("+"))
        return f"{bar.structure}(0 + numFactor({coordinates}) | {':'.join(bar.group)})"
    function, is_homogeneous = STRUCTURES[bar.structure]
    usual = {"diag": False, "cs": False, "ar1": True, "toep": False}
    if usual.get(function) == is_homogeneous:
        return spaced(bar, function)
    written = {"diag": "homdiag", "cs": "homcs", "toep": "homtoep", "ar1": "hetar1"}[function]
    if written not in ("homdiag",):
        raise lacks("glmmTMB", f"`{function}()` with `hom = {str(is_homogeneous).upper()}` before 1.1.12")
    return spaced(bar, written)
