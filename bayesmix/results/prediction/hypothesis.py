"""Hypotheses about parameters, written by their names: ``"ncontrols > 0"``, ``"2 * Days = Intercept / 10"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import FormulaError, PredictionWarning, SpecError, caret, nearest, warn_user
from bayesmix.inference.parameters.natural_scale import reported_jacobian
from bayesmix.language.formula.expression import Argument, Bracket, Call, Chain, Expr, Name, Number, Sign, spell
from bayesmix.language.formula.reader import read
from bayesmix.results.fits.accessors import centre
from bayesmix.results.fits.adjustment import SeveralTests, adjusted
from bayesmix.results.fits.credible_regions import Rope, check_rope, contour, rope_columns, simultaneous_limits
from bayesmix.results.fits.degrees_of_freedom import interval_columns, statistic_columns
from bayesmix.results.fits.fixed_inference import FixedInference, inference_of, noted
from bayesmix.results.fits.linear_predictor import flatten, parameter_errors
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord
from bayesmix.results.fits.robust_covariance import RobustCovariance

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import FitRecord


COMPARISON = re.compile(r"(>=|<=|==|>|<|=)")
WORD = re.compile(r"[A-Za-z.][\w.]*")
FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs}
OPERATORS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power}
STEP = 1e-4  # of the differences that linearise an expression, in standard errors
ROUNDING = 1e-6  # of such a derivative that may be nothing


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Left side minus right side, compared with zero."""

    text: str
    left: str
    sign: str  # ">", "<" or "="
    right: str

    def difference(self, values: Mapping[str, Array]) -> Array:
        """Left minus right at values of the parameters."""
        return _evaluate(self.left, values, self.text) - _evaluate(self.right, values, self.text)


@dataclass(frozen=True, slots=True)
class Options:
    """How hypotheses are judged."""

    interval: float = 0.95
    df: str | None = None
    adjust: str = "none"
    joint: bool = False
    vcov: RobustCovariance | None = None
    rope: Rope = None


@dataclass(frozen=True, slots=True, eq=False)
class LinearHypothesis:
    """A hypothesis about linear combinations of the fixed effects: ``L beta - null`` compared with zero."""

    text: str
    L: Array  # (r, p)
    null: Array  # (r,)
    sign: str = "="


def linear_hypothesis(fit: FitRecord, text: str) -> LinearHypothesis:
    """Read a hypothesis that is one about a linear combination of fixed effects.

    Raises
    ------
    SpecError
        If it is none.
    """
    one, names, layout = _read(text), fit.names, fit.design.layout
    basis = dict(zip(names, np.column_stack([np.zeros(len(names)), np.eye(len(names))]), strict=True))
    try:
        with np.errstate(all="ignore"):
            constant, *ends = one.difference(basis) + np.zeros(len(names) + 1)
            at = float(one.difference({name: np.asarray(0.5 + 0.25 * j) for j, name in enumerate(names)}))
    except ZeroDivisionError:
        constant, ends, at = np.nan, [np.nan] * len(names), np.nan
    L = np.array(ends) - constant
    own = [j for j, name in enumerate(names) if name in layout.coefficients]
    is_linear = abs(constant + L @ (0.5 + 0.25 * np.arange(len(names))) - at) <= ROUNDING * (1.0 + np.abs(L).sum())
    if not is_linear or np.any(np.delete(L, own) != 0.0):
        raise SpecError(
            f"Hypothesis `{text[:200]}` is not about a linear combination of fixed effects: {', '.join(names)}."
        )
    return LinearHypothesis(text, L[None, : len(layout.fixed)], np.array([-constant]), one.sign)


def hypotheses(fit: FitRecord, texts: tuple[str, ...], options: Options) -> pd.DataFrame:
    """One row a hypothesis: of draws the share that fulfils it, of an estimate a test by t or z; or one of all."""
    import pandas as pd

    inference = inference_of(fit, options.df, options.adjust, options.vcov)
    check_rope(fit, options.rope)
    for text in texts:
        if not isinstance(text, str):
            raise SpecError(f'A hypothesis is a text, not {text!r}: fit.hypothesis("x > 0", "a = b").')
    if not texts:
        raise SpecError('Name at least one hypothesis: fit.hypothesis("x > 0").')
    read = [_read(text) for text in texts]
    _check_left_out(fit, texts)
    if options.joint:
        return _jointly(fit, read, inference)
    index = pd.Index([one.text for one in read], name="hypothesis")
    match fit:
        case EstimateRecord() if inference is not None:
            table = pd.DataFrame(_tested(fit, read, inference, options), index=index)
        case PosteriorRecord():
            table = pd.DataFrame(_counted(fit, read, options), index=index)
        case _:
            raise TypeError(type(fit))  # records of fits are of these two kinds
    table[[_is_undetermined(fit, one) for one in read]] = np.nan
    return noted(table, inference, options.adjust)


def _check_left_out(fit: FitRecord, texts: Iterable[str]) -> None:
    """Refuse names of columns that were left out: those of the closest parameters are other questions."""
    for name, text in product(fit.design.dropped, texts):
        if re.search(rf"(?<![\w.:(`]){re.escape(name)}(?![\w.:(])", text) and name not in fit.names:
            raise SpecError(
                f"`{name}` is not a parameter: its column depends linearly on others and was left out, so that the data"
                " do not tell its coefficient."
            )


def _is_undetermined(fit: FitRecord, one: Hypothesis) -> bool:
    """Whether a hypothesis is about coefficients that take in those of columns left out; warns if it is."""
    encoder = fit.design.encoder
    predictors = () if encoder is None else encoder.predictors
    if all(predictor.fixed.alias is None for predictor in predictors):
        return False
    gradient = _gradient(fit, one, centre(fit, flatten(fit.design, fit.values)))
    lost = False
    for r, predictor in enumerate(predictors):
        alias, own = predictor.fixed.alias, gradient[fit.design.of_predictor(r)]
        lost |= alias is not None and bool(np.any(np.abs(own @ alias) > ROUNDING * (np.abs(own) @ np.abs(alias))))
    if lost:
        warn_user(
            f"The data of the fit do not determine `{one.text}`: NaN. The coefficients stand for those of columns left"
            f" out, too: {', '.join(fit.design.dropped)}.",
            PredictionWarning,
        )
    return lost


def _gradient(fit: FitRecord, one: Hypothesis, values: Array) -> Array:
    """Derivatives of left minus right by all parameters ``(m,)``, by central differences."""
    gradient = np.zeros(len(values))
    for j, step in enumerate(STEP * _sizes(fit, values)):
        own = step * np.eye(len(values))[j]
        up, down = (one.difference(_by_name(fit, values + side * own)) for side in (1.0, -1.0))
        gradient[j] = (up - down) / (2.0 * step)
    return gradient


def _sizes(fit: FitRecord, values: Array) -> Array:
    """What a parameter may differ by ``(m,)``, in its own units: its standard error, or its size where it has none."""
    sizes = np.abs(values)
    if isinstance(fit, EstimateRecord):
        errors = parameter_errors(fit.design, fit.values, fit.point.beta_cov)
        sizes = np.where(errors > 0.0, errors, sizes)
    return np.where(sizes > 0.0, sizes, 1.0)


def _read(text: str) -> Hypothesis:
    parts = COMPARISON.split(text)
    if len(parts) != 3:
        raise SpecError(f'Hypothesis `{text[:200]}` needs one comparison, for example "ncontrols > 0" or "x1 = x2".')
    left, sign, right = parts
    return Hypothesis(text, left, sign.rstrip("=") or "=", right)


def _counted(fit: PosteriorRecord, read: Sequence[Hypothesis], options: Options) -> list[dict[str, Any]]:
    """Probabilities of hypotheses; of an equality the probability of the side that is more probable."""
    draws = _differences(fit, read)
    tail = 0.5 * (1.0 - options.interval)
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    if options.adjust != "none":
        lower, upper = simultaneous_limits(draws, np.zeros(len(read), int), options.interval)
    judged = rope_columns(draws, (lower, upper), options.rope)
    rows = []
    for j, one in enumerate(read):
        above = float(np.mean(draws[:, j] > 0.0))
        share = {">": above, "<": 1.0 - above, "=": max(above, 1.0 - above)}[one.sign]
        odds = share / (1.0 - share) if share < 1.0 else np.inf
        found = {"mean": float(draws[:, j].mean()), "sd": float(draws[:, j].std(ddof=1))}
        found |= {"lower": float(lower[j]), "upper": float(upper[j])}
        found |= {"p_direction": share} if one.sign == "=" else {"probability": share, "odds": odds}
        rows.append(found | {name: column[j] for name, column in judged.items()})
    return rows


def _differences(fit: FitRecord, read: Sequence[Hypothesis]) -> Array:
    """Left minus right of each hypothesis at each draw: ``(S, r)``."""
    values = _by_name(fit, flatten(fit.design, fit.values))
    size = np.zeros(fit.values.lead)
    return np.column_stack([(one.difference(values) + size).ravel() for one in read])


def _tested(
    fit: EstimateRecord, read: Sequence[Hypothesis], inference: FixedInference, options: Options
) -> dict[str, Array]:
    value, L = _linearised(fit, read)
    error, df = np.sqrt(inference.variance(L)), inference.df(L)
    parts = [
        statistic_columns(value[i : i + 1], error[i : i + 1], df[i : i + 1], letter=inference.letter, sign=one.sign)
        for i, one in enumerate(read)
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    is_two_sided = all(one.sign == "=" for one in read)
    tests = SeveralTests(
        columns[inference.letter], df, columns["p_value"], L @ inference.cov @ L.T if is_two_sided else None
    )
    columns["p_value"], reach = adjusted(options.adjust, tests, np.zeros(len(read), int), options.interval)
    return interval_columns(value, error, df, reach) | columns


def _linearised(fit: FitRecord, read: Sequence[Hypothesis]) -> tuple[Array, Array]:
    """Left minus right of each hypothesis ``(r,)``, and the derivatives by the fixed effects ``(r, p)``."""
    values, p = flatten(fit.design, fit.values), len(fit.design.fixed)
    gradients = np.array([_gradient(fit, one, values) for one in read])
    for one, gradient in zip(read, gradients, strict=True):
        if np.any(gradient[p:] != 0.0):
            raise SpecError(
                f"Hypothesis `{one.text}` is about a standard deviation or correlation, whose estimates are not"
                " Gaussian. Use fit.confint(), or the posterior: model.sample().hypothesis(...)."
            )
    value = np.array([float(one.difference(_by_name(fit, values))) for one in read])
    return value, gradients[:, :p] @ reported_jacobian(fit.design.layout, fit.values.beta)


def _jointly(fit: FitRecord, read: Sequence[Hypothesis], inference: FixedInference | None) -> pd.DataFrame:
    """All equalities at once, in one row: the F test of an estimate, or the credible ellipsoid of a posterior.

    Raises
    ------
    SpecError
        Of inequalities, and of equalities that contradict each other.
    """
    import pandas as pd

    for one in read:
        if one.sign != "=":
            raise SpecError(f"joint=True tests equalities, and `{one.text}` is none. Write it with `=`.")
    columns = _f_columns(fit, read, inference) if inference is not None else _contour_columns(fit, read)
    index = pd.Index([", ".join(one.text for one in read)], name="hypothesis")
    table = pd.DataFrame({name: [float(number)] for name, number in columns.items()}, index=index)
    if any(tuple(_is_undetermined(fit, one) for one in read)):  # each warns
        table.loc[:] = np.nan
    return noted(table, inference)


def _f_columns(fit: FitRecord, read: Sequence[Hypothesis], inference: FixedInference) -> dict[str, float]:
    """``F, df1, df2, p_value``, of infinite ``df2`` chi-square over ``df1``."""
    value, L = _linearised(fit, read)
    left = value - L @ np.linalg.lstsq(L, value, rcond=None)[0]
    if np.max(np.abs(left), initial=0.0) > ROUNDING * max(float(np.max(np.abs(value))), 1e-300):
        raise SpecError(
            f"Of {', '.join(f'`{one.text}`' for one in read)} not all can hold: they contradict each other."
        )
    found = inference.joint(L, value)
    return {"F": found.statistic, "df1": found.numerator_df, "df2": found.denominator_df, "p_value": found.p}


def _contour_columns(fit: FitRecord, read: Sequence[Hypothesis]) -> dict[str, float]:
    """``rank, distance, content`` of the ellipsoid about the posterior mean through the hypothesis."""
    found = contour(_differences(fit, read))
    return {"rank": found.rank, "distance": found.distance, "content": found.content}


def _by_name(fit: FitRecord, values: Array) -> dict[str, Array]:
    return {name: values[..., j] for j, name in enumerate(fit.names)}


# ---- arithmetic: R's grammar, as in formulas ----------------------------------------------------------------------


def _evaluate(text: str, values: Mapping[str, Array], whole: str) -> Array:
    try:
        expression = read(_quoted(text, values))
    except FormulaError as error:
        raise SpecError(f"Hypothesis `{whole}` cannot be read. {error}") from None
    return np.asarray(_value(expression, values, whole))


def _quoted(text: str, names: Iterable[str]) -> str:
    """Names of parameters that are no words, such as ``sd(g, x)``, between backticks; the longest first."""
    known = sorted(names, key=len, reverse=True)
    words = [rf"(?<![\w.]){re.escape(name)}(?![\w.(])" for name in known]
    pattern = re.compile("|".join(["`[^`]*`", *words, r"\b(?:sd|corr)\([^()]*\)"]))  # the last: that does not exist
    return pattern.sub(lambda found: found[0] if WORD.fullmatch(found[0]) else f"`{found[0].strip('`')}`", text)


def _value(expression: Expr, values: Mapping[str, Array], whole: str) -> Any:
    match expression:
        case Number(value=number):
            return number
        case Name(name=name):
            return _parameter(name, values, whole)
        case Bracket(inner=inner):
            return _value(inner, values, whole)
        case Sign(operator="+" | "-" as sign, operand=operand):
            return _value(operand, values, whole) * (-1.0 if sign == "-" else 1.0)
        case Chain(operands=operands, operators=operators) if set(operators) <= OPERATORS.keys():
            first, *rest = (_value(operand, values, whole) for operand in operands)
            for operator, other in zip(operators, rest, strict=True):
                first = OPERATORS[operator](first, other)
            return first
        case Call(function=function, arguments=(Argument(value=inner),)) if function in FUNCTIONS:
            return FUNCTIONS[function](_value(inner, values, whole))
        case _:
            return _unread(expression, values, whole)


def _unread(expression: Expr, values: Mapping[str, Array], whole: str) -> Array:
    """Say what is wrong: an interaction is a parameter that there is not, all else is no arithmetic."""
    if isinstance(expression, Chain) and set(expression.operators) == {":"}:
        return _parameter(spell(expression), values, whole)
    raise SpecError(
        f"Hypothesis `{whole}` has `{spell(expression)}`: write it with names of parameters, numbers,"
        f" {' '.join(OPERATORS)} and {', '.join(FUNCTIONS)}."
    )


def _parameter(name: str, values: Mapping[str, Array], whole: str) -> Array:
    found = next((own for own in (name, f"`{name}`") if own in values), None)
    if found is not None:
        return values[found]
    place = caret(whole, max(whole.find(name), 0))
    raise SpecError(f"`{name}` is not a parameter.{nearest(name, values)} Parameters: {', '.join(values)}.\n{place}")
