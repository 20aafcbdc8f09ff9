"""Formula text to a record: response, fixed part, random-effects bars, offsets.

The language is lme4's. `parse` evaluates nothing and knows no data; what it does not support it refuses by name, so
that no other model than the one written is ever fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from bayesmix.errors import FormulaError
from bayesmix.language.formula.additions import NOTHING, Additions, divide_left
from bayesmix.language.formula.coordinates import coordinates
from bayesmix.language.formula.expression import (
    Argument,
    Call,
    Chain,
    Expr,
    Flag,
    Name,
    Number,
    children,
    column_names,
    spell,
    unbracket,
    walk,
)
from bayesmix.language.formula.grouping import ALONE, Grouping, divide_grouping
from bayesmix.language.formula.grouping_factors import groups_of, whole
from bayesmix.language.formula.imputed_predictors import check_imputed, without_imputed
from bayesmix.language.formula.location import PlaceError, pointing
from bayesmix.language.formula.monotonic import MonotonicTerm, divide_terms, outside
from bayesmix.language.formula.reader import MAX_LENGTH, read, read_sides
from bayesmix.language.formula.residual_terms import ResidualTerm, is_residual, residual_of
from bayesmix.language.formula.smooths import Smooth, is_smooth, smooth_term
from bayesmix.language.formula.terms import (
    Terms,
    adds_intercept,
    expand,
    has_bar,
    is_bar,
    is_intercept,
    is_specific,
    spell_terms,
    summands,
)
from bayesmix.language.formula.vocabulary import ELSEWHERE, POSITIONAL, SPECIFIC, STRUCTURES

MAX_BARS = 100  # after expansion

Part = tuple[str, Expr]  # a signed term of a sum


@dataclass(frozen=True, slots=True)
class Bar:
    """One random-effects term ``(effects | group)`` after expansion.

    ``(x | a/b)`` has become ``(x | b:a)`` and ``(x | a)``; ``(x || g)`` has become ``(1 | g)`` and ``(0 + x | g)``.
    """

    effects: str  # left of the bar, in R's spelling: "1 + x", "0 + x"
    group: tuple[str, ...]  # crossed factors whose combinations are the levels: ("g",), ("b", "a")
    structure: str = "us"  # covariance of the effects of one level, a key of `STRUCTURES`; of `POSITIONAL`: "x + y"
    shared: str = ""  # the ID of `(x | ID | g)`: bars of this name share one covariance
    place: int = field(default=0, compare=False, repr=False)  # in the formula's text
    grouping: Grouping = ALONE  # what is said of the levels; of memberships ``group`` has their factors

    def __str__(self) -> str:
        group = self.grouping.spelled(self.group)
        if self.shared:
            return f"({self.effects} | {self.shared} | {group})"
        if self.structure == "us":
            return f"({self.effects} | {group})"
        if self.structure == "diag" and _is_double(self.effects):
            return f"({self.effects} || {group})"
        function, hom = STRUCTURES[self.structure]
        option = "" if function == self.structure else f", hom = {str(hom).upper()}"
        return f"{function}({self.effects} | {group}{option})"


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula; ``str(formula)`` gives text that parses to the same record."""

    response: str  # "y", "log(y)", "cbind(s, f)", "s/n"; "" in the formula of a parameter, "~ x"
    fixed: str  # right-hand side without bars and offsets, in R's spelling; "1" where nothing else is there
    bars: tuple[Bar, ...]
    offsets: tuple[str, ...] = ()  # expressions inside offset(...)
    additions: Additions = NOTHING  # what stands beside the response: cens(), trunc(), trials(), weights(), rate()
    smooths: tuple[Smooth, ...] = ()  # s(x), t2(x, z)
    specific: tuple[str, ...] = ()  # category-specific effects of ratings as written: "cs(x + z)"
    text: str = field(default="", compare=False)  # what the user typed
    residual: ResidualTerm | None = None  # correlation of the residuals: unstr(), ar(), ma(), arma(), cosy()
    is_implied: bool = field(default=False, compare=False)  # by an addition to the response: no user typed it
    curve: str = ""  # a right-hand side that is a nonlinear function of what later formulas define ...
    arguments: tuple[str, ...] = ()  # ... of these
    monotonic: tuple[MonotonicTerm, ...] = ()  # mo(x), mo(x):z

    def __str__(self) -> str:
        if self.curve:
            return f"{self.left} ~ {self.curve}"
        offsets = (f"offset({offset})" for offset in self.offsets)
        residual = () if self.residual is None else (str(self.residual),)
        terms = [self.fixed, *self.apart, *offsets, *map(str, self.bars), *residual]
        return f"{self.left} ~ {' + '.join(terms)}".lstrip()

    @property
    def apart(self) -> tuple[str, ...]:
        """Terms that are no columns of X as they are written."""
        return (*self.specific, *map(str, self.monotonic), *map(str, self.smooths))

    @property
    def left(self) -> str:
        """Its left side: the response and what stands beside it."""
        return " | ".join(filter(None, (self.response, str(self.additions))))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the formula names, each once; ``.`` among them stands for all others."""
        bars = (text for bar in self.bars for text in (bar.effects, *bar.group, *bar.grouping.texts))
        texts = (self.response, self.fixed, *self.apart, *bars, *self.offsets)
        names = (name for text in texts if text for name in column_names(read(text)))
        residual = () if self.residual is None else self.residual.columns
        return tuple(dict.fromkeys((*names, *residual, *self.additions.columns)))


def parse(text: str) -> Formula:
    """Parse an lme4 formula.

    Parameters
    ----------
    text
        Such as ``"y ~ x + (x | g)"``, in R's spelling, with ``||``, nesting ``a/b``, ``offset()``, ``cbind(s, f)``,
        ``s/n``, brms's ``(x | ID | g)``, ``(x | gr(g, cov = A, by = h, dist = "student"))``,
        ``(x | mm(g1, g2))``, ``cs(x)``,
        ``y | cens(c) + trunc(lb = 0) + weights(w)`` and backticks.

    Returns
    -------
    Formula
        With nested and double bars expanded as lme4 does: the innermost grouping factor of ``a/b`` comes first.

    Raises
    ------
    FormulaError
        If the text is no formula, or asks for what is not supported; the message points at the place.

    Notes
    -----
    A bar from ``||`` has structure ``"diag"``, so that the columns of a factor are independent too; lme4 would keep
    them correlated. Nested factors are named without brackets, ``c:b:a``, where lme4 has ``c:(b:a)``.
    """
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text such as `y ~ x + (x | g)`, not {type(text).__name__}.")
    return _parsed(text)


@lru_cache(maxsize=256)  # studies fit one formula to many data
def _parsed(text: str) -> Formula:
    left, right = read_sides(text)
    with pointing(text):
        formula = _formula(left, right, text)
    if len(str(formula)) > MAX_LENGTH:
        raise FormulaError(f"The formula expands to more than {MAX_LENGTH} characters.")
    return formula


def _formula(left: Expr | None, right: Expr, text: str) -> Formula:
    if left is None:
        raise PlaceError("The formula has no response.", 0, "Write it left of `~`: `y ~ ...`.")
    left, additions = divide_left(left)
    response = _response(left)
    parts = summands(right)
    bars = tuple(islice((bar for part in parts if has_bar(part[1]) for bar in bars_of(part)), MAX_BARS + 1))
    if len(bars) > MAX_BARS:
        raise PlaceError(f"The formula expands to more than {MAX_BARS} bars.", right.position)
    offsets = tuple(offset_of(part) for part in parts if is_call(part[1], "offset"))
    smooths = _smooths(parts, response)
    rest = [part for part in parts if not _is_apart(part[1])]
    fixed, monotonic = _fixed(rest, response, left.position)
    specific = tuple(specific_of(part, response) for part in parts if is_specific(part[1]))
    residual = residual_of(parts)
    return Formula(response, fixed, bars, offsets, additions, smooths, specific, text, residual, monotonic=monotonic)


def _is_apart(part: Expr) -> bool:
    """Whether a part of a sum is no fixed effect."""
    return has_bar(part) or is_residual(part) or is_smooth(part) or is_specific(part) or is_call(part, "offset")


def _smooths(parts: Sequence[Part], response: str) -> tuple[Smooth, ...]:
    found = tuple(smooth_term(*part) for part in parts if is_smooth(part[1]))
    for _, call in parts:
        if is_smooth(call):
            _check_calls(children(call))
    for i, smooth in enumerate(found):
        twin = next((one for one in found[:i] if (one.label, one.by) == (smooth.label, smooth.by)), None)
        if twin is not None:
            what = f"`{twin}` and `{smooth}` are smooths of the same: both would be called `{smooth.label}`."
            raise PlaceError(what, smooth.place, "Leave one of them out.")
        if response in (*smooth.variables, smooth.by):
            raise PlaceError("The response is also a predictor.", smooth.place, "Remove it on the right-hand side.")
    return found


def _response(left: Expr) -> str:
    for inside in walk(left):
        if is_bar(inside):
            advice = "What says more of a response stands behind a bar: `y | weights(w) ~ ...`."
            raise PlaceError("The response takes no `|`.", inside.places[0], advice)
        if inside == Name("."):
            raise PlaceError("`.` stands for predictors and cannot be the response.", inside.position)
    _check_calls(children(left) if is_call(left, "cbind") else (left,))
    return spell(unbracket(left))


def _fixed(parts: Sequence[Part], response: str, place: int) -> tuple[str, tuple[MonotonicTerm, ...]]:
    """The fixed effects, and those of them that are monotonic."""
    check_imputed(part for _, part in parts)
    _check_calls(one for _, part in parts for inside in outside(part) for one in without_imputed(inside))
    _check_dots(part for _, part in parts)
    terms = _expand(parts)
    plain, monotonic = divide_terms(terms)
    if response in (*terms.variables, *(one.variable for one in monotonic)):
        raise PlaceError("The response is also a predictor.", place, "Remove it on the right-hand side.")
    return (spell_terms(plain) if monotonic else _spell_sum(parts, bare=True)), monotonic


def offset_of(part: Part) -> str:
    """The expression inside ``offset()``."""
    sign, call = part
    if sign == "-":
        raise PlaceError("An offset is added, not subtracted.", call.position, "Write `offset(-x)`.")
    match call:
        case Call(arguments=(Argument(value=value, name=""),)):
            _check_calls((value,))
            _check_dots((call,))
            return spell(value)
    raise PlaceError("`offset()` takes one expression.", call.position)


def specific_of(part: Part, response: str) -> str:
    """Category-specific effects, in R's spelling."""
    sign, call = part
    if sign == "+":
        match call:
            case Call(arguments=(Argument(value=value, name=""),)):
                _check_dots((call,))
                inside, monotonic = _fixed(summands(value), response, call.position)
                if inside not in ("0", "1") and not monotonic:
                    return f"{SPECIFIC}({inside})"
    advice = f"Write `y ~ z + {SPECIFIC}(x)` of a rating; a covariance structure is `{SPECIFIC}(1 + x | g)`."
    raise PlaceError(f"`{SPECIFIC}()` takes a sum of predictors.", call.position, advice)


def bars_of(part: Part) -> Iterator[Bar]:
    """Expand one bar as lme4's ``expandDoubleVerts`` and ``findbars`` do."""
    sign, expression = part
    if sign == "-":
        raise PlaceError("A random-effects term cannot be subtracted.", expression.position)
    bar, structure = _bar(expression)
    shared = _shared(bar, structure)
    factors, grouping = divide_grouping(unbracket(bar.operands[-1]))
    groups = groups_of(factors[0]) if grouping is ALONE else [whole(factors)]
    if shared and len(groups) > 1:
        what = f"The ID `{shared}` stands for one covariance, and nested factors have several."
        bars = " + ".join(f"(... | {shared}{i} | {':'.join(group)})" for i, group in enumerate(groups, 1))
        raise PlaceError(what, bar.operands[-1].position, f"Write `{bars}`.")
    for effects, kind in _effects(bar, structure):
        for group in groups:
            yield Bar(effects, group, kind, shared, expression.position, grouping)


def _bar(expression: Expr) -> tuple[Chain, str | None]:
    """Return the bar inside brackets or a covariance structure, and the structure's name."""
    if isinstance(expression, Chain):
        advice = "Write `... + (effects | group)`."
        raise PlaceError("A random-effects bar needs brackets of its own.", expression.places[0], advice)
    structure = _structure(expression) if isinstance(expression, Call) else None
    bar = unbracket(children(expression)[0]) if children(expression) else expression
    if not is_bar(bar):
        raise PlaceError(f"`{structure}()` goes around a bar.", expression.position, f"Write `{structure}(1 + x | g)`.")
    if len(bar.operators) > 1 and bar.operators != ("|", "|"):
        what = "A bar has two sides, and at most an ID between them."
        raise PlaceError(what, bar.places[1], "Write `(x | g)`, `(x || g)`, or `(x | ID | g)`.")
    if structure and bar.operators == ("||",):
        what = f"`||` and `{structure}()` both name a covariance structure."
        raise PlaceError(what, bar.places[0], f"Write `{structure}(... | g)` or `(... || g)`.")
    return bar, structure


def _shared(bar: Chain, structure: str | None) -> str:
    """Return the ID of ``(x | ID | g)``, or an empty string."""
    if len(bar.operators) == 1:
        return ""
    middle = bar.operands[1]
    if structure not in (None, "us"):
        what = f"`{structure}()` takes no ID: effects that share one have an unstructured covariance."
        raise PlaceError(what, middle.position, f"Write `(... | {spell(middle)} | g)`, or `{structure}(... | g)`.")
    if not isinstance(middle, Name | Number) or middle == Name("."):
        raise PlaceError(f"`{spell(middle)}` is no ID.", middle.position, "An ID is a name: `(x | p | g)`.")
    return spell(middle)


def _structure(call: Call) -> str:
    """Return the covariance structure that ``cs(... | g, hom = TRUE)`` and its like name."""
    match call.arguments:
        case (Argument(name=""),) | ():
            return call.function
        case (Argument(name=""), Argument(value=Flag(value=hom), name="hom")):
            found = [name for name, known in STRUCTURES.items() if known == (call.function, hom)]
            if found:
                return found[0]
    advice = f"Write `{call.function}({'x' if call.function in POSITIONAL else '1 + x'} | g)`."
    if (call.function, True) in STRUCTURES.values():
        advice += " With `hom = TRUE` all effects share one standard deviation, with `hom = FALSE` each has its own."
    raise PlaceError(f"`{call.function}()` does not take these arguments.", call.position, advice)


def _effects(bar: Chain, structure: str | None) -> list[tuple[str, str]]:
    """Return the effects of each bar that one bar stands for, with their covariance structure."""
    if structure in POSITIONAL:
        return [(coordinates(bar.operands[0], structure), structure)]
    parts = summands(bar.operands[0])
    _check_calls(part for _, part in parts)
    terms = _expand(parts)
    if "." in terms.variables:
        raise PlaceError("`.` is not supported in a bar.", bar.operands[0].position, "Name the effects.")
    if not terms.terms and not terms.intercept:
        raise PlaceError("This bar has no effects.", bar.places[0], "A random intercept is `(1 | g)`.")
    if "||" not in bar.operators:
        return [(_spell_sum(parts), structure or "us")]
    return [("1", "us")] * terms.intercept + [(f"0 + {label}", "diag") for label in terms.labels]


def _is_double(effects: str) -> bool:
    """Return whether ``(effects || g)`` stands for this one bar."""
    return [effects] == [f"0 + {label}" for label in expand(read(effects)).labels]


def _check_calls(expressions: Iterable[Expr]) -> None:
    for inside in (e for expression in expressions for e in walk(expression)):
        if isinstance(inside, Call) and inside.function in ELSEWHERE:
            what = f"`{inside.function}()` does not belong here."
            raise PlaceError(what, inside.position, ELSEWHERE[inside.function])


def _check_dots(expressions: Iterable[Expr]) -> None:
    for call in (e for expression in expressions for e in walk(expression) if isinstance(e, Call)):
        for inside in walk(call):
            if inside == Name("."):
                raise PlaceError("`.` stands for terms, not inside a function.", inside.position)


def is_call(expression: Expr, function: str) -> bool:
    """Whether an expression is the call of a function."""
    return isinstance(expression, Call) and expression.function == function


def _expand(parts: Sequence[Part]) -> Terms:
    return expand(_sum([("+", Number(1.0)), *parts]))


def _sum(parts: Sequence[Part]) -> Expr:
    """Join signed parts, the first of which is positive."""
    operands = tuple(part for _, part in parts)
    return Chain(operands, tuple(sign for sign, _ in parts[1:])) if len(parts) > 1 else operands[0]


def _spell_sum(parts: Sequence[Part], *, bare: bool = False) -> str:
    """Write a sum with its intercept as a leading 1 or 0; ``bare`` leaves out a 1 that goes without saying."""
    marks = [adds_intercept(*part) for part in parts if is_intercept(part[1])]
    rest = [part for part in parts if not is_intercept(part[1])]
    intercept = marks[-1] if marks else True
    if bare and intercept and rest and rest[0][0] == "+":
        return spell(_sum(rest))
    return spell(_sum([("+", Number(float(intercept))), *rest]))
