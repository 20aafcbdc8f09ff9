"""``bayesmix models`` and ``bayesmix data``: what comes with bayesmix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmix.present.cli.application import examples
from bayesmix.present.cli.completion import data_sets, model_files
from bayesmix.present.cli.option_records import Shape
from bayesmix.present.cli.output import print_csv, print_json, print_table, say

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.data.model_file import ModelFile


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("bayesmix models", "bayesmix models sleepstudy", "bayesmix models --json"))(models)
    show = examples("bayesmix data", "bayesmix data esoph", "bayesmix data esoph --csv > esoph.csv")
    app.command(name="data", epilog=show)(data)


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="One to show, by name or path; all are listed without.", autocompletion=model_files
        ),
    ] = None,
    *,
    shape: Shape,
) -> None:
    """List the model files that come with bayesmix, or show one."""
    from bayesmix.data.model_file import load_model_file, model_names

    form = shape.form
    if name is None:
        files = [load_model_file(known) for known in model_names()]
        rows = [(f.name, f.text, _pairs(f.family), f.data_name, str(len(f.figures))) for f in files]
        print_table(("name", "formula", "family", "data", "figures"), rows, form)
        return
    file = load_model_file(name)
    match form:
        case "json":
            print_json(_of_file(file))
        case "csv":
            columns = ("figure", "value", "tolerance")
            print_table(columns, [(f.name, repr(f.value), repr(f.tolerance)) for f in file.figures], "csv")
        case "text":
            say("\n".join(_on_a_page(_lines(file))))


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A data set to show; all are listed without a name.", autocompletion=data_sets
        ),
    ] = None,
    *,
    shape: Shape,
) -> None:
    """List the data sets that come with bayesmix, or show one; --csv and --json print all its rows."""
    from bayesmix.data.datasets import dataset_names, load_dataset

    form = shape.form
    if name is None:
        frames = {known: load_dataset(known) for known in dataset_names()}
        rows = [(known, f"{len(frame)}", ", ".join(map(str, frame.columns))) for known, frame in frames.items()]
        print_table(("name", "rows", "columns"), rows, form)
        return
    frame = load_dataset(name)
    match form:
        case "json":
            print_json({"name": name, **frame.attrs, "rows": frame.to_dict("records")})
        case "csv":
            print_csv(frame)
        case "text":
            say("\n".join(_on_a_page(_lines_of_data(frame, name))))


def _on_a_page(texts: Iterator[str]) -> Iterator[str]:
    """Lines no longer than a page, what goes on below the second word of its line."""
    from bayesmix.results.tables.r_printing import PAGE, paragraph

    for line in (line for text in texts for line in text.split("\n")):
        yield from [line] if len(line) <= PAGE else paragraph(line, indent=10 if line.startswith(" ") else 2)


# ---- a model file -----------------------------------------------------------------------------------------------


def _of_file(file: ModelFile) -> dict[str, Any]:
    known = asdict(file)
    known["data"]["file"] = None if file.data.file is None else str(file.data.file)
    del known["data"]["folder"]
    known["data2"] = {name: {"file": str(one.file), "sha256": one.sha256} for name, one in file.data2.items()}
    return known


def _lines(file: ModelFile) -> Iterator[str]:
    about = {
        "formula": file.text,
        "family": _pairs(file.family),
        "link": _pairs(file.link or ""),
        "rescor": "true" if file.rescor else "",
        "method": file.method,
        "weights": file.weights or "",
        "offset": file.offset or "",
        "priors": _pairs(file.priors or ""),
        "data2": ", ".join(f"{name} = {one.file.name}" for name, one in file.data2.items()),
        "start": _pairs({name: f"{value:g}" for name, value in file.start.items()}),
    }
    yield f"{file.name}: {file.description}"
    yield ""
    yield from (f"  {key:9} {value}" for key, value in about.items() if value)
    yield f"\nData {file.data_name}: {file.data.description}\n"
    yield from (f"  {column:9} {unit}" for column, unit in file.data.units.items())
    words = (("source", file.data.source), ("licence", file.data.licence), ("sha256", file.data.sha256))
    yield from ("", *(f"  {key:9} {value}" for key, value in words if value))
    if file.figures:
        yield f"\nDocument: {file.document.title} {file.document.section}".rstrip()
        yield from (f"  {key:9} {value}" for key, value in _document(file) if value)
        yield f"  {'figures':9} {len(file.figures)}; `bayesmix models {file.name} --csv` prints them"


def _pairs(words: str | Mapping[str, str]) -> str:
    """A word, or words by name."""
    return words if isinstance(words, str) else ", ".join(f"{name} = {word}" for name, word in words.items())


def _document(file: ModelFile) -> tuple[tuple[str, str], ...]:
    document = file.document
    return (
        ("call", document.call),
        ("source", document.source),
        ("licence", document.licence),
        ("accuracy", document.accuracy),
    )


# ---- a data set -------------------------------------------------------------------------------------------------


def _lines_of_data(frame: pd.DataFrame, name: str) -> Iterator[str]:
    yield f"{name}: {len(frame)} rows"
    yield ""
    yield from (f"  {column}  {_kind(dtype)}" for column, dtype in frame.dtypes.items())
    yield from (f"\n{key}: {frame.attrs[key]}" for key in ("source", "licence", "attribution") if key in frame.attrs)
    yield ""
    yield frame.head().to_string(index=False, line_width=80)


def _kind(dtype: Any) -> str:
    categories = getattr(dtype, "categories", None)
    if categories is None:
        return str(dtype)
    return f"{'ordered ' if dtype.ordered else ''}factor: {_levels(list(categories))}"


def _levels(levels: list[str]) -> str:
    shown = ", ".join(map(str, levels[:8]))
    return f"{shown}, ... ({len(levels)} levels)" if len(levels) > 8 else shown
