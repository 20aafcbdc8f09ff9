"""Models in the words of bambi, priors included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bayesmix.results.interoperability.bambi import Translation, translated
from bayesmix.results.interoperability.described import WIDTH, Described


def bambi_code(described: Described) -> str:
    """The model as a ``bambi.Model``."""
    made = translated(described.design, described.spec, described.priors)
    arguments = [
        json.dumps(made.formula),
        described.data,
        f'family="{made.family}"',
        f'link="{made.link}"',
        *(["priors=priors"] if made.priors else []),
        f"center_predictors={made.is_centred}",
    ]
    lines = [*_imports(made), "", *_columns(made, described.data), *_priors(made.priors)]
    return "\n".join([*lines, called("model = bambi.Model", arguments), "fit = model.fit()"])


def _imports(made: Translation) -> list[str]:
    uses = any(np.ndim(value) > 0 for prior in made.priors.values() for value in _values(prior))
    return ["import bambi", *(["import numpy as np"] if uses else [])]


def _columns(made: Translation, data: str) -> Iterator[str]:
    """Columns that bambi wants and the data have not."""
    for name, text in made.columns.items():
        yield f"{data} = {data}.assign({name}={data}.eval({json.dumps(text)}).astype(int))"


def _priors(priors: Mapping[str, Any]) -> Iterator[str]:
    if priors:
        yield "priors = {"
        yield from (f"    {json.dumps(name)}: {spelled(prior)}," for name, prior in priors.items())
        yield "}"


def _values(prior: Any) -> Iterator[Any]:
    for value in prior.args.values():
        yield from _values(value) if hasattr(value, "args") else [value]


def spelled(value: Any) -> str:
    """A prior of bambi, or a number in it, as Python."""
    if hasattr(value, "args"):
        arguments = ", ".join(f"{name}={spelled(own)}" for name, own in value.args.items())
        return f'bambi.Prior("{value.name}", {arguments})'
    array = np.asarray(value, float)
    if array.ndim:
        return f"np.array([{', '.join(f'{one:.10g}' for one in array)}])"
    return f"{float(array):.10g}"


def called(start: str, arguments: Sequence[str]) -> str:
    """A call of Python on one line, or with one argument a line."""
    line = f"{start}({', '.join(arguments)})"
    return line if len(line) <= WIDTH else f"{start}(\n    " + ",\n    ".join(arguments) + ",\n)"
