"""Coordinates of positions left of a bar: ``ou(time | g)``, ``exp(x + y | g)``, glmmTMB's ``numFactor(x, y)``."""

from __future__ import annotations

from collections.abc import Iterator

from bayesmix.language.formula.expression import Argument, Call, Expr, Name, spell
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.terms import adds_intercept, is_intercept, summands
from bayesmix.language.formula.vocabulary import POSITIONAL


def coordinates(side: Expr, structure: str) -> str:
    """The coordinates of positions, ``"x + y"``, from what stands left of the bar of a positional structure.

    Raises
    ------
    PlaceError
        If these are no sum of columns, or not as many as the structure takes.
    """
    found = [coordinate for sign, part in summands(side) for coordinate in _coordinates(sign, part, structure)]
    texts = list(dict.fromkeys(map(spell, found)))
    example = _example(structure)
    if not texts:
        raise PlaceError(f"`{structure}()` needs the coordinates of positions.", side.position, f"Write `{example}`.")
    if len(texts) > POSITIONAL[structure]:
        what = f"`{structure}()` takes {POSITIONAL[structure]} coordinate{'s' * (POSITIONAL[structure] > 1)}"
        raise PlaceError(f"{what}, not {len(texts)}.", side.position, f"Write `{example}`, or `exp(x + y | g)`.")
    return " + ".join(texts)


def _coordinates(sign: str, part: Expr, structure: str) -> Iterator[Expr]:
    """Coordinates that one part of the sum stands for; the intercept goes without saying, as glmmTMB writes it."""
    match part:
        case _ if is_intercept(part) and not adds_intercept(sign, part):
            return
        case Call(function="numFactor", arguments=arguments) if sign == "+" and all(map(_is_plain, arguments)):
            for argument in arguments:
                yield from _coordinates("+", argument.value, structure)
        case Name(name=name) if sign == "+" and name != ".":
            yield part
        case Call(function=function) if sign == "+" and function not in {"numFactor", "factor", "as.factor", "ordered"}:
            yield part
        case _:
            what = f"`{spell(part)}` is no coordinate: left of the bar of `{structure}()` stand columns of numbers."
            raise PlaceError(what, part.position, f"Write `{_example(structure)}`.")


def _is_plain(argument: Argument) -> bool:
    return not argument.name


def _example(structure: str) -> str:
    return f"{structure}(time | g)" if POSITIONAL[structure] == 1 else f"{structure}(x + y | g)"
