"""Options that go together, as records: a command takes the records, its help lists the options."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from bayesmix.errors import SpecError
from bayesmix.present.cli import options as o

if TYPE_CHECKING:
    from bayesmix.inference.estimation.methods import Agq

Form = Literal["text", "json", "csv"]
OF_TEXT = ("sep", "decimal", "encoding", "na")  # options of data that are read as text


@dataclass(frozen=True, slots=True)
class Options:
    """Of a model and its data, as they were typed; None where they were not."""

    formula: o.Formula = None
    family: o.Family = None
    link: o.Link = None
    rescor: o.Rescor = False
    weights: o.Weights = None
    offset: o.Offset = None
    contrasts: o.Contrasts = None
    start: o.Start = None
    data2: o.Data2 = None
    where: o.Where = None
    outside: o.Outside = False
    sep: o.Sep = None
    decimal: o.Decimal = None
    encoding: o.Encoding = None
    na: o.Na = None

    @property
    def given(self) -> list[str]:
        """Names of those that were typed and go with a formula; `outside` is of model files."""
        return [one.name for one in fields(self) if one.name != "outside" and getattr(self, one.name)]


@dataclass(frozen=True, slots=True)
class Estimating:
    """The method of an estimate, in one of the ways to say it."""

    method: o.Method = None
    reml: o.Reml = False
    ml: o.Ml = False
    agq: o.Agq = None

    def chosen(self, **others: bool) -> str | Agq:
        """The method that was asked for, by a word or by quadrature with its points; nothing if none was.

        Raises
        ------
        SpecError
            If it was asked for in two ways; ``others`` are flags that name a method, too.
        """
        flags = {"reml": self.reml, "ml": self.ml, "agq": self.agq is not None, **others}
        said = [name for name, is_given in {"method": self.method is not None, **flags}.items() if is_given]
        if len(said) > 1:
            raise SpecError(f"--{said[0]} and --{said[1]} both name a method: give one of them.")
        if self.agq is not None:
            from bayesmix.inference.estimation.methods import Agq

            return Agq(self.agq)
        return self.method.lower() if self.method is not None else said[0] if said else ""


@dataclass(frozen=True, slots=True)
class AnyMethod(Estimating):
    """The method of a fit, which may be a posterior."""

    method: o.FitMethod = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to draw."""

    priors: o.Priors = None
    draws: o.Draws = None
    chains: o.Chains = None
    seed: o.Seed = None

    @property
    def given(self) -> list[str]:
        """Names of those that were typed."""
        return [one.name for one in fields(self) if getattr(self, one.name) is not None]


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of what is printed."""

    as_json: o.Json = False
    as_csv: o.Csv = False

    @property
    def form(self) -> Form:
        """That of the results.

        Raises
        ------
        SpecError
            If two were asked for.
        """
        if self.as_json and self.as_csv:
            raise SpecError("Give either --json or --csv, not both.")
        return "json" if self.as_json else "csv" if self.as_csv else "text"


@dataclass(frozen=True, slots=True)
class Printing(Shape):
    """The form of what is printed, and what is said meanwhile."""

    progress: o.Progress = True
