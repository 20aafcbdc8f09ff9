"""Results on standard output: text, JSON, CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import typer

from bayesmix.hidden_letters import SPELT_OUT

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.fit import Estimate, Fit, Posterior
    from bayesmix.language.formula.model_spec import ModelSpec
    from bayesmix.model import Model
    from bayesmix.present.cli.option_records import Form
    from bayesmix.results.fits.fitted_model import Fitted

# names of levels and columns come from files, perhaps of strangers, and terminals obey these


def say(text: object, *, err: bool = False) -> None:
    """Print text for people; control characters are spelled out, messages folded to the width of a terminal."""
    shown = str(text).translate(SPELT_OUT)
    typer.echo(folded(shown, get_terminal_size().columns) if err and sys.stderr.isatty() else shown, err=err)


def folded(text: str, width: int) -> str:
    """Long lines broken between words; lines that are indented, as a formula with its caret, stay as they are."""
    lines = (
        [line] if line.startswith(" ") else wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
        for line in text.split("\n")
    )
    return "\n".join(part for parts in lines for part in parts)


def print_json(content: Any) -> None:
    """Print one value as JSON; what JSON has no number for, NaN and infinities, is null."""
    import json

    typer.echo(json.dumps(_plain(content), indent=2, ensure_ascii=False))


def print_csv(table: pd.DataFrame) -> None:
    """Print a table as CSV, with its index if that has a name."""
    typer.echo(table.to_csv(index=table.index.name is not None), nl=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], form: Form = "text") -> None:
    """Print rows of text, the first cell of each its name."""
    import pandas as pd

    from bayesmix.results.tables.r_printing import PAGE

    match form:
        case "json":
            print_json([dict(zip(columns, row, strict=True)) for row in rows])
        case "csv":
            print_csv(pd.DataFrame(rows, columns=list(columns)))
        case "text":
            lines = _table_lines(columns, rows)
            say("\n".join(lines if max(map(len, lines)) <= PAGE else _listed([columns, *rows])))


ROOM = 30  # characters beside the other columns that a folded one needs


def _table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, the last column folded where it has room."""
    from bayesmix.results.tables.r_printing import PAGE, table_lines

    cells = [(f"  {heading}", [f"  {row[j]}" for row in rows]) for j, heading in enumerate(columns[:-1]) if j]
    names = table_lines([str(row[0]) for row in rows], cells, left=True, page=1000)
    width = max(map(len, names)) + 3
    room = PAGE - width if PAGE - width >= ROOM else 1000
    folds = [wrap(text, room, break_on_hyphens=False) or [""] for text in (columns[-1], *(row[-1] for row in rows))]
    return [
        f"{name if not number else '':{width}}{part}".rstrip()
        for name, parts in zip(names, folds, strict=True)
        for number, part in enumerate(parts)
    ]


def _listed(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows that are too long for columns: the name, and the other cells as a text beside it."""
    from bayesmix.results.tables.r_printing import paragraph

    width = max(len(row[0]) for row in rows) + 2
    for row in rows:
        yield from paragraph(f"{row[0]:{width}}{'; '.join(cell for cell in row[1:] if cell)}", indent=width)


# ---- fits as JSON -----------------------------------------------------------------------------------------------


def of_model(model: Model | Fitted) -> dict[str, Any]:
    """What was fitted to what."""
    spec, design = model.spec, model.design
    return {
        **_words(spec),
        "data": model.data_name,
        "n_obs": design.n_used,
        "n_groups": design.group_sizes,
    }


def _words(spec: ModelSpec) -> dict[str, Any]:
    """Formula, family and link; of several predictors the links by response and parameter, families by response."""
    if spec.is_simple:
        return {"formula": spec.text, "family": spec.family.name, "link": spec.link.name}
    links = {
        one.label: {parameter.name: link.name for parameter, link in zip(one.family.parameters, one.links, strict=True)}
        for one in spec.responses
    }
    families = {one.label: one.family.name for one in spec.responses}
    family = families if len(families) > 1 else spec.family.name
    return {"formula": spec.text, "family": family, "link": links}


def of_fit(fitted: Estimate | Posterior) -> dict[str, Any]:
    """A fit: how it went, its tables."""
    from bayesmix.fit import Posterior

    return of_posterior(fitted) if isinstance(fitted, Posterior) else of_estimate(fitted)


def of_estimate(fitted: Estimate) -> dict[str, Any]:
    """A point estimate: how it went, its criteria, its tables."""
    from bayesmix.results.fits.fixed_inference import fixed_inference, fixed_table

    return {
        "method": fitted.method,
        "converged": fitted.converged,
        "status": fitted.point.optimum.status.value,
        "problems": list(fitted.problems),
        "singular": fitted.singular,
        "criterion": fitted.criterion,
        "loglik": fitted.loglik,
        "aic": fitted.aic,
        "bic": fitted.bic,
        "df": fitted.df,
        "df_resid": fitted.df_resid,
        "fixef": fixed_table(fitted, fixed_inference(fitted)).to_dict("index"),
        **_tables(fitted),
    }


def of_posterior(fitted: Posterior) -> dict[str, Any]:
    """A posterior: how it went, its tables."""
    chains, draws = fitted.values.lead
    return {
        "method": fitted.method,
        "converged": fitted.converged,
        "problems": list(fitted.problems),
        "chains": chains,
        "draws": draws,
        "divergences": fitted.divergences,
        "max_r_hat": fitted.convergence.worst_r_hat,
        "min_ess": fitted.convergence.smallest_ess,
        "certificate": dict(fitted.draws.certificate),
        "notes": list(fitted.draws.notes),
        "priors": {name: str(prior) for name, prior, _ in fitted.priors.rows()},
        **_tables(fitted),
    }


def _tables(fitted: Fit) -> dict[str, Any]:
    ranef, coef = (
        {group: table.to_dict("index") for group, table in tables.items()} for tables in (fitted.ranef(), fitted.coef())
    )
    return {"parameters": fitted.parameters().to_dict("index"), "ranef": ranef, "coef": coef}


def _plain(value: Any) -> Any:
    """Numbers that JSON has: no NaN, no NumPy types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
