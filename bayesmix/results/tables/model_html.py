"""A model as notebooks and reports show it: mathematics, data, priors."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.prior_wording import short
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.tables.mathml import formula_html
from bayesmix.results.tables.model_text import data_line, maths
from bayesmix.results.tables.summary_sections import family_lines, formula_lines


def model_html(spec: ModelSpec, design: Design, priors: Priors) -> str:
    """The model as HTML without a style of its own."""
    lines = [*formula_lines(spec), *family_lines(spec), data_line(design)]
    heading = "<br>".join(escape(" ".join(line.split()).replace("( ", "(").replace(" )", ")")) for line in lines)
    return f"<p>{heading}</p>\n{maths_html(spec, design)}\n{priors_html(priors)}"


def maths_html(spec: ModelSpec, design: Design) -> str:
    """Distributions and linear predictors, a line each, in MathML."""
    return "\n".join(f'<p class="maths">{formula_html(line)}</p>' for line in maths(spec, design))


def priors_html(priors: Priors) -> str:
    """Every prior in force, with what it means in units of the data."""
    heading = "".join(f'<th scope="col">{word}</th>' for word in ("parameter", "prior", "in units of the data"))
    return f'<table class="words"><thead><tr>{heading}</tr></thead>\n<tbody>\n{"".join(_rows(priors))}</tbody></table>'


def _rows(priors: Priors) -> Iterator[str]:
    for name, prior, says in priors.rows():
        cells = "".join(f'<td style="text-align: left">{escape(text)}</td>' for text in (short(prior), says))
        yield f'<tr><th scope="row" style="text-align: left">{escape(name)}</th>{cells}</tr>\n'
