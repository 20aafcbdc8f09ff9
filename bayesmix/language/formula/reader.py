"""Text to expressions, by R's grammar; nothing is evaluated, and only functions of the vocabulary get through.

R's operators bind in this order, weakest first: ``|``, ``&``, ``!``, comparisons, ``+ -``, ``* /``, ``%in%``, ``:``,
the signs, ``^``. Only brackets, calls, signs and powers nest, and those no deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import NoReturn

from bayesmix.errors import FormulaError, nearest
from bayesmix.language.formula.expression import (
    Argument,
    Bracket,
    Call,
    Chain,
    Expr,
    Flag,
    Name,
    Number,
    Sign,
    Text,
    is_dunder,
)
from bayesmix.language.formula.location import fail
from bayesmix.language.formula.vocabulary import (
    ADDITIONS,
    FLAGS,
    FUNCTIONS,
    GROUPINGS,
    REFUSED,
    RESERVED,
    RESIDUALS,
    STRUCTURES,
)

MAX_LENGTH = 10_000  # characters
MAX_DEPTH = 50  # brackets, signs and powers inside one another


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign of a formula."""

    kind: str  # "number", "name", "quoted", "text", "operator", or "end"
    text: str
    position: int


@lru_cache(maxsize=1024)  # a design reads the parts of its formula some twenty times
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


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[Token, ...]:
    """Divide a text into words and signs, with a token for its end.

    Raises
    ------
    FormulaError
        If it is too long, or something in it is not part of the language.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"The formula has {len(text)} characters; the limit is {MAX_LENGTH}.")
    return tuple(_tokens(text))


def read_sides(text: str, *, lenient: bool = False) -> tuple[Expr | None, Expr]:
    """Parse ``response ~ terms``; the response is None where nothing stands left of ``~``.

    Parameters
    ----------
    lenient : whether calls of all functions get through on the right, as those of nonlinear formulas, which have a
        vocabulary of their own.
    """
    reader = _Reader(text)
    left = None if reader.token.text == "~" else reader.strength(0)
    if reader.token.text != "~":
        advice = "Write `response ~ terms + (terms | group)`."
        if reader.token.text == "=":
            advice = FIXED if _FIXED.fullmatch(text) else f"Write `{text.replace('=', '~', 1).strip()}`."
        reader.fail_at_operand("This is not a formula: there is no `~`.", advice)
    reader.take()
    reader.is_lenient = lenient
    right = reader.strength(0)
    reader.finish()
    return left, right


FIXED = (
    "A parameter that is a number is an offset on its link and nothing else: `sigma = 0.5` is"
    " `sigma ~ 0 + offset(log(0.5))`, a share `zi = 0.1` is `zi ~ 0 + offset(log(0.1 / 0.9))`."
)
_FIXED = re.compile(r"\s*[\w.]+\s*=\s*[-+.\deE]+\s*")  # a name and a number
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?)
    |(?P<name>(?:[^\W\d]|\.(?![0-9]))[\w.]*)
    |(?P<quoted>`[^`]+`)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<operator>%[^%\s]*%|\*\*|\|\||&&|<=|>=|==|!=|[-+*/:^()|&!<>=~,;])""",
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
_SYNONYMS = {"**": "^", "&&": "&"}
_TYPOGRAPHIC = {  # what word processors and web pages make of what was typed
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", "-"),
    **dict.fromkeys("\u02dc\u223c\uff5e", "~"),
    **dict.fromkeys("\u00d7\u22c5\u00b7\u2217", "*"),
    **dict.fromkeys("\u2223\u2758\uff5c\u00a6", "|"),
    **dict.fromkeys("\u201c\u201d\u201e\u2018\u2019", '"'),
}
_UNCLOSED = {"`": "This backtick is not closed.", '"': "This string is not closed.", "'": "This string is not closed."}


class _Reader:
    """A cursor over the tokens; each method consumes one construct and returns its record."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.next = 0
        self.is_lenient = False  # whether functions are somebody else's to check
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self) -> Token:
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

    def nested[T](self, construct: Callable[[Token], T]) -> T:
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
        if token.text in FLAGS:
            return Flag(FLAGS[token.text], token.position)
        if token.text in RESERVED:
            advice = f"If it is a column, write it in backticks: `{token.text}`."
            fail(self.text, token.position, f"`{token.text}` is a reserved word.", advice)
        if is_dunder(token.text):
            fail(self.text, token.position, "Attributes of Python objects are not part of a formula.")
        if self.token.text == "(":
            if not self.is_lenient:
                self.check_function(token)
            return self.nested(lambda opening: Call(token.text, self.arguments(opening), token.position))
        return Name(token.text, token.position)

    def check_function(self, token: Token) -> None:
        if token.text in REFUSED:
            fail(self.text, token.position, f"`{token.text}()` is not supported.", REFUSED[token.text])
        known = {*FUNCTIONS, *STRUCTURES, *ADDITIONS, *RESIDUALS, *GROUPINGS}
        if token.text not in known:
            if self.token.position > token.position + len(token.text):  # a column, a space, and what is no call
                advice = f"Write `{token.text} + (...)`."
                fail(self.text, self.token.position, f"An operator is missing after `{token.text}`.", advice)
            what = f"There is no function `{token.text}` in formulas.{nearest(token.text, sorted(known))}"
            fail(self.text, token.position, what, "Make the column in the data under a name of its own.")

    def bracket(self, opening: Token) -> Bracket:
        inner = self.strength(0)
        self.close(opening)
        return Bracket(inner, opening.position)

    def close(self, opening: Token) -> None:
        if self.token.kind == "end":
            fail(self.text, opening.position, "Unmatched opening bracket.", "Close it with `)`.")
        if self.token.text != ")":
            self.fail_at_operand(_unexpected(self.token))
        self.take()

    def arguments(self, opening: Token) -> tuple[Argument, ...]:
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


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            letter = text[position]
            meant = f"Write `{_TYPOGRAPHIC[letter]}` for it." if letter in _TYPOGRAPHIC else ""
            fail(text, position, _UNCLOSED.get(letter, f"`{letter}` is not part of the formula language."), meant)
        kind = str(match.lastgroup)
        if kind == "operator" and match[0].startswith("%") and match[0] != "%in%":
            fail(text, position, f"The operator `{match[0]}` is not supported.", "The only one of its kind is `%in%`.")
        if kind != "space":
            yield Token(kind, _SYNONYMS.get(match[0], match[0]), position)
        position = match.end()
    yield Token("end", "", len(text))


def _missing_operand(token: Token) -> str:
    if token.kind == "end":
        return "The formula ends where a term is expected."
    return f"A term is expected here, not `{token.text}`."


def _unexpected(token: Token) -> str:
    if token.text == ")":
        return "Unmatched closing bracket."
    if token.text == "~":
        return "A formula has a single `~`."
    if token.kind == "operator":
        return f"`{token.text}` is not expected here."
    return f"An operator is missing before `{token.text}`."
