"""Errors that show a place in the text of a formula."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from bayesmix.errors import FormulaError, caret


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
