"""One linear predictor of a model's rows as a model by itself: its rows, its columns, its response.

The columns are called as if there were no other predictor: ``sigma_Days`` is ``Days``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.layout import Layout
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor, Response


def one_predictor(design: Design, spec: ModelSpec, predictor: int) -> Design:
    """The design with a single predictor: that of a simple model, the design itself.

    Its rows are those in which the response was observed.
    """
    if design.R == 1:
        return design
    one, own = spec.parameters[predictor], design.of_predictor(predictor)
    prefix = "" if predictor in design.layout.constants else design.layout.prefixes[predictor]
    rows = design.block(predictor)
    layout = Layout(
        response=spec.responses[one.response].label,
        prefixes=("",),
        fixed=tuple(design.fixed[j].removeprefix(prefix) for j in own),
        owners=(0,) * len(own),
    )
    data = replace(
        design.data,
        X=design.X[rows][:, own],
        offset=design.offset[rows],
        terms=tuple(one_term(term, design, predictor) for term in design.terms if term.columns_of(predictor)),
    )
    view = Design(layout, data, (design.outcomes[one.response],))
    return view if view.outcome.is_complete else view.take(np.flatnonzero(view.outcome.seen))


def one_term(term: Term, design: Design, predictor: int) -> Term:
    """The effects of a term on a single predictor."""
    if design.R == 1:
        return term
    own, rows = term.columns_of(predictor), design.block(predictor)
    prefix = design.layout.prefixes[predictor]
    return replace(
        term,
        codes=term.codes[rows],
        effects=tuple(term.effects[e].removeprefix(prefix) for e in own),
        z=term.z[rows][:, own],
        structure=term.structure if len(own) > 1 else "us",
        numeric=tuple(term.numeric[e] for e in own) if term.numeric else (),
        owners=(),
    )


def _plain(response: Response) -> Response:
    """A response without imputed predictors."""
    slopes = response.family.slopes
    if slopes is None:
        return response
    return replace(response, family=slopes.base, links=response.links[: len(slopes.base.parameters)])


def without_steps(response: Response) -> Response:
    """A response without the monotonic effects on its mean: itself where there are none."""
    steps = response.family.steps
    if steps is None:
        return response
    return replace(response, family=steps.base, links=(steps.link, *response.links[1 : 1 + steps.count]))


def one_response(spec: ModelSpec, response: int) -> ModelSpec:
    """The model of one response with a formula for its mean alone: a simple model, itself."""
    if spec.is_simple:
        return spec
    chosen = without_steps(_plain(replace(spec.responses[response], name="")))
    mean = next(one for one in spec.predictors if (one.response, one.parameter) == (response, 0))
    others = zip(chosen.family.parameters[1:], chosen.links[1:], strict=True)
    return replace(
        spec,
        formula=mean.formula,
        family=chosen.family,
        link=chosen.links[0],
        responses=(chosen,),
        predictors=(Predictor(0, 0, mean.formula, "", chosen.links[0]),),
        auxiliaries=tuple(Auxiliary(0, j, other.name, link) for j, (other, link) in enumerate(others, 1)),
        rescor=False,
    )
