"""Errors and warnings: one class per stage, each message says what, where, and what to do next."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from os.path import dirname

from bayesmix.hidden_letters import SPELT_OUT

PACKAGE = dirname(__file__)
# Frames of ours and of the decorators around them; Python 3.13 takes no whole file name for a prefix.
OWN = (PACKAGE, contextlib.__file__.removesuffix(".py"))


LONGEST = 200  # letters of a name that could have been meant
MOST = 2_500  # letters of a message, which can quote what was given


class BayesmixError(Exception):
    """Base class of every error that bayesmix raises on purpose."""

    def __str__(self) -> str:
        said = super().__str__().translate(SPELT_OUT)
        return said if len(said) <= MOST else f"{said[: MOST - 505]} ... {said[-500:]}"


class FormulaError(BayesmixError):
    """The formula does not parse, or asks for something that is not supported."""


class SpecError(BayesmixError):
    """Family, link, prior or option that does not exist or does not fit the model."""


class DataError(BayesmixError):
    """The data do not hold what the model needs."""


class DesignError(BayesmixError):
    """The data cannot identify the model that was asked for."""


class FitError(BayesmixError):
    """A numerical method could not finish."""


class BayesmixWarning(UserWarning):
    """Base class of every warning of bayesmix; filter it to silence them all."""


class ConvergenceWarning(BayesmixWarning):
    """An optimiser or a sampler did not reach what it should have reached."""


class DroppedWarning(BayesmixWarning):
    """Rows, levels or columns were left out of the fit, or replications out of a study."""


class PredictionWarning(BayesmixWarning):
    """Rows or combinations have no value: the data of the fit do not determine them, or theirs are missing."""


class SourceWarning(BayesmixWarning):
    """Data that stay where they are, from which hardly anything is saved by that."""


class PriorWarning(BayesmixWarning):
    """A prior rules out what the data say."""


def warn_user(message: str, category: type[BayesmixWarning]) -> None:
    """Warn with the line of the user's own code, however deep inside the package the reason was found."""
    warnings.warn(message.translate(SPELT_OUT), category, skip_file_prefixes=OWN)


def caret(text: str, position: int) -> str:
    """Return ``text`` with a caret under ``position``, indented by two blanks."""
    line = text.replace("\n", " ").replace("\t", " ")
    return f"  {line}\n  {' ' * position}^"


def first_line(error: BaseException) -> str:
    """What another package's error says first, without the point or colon at its end; its class if it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")


def nearest(name: object, known: Iterable[str]) -> str:
    """Return `` Did you mean `x`?`` for the closest known name, or an empty string."""
    name, candidates = str(name)[:LONGEST], list(known)
    turned = next((one for one in candidates if one != name and _parts(one) == _parts(name)), None)
    if turned is not None:  # `cat:sub` of (1 | cat/sub), which lme4 calls `sub:cat`
        return f" Did you mean `{turned}`?"
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    match = get_close_matches(name, candidates, n=1, cutoff=0.5) or [
        lowered[m] for m in get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    ]
    return f" Did you mean `{match[0]}`?" if match else ""


def _parts(name: str) -> list[list[str]]:
    """The names that an interaction is made of, in any order, with what stands around it."""
    return [sorted(part.split(":")) for part in re.split(r"[(), ]+", name)]
