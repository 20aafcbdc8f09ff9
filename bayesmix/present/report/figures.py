"""The figures of a report: which of them a comparison has, with captions and words for those who cannot see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bayesmix.errors import SpecError
from bayesmix.fit import Estimate
from bayesmix.present import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmix.comparison import Comparison
    from bayesmix.language.formula.model_spec import Response

MOST_GROUPS = 3  # grouping factors whose levels are drawn


@dataclass(frozen=True, slots=True, eq=False)
class Illustration:
    """A figure, what stands below it, and what it shows in words."""

    figure: Figure
    caption: str
    words: str


def illustrations(comparison: Comparison, units: Mapping[str, str]) -> Iterator[Illustration]:
    """Draw the figures of a comparison one after the other; those that its model does not have are left out."""
    yield Illustration(
        comparison.plot(),
        "Every parameter, each on its own scale.",
        f"Forest plot of {_labels(comparison)}; the numbers are those of the comparison above.",
    )
    plans = (*_of_data(comparison, units), *_of_smooths(comparison, units), *_of_groups(comparison))
    for draw, caption, words in (*plans, *_of_posterior(comparison)):
        try:
            yield Illustration(draw(), caption, words)
        except SpecError:  # no predictor to draw against, no standard deviation, ...
            continue


Plan = tuple[Callable[[], "Figure"], str, str]  # how to draw, caption, words


def _of_data(comparison: Comparison, units: Mapping[str, str]) -> Iterator[Plan]:
    for one in comparison.fits[0].spec.predictors:
        response = comparison.fits[0].spec.responses[one.response]
        if one.parameter:
            yield _of_parameter(comparison, response, one.parameter, units)
        else:
            yield from _of_response(comparison, response, units)


def _of_response(comparison: Comparison, response: Response, units: Mapping[str, str]) -> Iterator[Plan]:
    first, label, name = comparison.fits[0], comparison.labels[0], response.label
    if response.family.is_normal:
        yield (
            partial(plots.group_lines, first, lines=("partial", "typical"), units=units, response=name),
            f"The data, and the fitted line of every group ({label}).",
            f"Scatter of {name} with the fitted line of every group, one panel a group.",
        )
    if response.family.levels:
        yield from _of_categories(comparison, name, units)
    else:
        yield (
            partial(plots.mean_curves, *comparison.fits, units=units, response=name),
            f"Mean of {name} in every group, with 95 % intervals.",
            f"Scatter of {name} with fitted mean curves and their intervals, one panel a group.",
        )
    of = f" of {name}" if response.name else ""
    if response.family.has_category_counts:
        return
    yield (
        partial(plots.residuals, first, units=units, response=name),
        f"Residuals{of} against fitted means ({label}), with their mean in bins.",
        f"Scatter of residuals{of} against fitted means; binned means should lie around zero.",
    )


def _of_categories(comparison: Comparison, name: str, units: Mapping[str, str]) -> Iterator[Plan]:
    fit = comparison.posterior or comparison.fits[0]
    yield (
        partial(plots.categories, fit, units=units, response=name),
        f"Probability of each category of {name}, averaged over groups, with 95 % intervals.",
        f"Probabilities of the categories of {name} along a predictor.",
    )
    yield (
        partial(plots.categories, fit, groups="fitted", stacked=True, units=units, response=name),
        f"Probabilities of the categories of {name} in every group.",
        f"Stacked probabilities of the categories of {name}, one panel a group.",
    )


def _of_parameter(comparison: Comparison, response: Response, parameter: int, units: Mapping[str, str]) -> Plan:
    name = response.family.parameters[parameter].name
    return (
        partial(plots.mean_curves, *comparison.fits, units=units, parameter=name, response=response.label),
        f"{name} of {response.label} in every group, with 95 % intervals.",
        f"Curves of {name} of {response.label} and their intervals, one panel a group.",
    )


def _of_smooths(comparison: Comparison, units: Mapping[str, str]) -> Iterator[Plan]:
    if any(term.is_population for term in comparison.fits[0].design.terms):
        yield (
            partial(plots.smooths, *comparison.fits, units=units),
            "Smooths, each by itself around zero. Dark bands hold each point with 95 %, light ones the whole curve.",
            f"Curves of the smooths with pointwise and simultaneous bands, by {_labels(comparison)}.",
        )


def _of_groups(comparison: Comparison) -> Iterator[Plan]:
    design = comparison.fits[0].design
    for group in list(design.group_sizes)[:MOST_GROUPS]:
        yield (
            partial(plots.caterpillar, *comparison.fits, group=group),
            f"Random effects of {group}, with 95 % intervals.",
            f"Caterpillar plot: the effects of every level of {group} with intervals, by {_labels(comparison)}.",
        )
        yield (
            partial(plots.shrinkage, *comparison.fits, group=group),
            f"How partial pooling moves the coefficients of {group} from those of each level alone.",
            f"Coefficients of every level of {group} alone, joined to those with partial pooling.",
        )


def _of_posterior(comparison: Comparison) -> Iterator[Plan]:
    post = comparison.posterior
    if post is None:
        return
    yield (
        partial(comparison.plot, "sd"),
        "Posterior densities of the standard deviations: mode, median and mean beside the estimate.",
        "Density curves of every standard deviation, skewed to the right where groups are few.",
    )
    yield (
        partial(plots.prior_posterior, post),
        "Posterior of every parameter over its prior: where the two agree, the data said little.",
        "Density curves of prior and posterior, one panel a parameter.",
    )
    for response in post.spec.responses:
        yield (
            partial(plots.ppc, post, response=response.label),
            f"Replicated data beside the data: {response.label} as the model would have it.",
            f"Distribution of {response.label} in the data and in data replicated from the posterior.",
        )
    if post.divergences:
        yield (
            partial(plots.pairs, post),
            "Parameters against each other; divergent transitions are marked.",
            "Scatter of draws, a panel for each pair of parameters.",
        )


def _labels(comparison: Comparison) -> str:
    names = [
        f"{label} estimate" if isinstance(fit, Estimate) else label
        for label, fit in zip(comparison.labels, comparison.fits, strict=True)
    ]
    return " and ".join(names)
