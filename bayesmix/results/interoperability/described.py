"""What the code of other packages is made of, and what is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import PurePath

from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import Source
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.expression import Call, walk
from bayesmix.language.formula.model_spec import ModelSpec, Predictor
from bayesmix.language.formula.parse import Bar, Formula
from bayesmix.language.formula.reader import read

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
WIDTH = 80
HERE_ONLY = {
    "center": "scale(x, scale = FALSE)",
    "cr": "ns(x)",
}  # functions of formulas that R has not: nearest to them
SPLINES = {"bs", "ns"}


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A model to be written in the words of another package."""

    spec: ModelSpec
    design: Design
    priors: Priors
    data: str = "data"  # what the table is called

    @property
    def source(self) -> Source:
        """The columns and arguments that the design was made of."""
        if self.design.source is None:
            raise SpecError("This model's design was made by hand, or its data stay where they are: it has no code.")
        return self.design.source

    @property
    def formula(self) -> Formula:
        """The formula of the first response's mean."""
        return self.spec.formula

    def of_response(self, number: int) -> Iterator[tuple[str, Predictor]]:
        """Predictors beside the mean of a response, with the names of their parameters."""
        for one in self.spec.predictors:
            if one.response == number and one.parameter and not one.formula.is_implied:
                yield self.spec.responses[number].family.parameters[one.parameter].name, one


def named_data(name: str) -> str:
    """A name of the table that every language takes."""
    stem = PurePath(name).stem
    return stem if NAME.fullmatch(stem) and not iskeyword(stem) else "data"


def lacks(package: str, what: str, instead: str = "") -> SpecError:
    """The error of a model that a package has not."""
    return SpecError(f"{package} has no {what}.{f' {instead}' if instead else ''}")


# ---- R ----------------------------------------------------------------------------------------------------------


def functions_of(formula: Formula) -> set[str]:
    """Functions that a formula calls."""
    bars = (text for bar in formula.bars for text in (bar.effects, *bar.group))
    texts = (formula.response, formula.fixed, *map(str, formula.smooths), *formula.offsets, *bars)
    return {part.function for text in texts if text for part in walk(read(text)) if isinstance(part, Call)}


def check_functions(package: str, formula: Formula) -> None:
    """Refuse functions that R has not."""
    for name in sorted(functions_of(formula) & HERE_ONLY.keys()):
        raise lacks(package, f"`{name}()`", f"R's nearest is `{HERE_ONLY[name]}`.")


def libraries(package: str, formulas: Sequence[Formula]) -> list[str]:
    """The lines that load what the formulas need."""
    used = set[str]().union(*map(functions_of, formulas))
    return [f"library({package})", *(["library(splines)"] if used & SPLINES else [])]


def right_side(formula: Formula, bars: Sequence[str], offset: str | None = None) -> str:
    """The right side of a formula with its bars as they are to be written."""
    offsets = [f"offset({text})" for text in (*formula.offsets, *([offset] if offset else []))]
    return " + ".join([formula.fixed, *map(str, formula.smooths), *offsets, *bars])


def spaced(bar: Bar, function: str = "") -> str:
    """A bar in R's spelling, with a structure's function around it."""
    text = f"({bar.effects} | {bar.grouping.spelled(bar.group)})"
    return f"{function}{text}"


def call(function: str, arguments: Sequence[str], start: str = "fit <- ") -> str:
    """A call on one line, or where it is long with one argument a line."""
    line = f"{start}{function}({', '.join(arguments)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return f"{start}{function}(\n  " + ",\n  ".join(arguments) + "\n)"


def check_arguments(package: str, described: Described) -> None:
    """Refuse arrays beside the data, and relations of levels, which the text of a call cannot hold."""
    arguments = described.source.arguments
    if arguments.arrays:
        raise SpecError(f"{package}'s code takes weights and offsets that are columns: put the numbers into the data.")


def check_rank(package: str, described: Described) -> None:
    """Refuse columns that depend on others, of packages that do not leave them out."""
    if described.design.dropped:
        names = ", ".join(described.design.dropped)
        raise SpecError(f"{package} does not leave out columns that depend on others: {names}. Take them out first.")


def contrasts(described: Described) -> str:
    """The argument ``contrasts`` of R's fitting functions; empty without any."""
    given = ", ".join(f'{name} = "contr.{kind}"' for name, kind in described.source.contrasts.items())
    return f"contrasts = list({given})" if given else ""
