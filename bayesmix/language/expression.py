"""Text to a tree of frozen records, in R's grammar, and back to text; nothing is evaluated.

R's operators bind in this order, weakest first: ``|``, ``&``, ``!``, comparisons, ``+ -``, ``* /``, ``%in%``, ``:``,
the signs, ``^``. Operands of one strength stay side by side in one `Chain`, so that a sum of a thousand columns is
flat; only brackets, calls, signs and powers nest, and those no deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import NoReturn

from bayesmix.errors import FormulaError, caret, nearest
from bayesmix.language.vocabulary import FUNCTIONS, REFUSED, STRUCTURES

MAX_LENGTH = 10_000  # characters
MAX_DEPTH = 50  # brackets, signs and powers inside one another


@dataclass(frozen=True, slots=True)
class Number:
    """A number; ``2L`` is spelled as R's integer."""

    value: float
    integer: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    value: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Flag:
    """``TRUE`` or ``FALSE``."""

    value: bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A column of the data, or ``.`` for all of them."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Bracket:
    """An expression in round brackets, which R keeps in its labels."""

    inner: Expr
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign or a negation in front of an expression."""

    operator: str  # "-", "+" or "!"
    operand: Expr
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands of operators of one strength, applied from left to right; ``^`` has just two operands."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]  # one fewer than the operands
    position: int = field(default=0, compare=False)
    places: tuple[int, ...] = field(default=(), compare=False)  # where the operators stand


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call: ``2`` or ``df = 2``."""

    value: Expr
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Argument, ...]
    position: int = field(default=0, compare=False)


type Expr = Number | Text | Flag | Name | Bracket | Sign | Chain | Call


def read(text: str) -> Expr:
    """Parse one expression, such as a side of a formula.

    Raises
    ------
    FormulaError
        If the text is not one complete expression; the message points at the place.
    """
    reader = _Reader(text)
    expression = reader.strength(0)
    reader.finish()
    return expression


def read_sides(text: str) -> tuple[Expr | None, Expr]:
    """Parse ``response ~ terms``; the response is None where nothing stands left of ``~``."""
    reader = _Reader(text)
    left = None if reader.token.text == "~" else reader.strength(0)
    if reader.token.text != "~":
        reader.fail_at_operand("This is not a formula: there is no `~`.", "Write `response ~ terms + (terms | group)`.")
    reader.take()
    right = reader.strength(0)
    reader.finish()
    return left, right


class PlaceError(FormulaError):
    """Something wrong with an expression, at a place in its text; `pointing` shows the place."""

    def __init__(self, what: str, place: int, advice: str = "") -> None:
        super().__init__(what)
        self.what, self.place, self.advice = what, place, advice


@contextmanager
def pointing(text: str) -> Iterator[None]:
    """Turn a PlaceError raised inside into a FormulaError with a caret under the place in ``text``."""
    try:
        yield
    except PlaceError as error:
        message = error.what, error.advice, error.place
    else:
        return
    fail(text, message[2], message[0], message[1])


def fail(text: str, position: int, what: str, advice: str = "") -> NoReturn:
    """Raise the FormulaError that says what is wrong, shows where in the text, and what to type next."""
    start = max(0, position - 100)
    excerpt = text[start : start + 200]
    before, after = "... " * (start > 0), " ..." * (start + 200 < len(text))
    shown = caret(before + excerpt + after, len(before) + position - start)
    raise FormulaError("\n".join(filter(None, (what, shown, advice))))


def children(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside another."""
    match expression:
        case Bracket(inner=inner):
            return (inner,)
        case Sign(operand=operand):
            return (operand,)
        case Chain(operands=operands):
            return operands
        case Call(arguments=arguments):
            return tuple(argument.value for argument in arguments)
        case _:
            return ()


def walk(expression: Expr) -> Iterator[Expr]:
    """Yield an expression and everything inside it, in the order of the text."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def column_names(expression: Expr) -> tuple[str, ...]:
    """Return the columns that an expression needs, each once, in the order of the text."""
    return tuple(dict.fromkeys(_column_names(expression)))


def unbracket(expression: Expr) -> Expr:
    """Strip the round brackets around a whole expression."""
    while isinstance(expression, Bracket):
        expression = expression.inner
    return expression


def spell(expression: Expr) -> str:
    """Write an expression as R's deparse does; `read` gives the same expression back."""
    match expression:
        case Number(value=value, integer=integer):
            return f"{value:.0f}L" if integer else spell_number(value)
        case Text(value=value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Flag(value=flag):
            return "TRUE" if flag else "FALSE"
        case Name(name=name):
            return spell_name(name)
        case Bracket(inner=inner):
            return f"({spell(inner)})"
        case Sign(operator=operator, operand=operand):
            return operator + spell(operand)
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(_spell_argument, arguments))})"
        case Chain(operands=operands, operators=operators):
            rest = (_spaced(o) + spell(e) for o, e in zip(operators, operands[1:], strict=True))
            return spell(operands[0]) + "".join(rest)


def spell_name(name: str) -> str:
    """Write a column's name, in backticks where R needs them."""
    plain = _PLAIN_NAME.fullmatch(name) and name not in _RESERVED and name not in _FLAGS and not _is_dunder(name)
    return name if plain else f"`{name}`"


def spell_number(value: float) -> str:
    """Write a number as R does: 15 digits at most, and 1e+05 where that is shorter than 100000."""
    scientific = f"{value:.14e}"
    mantissa, exponent = scientific.split("e")
    scientific = f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
    decimals = max(0, 14 - int(exponent))
    fixed = f"{value:.{decimals}f}"
    fixed = fixed.rstrip("0").rstrip(".") if decimals else fixed
    shortest = fixed if len(fixed) <= len(scientific) else scientific
    return shortest if float(shortest) == value else repr(value)


_PLAIN_NAME = re.compile(r"(?:[^\W\d]|\.(?![0-9]))[\w.]*")
_FLAGS = {"TRUE": True, "True": True, "FALSE": False, "False": False}
_KEYWORDS = {"if", "else", "for", "while", "repeat", "function", "next", "break", "in"}
_RESERVED = frozenset(_KEYWORDS | {"NULL", "NA", "NaN", "Inf"})
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?)
    |(?P<name>(?:[^\W\d]|\.(?![0-9]))[\w.]*)
    |(?P<quoted>`[^`]+`)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<operator>%[^%\s]*%|\*\*|\|\||&&|<=|>=|==|!=|[-+*/:^()|&!<>=~,])""",
    re.VERBOSE | re.DOTALL,
)
_STRENGTHS: tuple[frozenset[str], ...] = (
    frozenset({"|", "||"}),
    frozenset({"&"}),
    frozenset(),  # "!" goes in front
    frozenset({"<", ">", "<=", ">=", "==", "!="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/"}),
    frozenset({"%in%"}),
    frozenset({":"}),
)
_NEGATION, _COMPARISON = 2, 3
_TIGHT = frozenset({"/", ":", "^"})
_SYNONYMS = {"**": "^", "&&": "&"}
_UNCLOSED = {"`": "This backtick is not closed.", '"': "This string is not closed.", "'": "This string is not closed."}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


class _Reader:
    """A cursor over the tokens; each method consumes one construct and returns its record."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise FormulaError(f"The formula has {len(text)} characters; the limit is {MAX_LENGTH}.")
        self.text = text
        self.tokens = list(_tokens(text))
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def take(self) -> _Token:
        self.next += 1
        return self.tokens[self.next - 1]

    def finish(self) -> None:
        if self.token.kind != "end":
            self.fail_at_operand(_unexpected(self.token))

    def fail_at_operand(self, what: str, advice: str = "") -> NoReturn:
        fail(self.text, self.token.position, what, advice)

    def strength(self, level: int) -> Expr:
        """Read operands joined by the operators of one strength or stronger ones."""
        if level == len(_STRENGTHS):
            return self.signed()
        if level == _NEGATION and self.token.text == "!":
            return self.nested(lambda start: Sign("!", self.strength(level), start.position))
        first = self.strength(level + 1)
        operands: list[Expr] = [first]
        operators: list[str] = []
        places: list[int] = []
        while self.token.text in _STRENGTHS[level]:
            if level == _COMPARISON and operators:
                self.fail_at_operand("Comparisons do not chain.", "Join two comparisons with `&`.")
            operator = self.take()
            operators.append(operator.text)
            places.append(operator.position)
            operands.append(self.strength(level + 1))
        return Chain(tuple(operands), tuple(operators), first.position, tuple(places)) if operators else first

    def signed(self) -> Expr:
        if self.token.text in ("-", "+"):
            return self.nested(lambda start: Sign(start.text, self.signed(), start.position))
        return self.power()

    def power(self) -> Expr:
        base = self.atom()
        if self.token.text != "^":
            return base
        return self.nested(lambda hat: Chain((base, self.signed()), ("^",), base.position, (hat.position,)))

    def nested[T](self, construct: Callable[[_Token], T]) -> T:
        """Consume a token, then read what it opens, one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail_at_operand(f"The formula is nested more than {MAX_DEPTH} deep.")
        result = construct(self.take())
        self.depth -= 1
        return result

    def atom(self) -> Expr:
        readers: dict[str, Callable[[], Expr]]
        readers = {"number": self.number, "text": self.string, "quoted": self.quoted, "name": self.name}
        if self.token.text == "(":
            return self.nested(self.bracket)
        if self.token.kind not in readers:
            self.fail_at_operand(_missing_operand(self.token))
        return readers[self.token.kind]()

    def string(self) -> Text:
        token = self.take()
        return Text(re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL), token.position)

    def quoted(self) -> Name:
        token = self.take()
        return Name(token.text[1:-1], token.position)

    def number(self) -> Number:
        token = self.take()
        integer = token.text.endswith("L")
        value = float(token.text.rstrip("L"))
        if not isfinite(value):
            fail(self.text, token.position, "This number is too large.")
        return Number(value, integer and value.is_integer(), token.position)

    def name(self) -> Expr:
        token = self.take()
        if token.text in _FLAGS:
            return Flag(_FLAGS[token.text], token.position)
        if token.text in _RESERVED:
            advice = f"If it is a column, write it in backticks: `{token.text}`."
            fail(self.text, token.position, f"`{token.text}` is a reserved word.", advice)
        if _is_dunder(token.text):
            fail(self.text, token.position, "Attributes of Python objects are not part of a formula.")
        if self.token.text == "(":
            self.check_function(token)
            return self.nested(lambda opening: Call(token.text, self.arguments(opening), token.position))
        return Name(token.text, token.position)

    def check_function(self, token: _Token) -> None:
        if token.text in REFUSED:
            fail(self.text, token.position, f"`{token.text}()` is not supported.", REFUSED[token.text])
        if token.text not in FUNCTIONS and token.text not in STRUCTURES:
            what = f"There is no function `{token.text}` in formulas.{nearest(token.text, sorted(FUNCTIONS))}"
            fail(self.text, token.position, what, "Make the column in the data under a name of its own.")

    def bracket(self, opening: _Token) -> Bracket:
        inner = self.strength(0)
        self.close(opening)
        return Bracket(inner, opening.position)

    def close(self, opening: _Token) -> None:
        if self.token.kind == "end":
            fail(self.text, opening.position, "Unmatched opening bracket.", "Close it with `)`.")
        if self.token.text != ")":
            self.fail_at_operand(_unexpected(self.token))
        self.take()

    def arguments(self, opening: _Token) -> tuple[Argument, ...]:
        if self.token.text == ")":
            self.take()
            return ()
        found = [self.argument()]
        while self.token.text == ",":
            self.take()
            found.append(self.argument())
        self.close(opening)
        return tuple(found)

    def argument(self) -> Argument:
        following = self.tokens[min(self.next + 1, len(self.tokens) - 1)]
        if self.token.kind == "name" and following.text == "=":
            name = self.take().text
            self.take()
            return Argument(self.strength(0), name)
        return Argument(self.strength(0))


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            what = _UNCLOSED.get(text[position], f"`{text[position]}` is not part of the formula language.")
            fail(text, position, what)
        kind = str(match.lastgroup)
        if kind == "operator" and match[0].startswith("%") and match[0] != "%in%":
            fail(text, position, f"The operator `{match[0]}` is not supported.", "The only one of its kind is `%in%`.")
        if kind != "space":
            yield _Token(kind, _SYNONYMS.get(match[0], match[0]), position)
        position = match.end()
    yield _Token("end", "", len(text))


def _missing_operand(token: _Token) -> str:
    if token.kind == "end":
        return "The formula ends where a term is expected."
    return f"A term is expected here, not `{token.text}`."


def _unexpected(token: _Token) -> str:
    if token.text == ")":
        return "Unmatched closing bracket."
    if token.text == "~":
        return "A formula has a single `~`."
    if token.kind == "operator":
        return f"`{token.text}` is not expected here."
    return f"An operator is missing before `{token.text}`."


def _is_dunder(name: str) -> bool:
    return re.search(r"(?:^|\.)__\w+__(?:$|\.)", name) is not None


def _spaced(operator: str) -> str:
    return operator if operator in _TIGHT else f" {operator} "


def _spell_argument(argument: Argument) -> str:
    return f"{argument.name} = {spell(argument.value)}" if argument.name else spell(argument.value)


def _column_names(expression: Expr) -> Iterator[str]:
    match expression:
        case Name(name=name):
            yield name
        case Call(function="C", arguments=arguments):  # what follows names contrasts, not columns
            yield from _column_names(arguments[0].value) if arguments else ()
        case _:
            for child in children(expression):
                yield from _column_names(child)
