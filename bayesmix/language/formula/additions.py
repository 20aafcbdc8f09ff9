"""What stands beside a response, left of ``~``, by brms's functions: ``y | cens(c) + weights(w) ~ ...``."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bayesmix.language.formula.expression import Call, Chain, Expr, column_names, spell
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.vocabulary import ADDITIONS


@dataclass(frozen=True, slots=True)
class Additions:
    """Expressions by what they say of a response; empty where nothing is said."""

    censored: str = ""  # status of each row
    upper: str = ""  # upper end of intervals
    lb: str = ""  # truncation: the smallest value that could be observed
    ub: str = ""  # and the largest one
    trials: str = ""
    weights: str = ""
    rate: str = ""  # what counts are divided by
    se: str = ""  # known standard errors
    sigma: str = ""  # whether there is noise beside them: "TRUE"
    imputed: str = ""  # whether rows without a value stay: "TRUE"

    def __str__(self) -> str:
        return " + ".join(filter(None, map(self._call, ADDITIONS)))

    @property
    def is_bounded(self) -> bool:
        """Whether values are censored or truncated."""
        return bool(self.censored or self.lb or self.ub)

    @property
    def has_sigma(self) -> bool:
        """Whether responses with known standard errors have noise beside them."""
        return self.sigma == "TRUE"

    @property
    def texts(self) -> tuple[str, ...]:
        """The expressions, those of rates apart, which are part of the offset."""
        found = (self.censored, self.upper, self.lb, self.ub, self.trials, self.weights, self.se)
        return tuple(text for text in found if text)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that they name."""
        every = (getattr(self, field.name) for field in fields(self))
        return tuple(dict.fromkeys(name for text in every if text for name in column_names(read(text))))

    @property
    def is_imputed(self) -> bool:
        """Whether rows without a value of the response stay: ``y | mi()``."""
        return self.imputed == "TRUE"

    def _call(self, function: str) -> str:
        """A function with its arguments as it is written."""
        if function == "mi":
            return "mi()" if self.is_imputed else ""
        given = [(name, getattr(self, name)) for name in _FIELDS[function]]
        named = _NAMED.get(function, ())
        arguments = [f"{name} = {text}" if name in named else text for name, text in given if text]
        return f"{function}({', '.join(arguments)})" if arguments else ""


NOTHING = Additions()


def divide_left(left: Expr) -> tuple[Expr, Additions]:
    """The response and what stands beside it, behind the bar of a left side."""
    if not (isinstance(left, Chain) and left.operators[0] in ("|", "||")):
        return left, NOTHING
    if left.operators != ("|",):
        raise PlaceError("A response takes one `|`.", left.places[-1], "Write `y | cens(c) + weights(w) ~ ...`.")
    response, beside = left.operands
    if isinstance(beside, Chain) and set(beside.operators) == {"+"}:
        return response, _additions(beside.operands)
    return response, _additions((beside,))


def _additions(calls: tuple[Expr, ...]) -> Additions:
    found: dict[str, str] = {}
    for call in calls:
        if not (isinstance(call, Call) and call.function in ADDITIONS):
            known = ", ".join(f"`{name}()`" for name in ADDITIONS)
            raise PlaceError(f"`{spell(call)}` says nothing of a response.", call.position, f"What does is {known}.")
        own = _arguments(call)
        if own.keys() & found.keys():
            raise PlaceError(f"`{call.function}()` stands here twice.", call.position, "Leave one of them out.")
        found |= own
    return Additions(**found)


def _arguments(call: Call) -> dict[str, str]:
    """The expressions of a call, by the field of `Additions` that they belong to."""
    if call.function == "mi":
        return _imputed(call)
    names, taken = ADDITIONS[call.function], dict[str, str]()
    free = iter(names)
    for argument in call.arguments:
        name = argument.name or next(free, "")
        if name not in names or name in taken:
            raise _wrong(call)
        taken[name] = spell(argument.value)
    if "sigma" in taken and taken["sigma"] not in ("TRUE", "FALSE"):
        raise _wrong(call)
    if not taken or (names[0] not in taken and call.function != "trunc"):
        raise _wrong(call)
    return {field: taken[name] for field, name in zip(_FIELDS[call.function], names, strict=True) if name in taken}


def _imputed(call: Call) -> dict[str, str]:
    if call.arguments:
        what = f"`{spell(call)}` says that values were measured with errors, which is not supported."
        raise PlaceError(what, call.position, "Missing values alone are `mi()`; errors of a response are `se(s)`.")
    return {"imputed": "TRUE"}


def _wrong(call: Call) -> PlaceError:
    written = {
        "cens": "`cens(c)`, or `cens(c, y2)` with the upper ends of intervals",
        "trunc": "`trunc(lb = 0, ub = 10)`",
        "se": "`se(s)`, or `se(s, sigma = TRUE)` for noise beside the known errors",
    }
    advice = written.get(call.function, f"`{call.function}({ADDITIONS[call.function][0]})`")
    return PlaceError(f"`{spell(call)}` has wrong arguments.", call.position, f"Write {advice}.")


_FIELDS = {
    "cens": ("censored", "upper"),
    "trunc": ("lb", "ub"),
    "trials": ("trials",),
    "weights": ("weights",),
    "rate": ("rate",),
    "se": ("se", "sigma"),
    "mi": ("imputed",),
}
_NAMED = {"trunc": ("lb", "ub"), "se": ("sigma",)}  # arguments that are written with their names
