"""The formulas of a model: one text, several, or a dictionary, as a record for each formula.

brms's ``bf(y ~ x, sigma ~ z)`` and ``mvbind(a, b) ~ x`` are opened here, as text: each record keeps a text of its own.
What a formula is of, a response or a parameter, stands on its left side, and `model_spec` decides which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from re import sub
from typing import Any

from bayesmix.errors import FormulaError
from bayesmix.language.formula.nonlinear import apart, nonlinear, without_marks
from bayesmix.language.formula.parse import Formula, parse
from bayesmix.language.formula.reader import MAX_LENGTH, Token, tokens

MAX_FORMULAS = 100
MAX_TOTAL = 10 * MAX_LENGTH  # characters of all of them
MEAN = "mu"  # the key of the first formula of a dictionary

_WRAPPERS = ("bf", "brmsformula")
_EXAMPLE = '"y ~ x + (x | g)", a list ["y ~ ...", "sigma ~ x"] or a dictionary {"mu": "y ~ ...", "sigma": "~ x"}'


def read_formulas(given: Any, is_column: Callable[[str], bool] = lambda name: True) -> tuple[Formula, ...]:
    """Parse the formulas of a model.

    Parameters
    ----------
    given
        A text, in which ``;`` stands between formulas; a list of texts; a dictionary of them by response or parameter,
        in which ``mu`` is the mean of the response; a `Formula`, or a sequence of them.
    is_column
        Whether a name is a column of the data: what a later formula defines and the first one names is a parameter of
        a nonlinear mean otherwise, and where ``nl = TRUE`` stands among the formulas.

    Returns
    -------
    tuple[Formula, ...]
        In the order given, that of ``mu`` first. Left sides are their responses, those that name a parameter too.

    Raises
    ------
    FormulaError
        If one of them is no formula, or there is none.
    """
    found, mark = without_marks(list(islice(_separate(given), MAX_FORMULAS + 1)))
    if not found:
        raise FormulaError(f"There is no formula: write {_EXAMPLE}.")
    if len(found) > MAX_FORMULAS:
        raise FormulaError(f"There are more than {MAX_FORMULAS} formulas.")
    if sum(len(one) for one in found if isinstance(one, str)) > MAX_TOTAL:
        raise FormulaError(f"The formulas have more than {MAX_TOTAL} characters together.")
    found = apart(found, mark, is_column)
    curved = nonlinear(found, mark, is_column)
    rest = found if curved is None else found[1:]
    read = (_with_left_side(one) if isinstance(one, Formula) else parse(one) for one in rest)
    return (*read,) if curved is None else (curved, *read)


def bare(label: str) -> str:
    """A response without what may be spelled otherwise: blanks and backticks."""
    return sub(r"[\s`]", "", label)


def _separate(given: Any) -> Iterator[str | Formula]:
    match given:
        case str():
            yield from texts_of(given)
        case Formula():
            yield given
        case Mapping():
            yield from _of_dictionary(given)
        case list() | tuple():
            for one in given:
                if not isinstance(one, str | Formula):
                    raise FormulaError(f"Each formula of a list is text, not {type(one).__name__}.")
                yield from _separate(one)
        case _:
            raise FormulaError(f"A formula is text such as {_EXAMPLE}, not {type(given).__name__}.")


def _with_left_side(formula: Formula) -> Formula:
    """A record as it was read: that of a parameter has its name in its text alone."""
    if formula.response:
        return formula
    if not formula.text:
        raise FormulaError(f"Formula `{formula}` does not say of which parameter it is: write `sigma {formula}`.")
    return parse(formula.text)


# ---- dictionaries -----------------------------------------------------------------------------------------------


def _of_dictionary(given: Mapping[Any, Any]) -> Iterator[str | Formula]:
    if MEAN in given:
        mean = given[MEAN]
        yield mean if isinstance(mean, str) else _named(MEAN, mean)
    yield from (_named(key, text) for key, text in given.items() if key != MEAN)


def _named(key: Any, text: Any) -> Formula:
    """One formula of a dictionary, whose left side may be its key alone: ``{"sigma": "~ x"}``."""
    if not (isinstance(key, str) and isinstance(text, str)):
        raise FormulaError(f"A dictionary of formulas has texts by name, not {key!r}: {text!r}.")
    if key == MEAN:
        return parse(text)
    formula = parse(f"{key} {text.lstrip()}" if text.lstrip().startswith("~") else text)
    if bare(formula.response) != bare(key):
        raise FormulaError(f'The formula under "{key}" is one of `{formula.response}`: write "{key}": "~ ...".')
    return formula


# ---- one text ---------------------------------------------------------------------------------------------------


def texts_of(text: str) -> Iterator[str]:
    """The texts of the formulas in one text."""
    parts = _split(text, ";")
    if len(parts) > 1:
        parts = [part.strip() for i, part in enumerate(parts) if part.strip() or i < len(parts) - 1]
    for part in parts:
        for formula in _inside(part):
            yield from _by_response(formula)


def _inside(text: str) -> list[str]:
    """The formulas inside brms's ``bf(y ~ x, sigma ~ z)``."""
    call = _call(text, _WRAPPERS)
    if call is None or call[1].strip():
        return [text]
    return [part.strip() for part in _split(call[0], ",")]


def _by_response(text: str) -> Iterator[str]:
    """The formulas that ``mvbind(a, b) ~ x`` stands for."""
    call = _call(text, ("mvbind",))
    if call is None:
        yield text
    else:
        yield from (f"{response.strip()} {call[1].strip()}" for response in _split(call[0], ","))


def _call(text: str, functions: tuple[str, ...]) -> tuple[str, str] | None:
    """Inside and rest of a text that begins with the call of a function."""
    read = tokens(text)
    if len(read) < 3 or read[0].text not in functions or read[1].text != "(":
        return None
    start, depth = read[1].position + 1, 0
    for token in read:
        depth += _deeper(token)
        if token.text == ")" and depth == 0:
            return text[start : token.position], text[token.position + 1 :]
    return None


def _split(text: str, separator: str) -> list[str]:
    """Parts of a text between separators outside all brackets."""
    parts, start, depth = [], 0, 0
    for token in tokens(text):
        depth += _deeper(token)
        if token.text == separator and depth == 0:
            parts.append(text[start : token.position])
            start = token.position + 1
    return [*parts, text[start:]]


def _deeper(token: Token) -> int:
    return {"(": 1, ")": -1}.get(token.text, 0)
