"""Arguments of the public functions: those of other packages answered by name, whole numbers checked."""

from __future__ import annotations

import errno
import inspect
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from numbers import Real
from typing import Any

from bayesmix.errors import SpecError, nearest
from bayesmix.language.spellings import ARGUMENTS

REPLICATES = 10_000_000  # of a study, each of which is at least a seed in memory
PROBABILITIES = ("level", "interval")
_ADVISED = re.compile(r"Write `(\w+)=`")
_POSITIONAL, _KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY


def explained[T: Callable[..., Any]](thing: T) -> T:
    """Let a public function, or every public method of a class, explain arguments that it does not take.

    Python's own message would name the argument and nothing else; here the user reads what to write instead. Arguments
    annotated as ``int`` are checked to be whole numbers, those annotated as ``float`` to be numbers, those annotated as
    ``Path`` to be names that a file can have. One text does where they are annotated as ``Sequence[str]``.
    """
    if not inspect.isclass(thing):
        return _explained(thing, thing.__name__)  # type: ignore[return-value]
    for name, value in list(vars(thing).items()):
        if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
            value.__doc__ = value.__doc__ or _doc_of(thing, name)
            setattr(thing, name, _explained(value, thing.__name__ if name == "__init__" else name))
    return thing


def _doc_of(thing: type, name: str) -> str | None:
    """What a base class says of a method, for help that reads no further than the method itself."""
    return next(
        (doc for base in thing.__mro__[1:] if (doc := getattr(getattr(base, name, None), "__doc__", None))), None
    )


def _explained(function: Callable[..., Any], shown: str) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters
    is_open = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    checks = {name: check for name, parameter in parameters.items() if (check := _check(parameter)) is not None}
    places = {i: name for i, (name, p) in enumerate(parameters.items()) if name in checks and p.kind is _POSITIONAL}

    fewest, most = _numbers(parameters.values())

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        unknown = next((name for name in options if name not in parameters), None)
        if unknown is not None and not is_open:
            raise SpecError(unknown_argument(shown, unknown, [name for name in parameters if name != "self"]))
        if len(arguments) > most:
            raise SpecError(f"`{shown}` does not take {arguments[most]!r:.80} without the name of an argument.")
        if len(arguments) < len(fewest):
            left = next((name for name in fewest[len(arguments) :] if name not in options), None)
            if left is not None:
                raise SpecError(f"`{shown}` needs `{left}`.")
        given = (checks[places[i]](a, places[i]) if i in places else a for i, a in enumerate(arguments))
        return function(*given, **{name: checks[name](a, name) if name in checks else a for name, a in options.items()})

    return call


def _numbers(parameters: Iterable[inspect.Parameter]) -> tuple[list[str], int]:
    """The arguments that have to be given, by their order, and how many may be without their names."""
    places = [one for one in parameters if one.kind is _POSITIONAL]
    is_open = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    return [one.name for one in places if one.default is one.empty], sys.maxsize if is_open else len(places)


def _check(parameter: inspect.Parameter) -> Callable[[Any, str], Any] | None:
    """What a value has to pass, by the annotation; None where anything does."""
    if parameter.kind not in (_POSITIONAL, _KEYWORD):
        return None
    if parameter.name in PROBABILITIES:  # checked where they are used, in better words
        return None
    kinds = set(str(parameter.annotation).split(" | "))
    if "Sequence[str]" in kinds and kinds <= {"Sequence[str]", "str", "None"}:
        return names if "str" in kinds else several
    if "Path" in kinds:
        return place
    if "int" in kinds:
        return whole_number if "None" in kinds or parameter.name == "seed" else given_number
    return number if kinds <= {"float", "None"} else None


def several(value: Any, name: str) -> Any:
    """Names from one or several: a text alone would be taken letter by letter."""
    return (value,) if isinstance(value, str) else names(value, name)


def names(value: Any, name: str) -> Any:
    """Return names as they are; None stays, and whatever can be gone through.

    Raises
    ------
    SpecError
        If it is a single thing that is no name.
    """
    if isinstance(value, Real):
        raise SpecError(f"{name}={value!r}: names are needed.")
    return value


def place(value: Any, name: str) -> Any:
    """Return a path as it is; None stays.

    Raises
    ------
    SpecError
        If it is none, or no file can have that name.
    """
    if value is None:
        return value
    if not isinstance(value, str | os.PathLike):
        raise SpecError(f"{name}={value!r}: a path is needed, as text or pathlib.Path.")
    try:
        os.lstat(value)
    except ValueError as error:  # a zero byte
        raise SpecError(f"{name}={value!r:.80}: no file has such a name, {error}.") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise SpecError(f"{name}={value!r:.80}...: no file has such a name, it is too long.") from None
    return value


def number(value: Any, name: str) -> Any:
    """Return a number as it is; None stays.

    Raises
    ------
    SpecError
        If it is none.
    """
    if value is None or (isinstance(value, Real) and not isinstance(value, bool)):
        return value
    raise SpecError(f"{name}={value!r}: a number is needed.")


def unknown_argument(function: str, name: str, known: Sequence[str]) -> str:
    """What to say of an argument that a function does not take."""
    advice = ARGUMENTS.get(name) or ARGUMENTS.get(name.lower().replace(".", "_"))
    advised = _ADVISED.match(advice or "")
    if advised is not None and advised[1] not in known:  # it is another verb's
        advice = ARGUMENTS.get(advised[1], advice)
    what = f"`{function}` has no argument `{name}`."
    if advice:
        return f"{what} {advice}"
    return f"{what}{nearest(name, known)}" + (f" Its arguments: {', '.join(known)}." if known else " It takes none.")


def given_number(value: Any, name: str) -> int | None:
    """The same where there has to be one."""
    if value is None:
        raise SpecError(f"{name}=None: a whole number is needed.")
    return whole_number(value, name)


def whole_number(value: Any, name: str) -> int | None:
    """Return a whole number as ``int``; None stays.

    Raises
    ------
    SpecError
        If it is none, a seed below zero, or more replicates than any study has.
    """
    if value is None:
        return None
    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise SpecError(f"{name}={value!r}: a whole number is needed.")
    if name == "seed" and number < 0:
        raise SpecError(f"seed={number}: a seed is a whole number from 0 on.")
    if name == "replicates" and not 0 <= number <= REPLICATES:
        raise SpecError(f"replicates={number}: a whole number from 0 to {REPLICATES} is needed.")
    return number
