"""What the data cannot tell: found before a fit where possible, after it otherwise, and said in words."""

from __future__ import annotations

import math

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.data.design.row_statistics import spread
from bayesmix.errors import DesignError
from bayesmix.inference.estimation.boundary import can_follow
from bayesmix.inference.estimation.laplace_error import laplace_errors
from bayesmix.inference.estimation.mean_part import MeanPart, mean_parts, separable_parts
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.restart import ENDLESS, NO_NOISE, SMALL_NOISE
from bayesmix.inference.estimation.ridge import ridges
from bayesmix.inference.estimation.running_parameters import EXACT, running_dispersion, running_parameters
from bayesmix.inference.estimation.running_ranges import running_ranges
from bayesmix.inference.estimation.separation import (
    edges,
    endless_sides,
    forms,
    is_unbounded,
    null_space,
    separating_direction,
)
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters, sd_names
from bayesmix.language.families.category_counts import by_category
from bayesmix.language.families.link import Link
from bayesmix.language.formula.model_spec import ModelSpec

LARGE_EFFECT = 4.0  # range of the fixed part of a logit or log, from which on separation is looked for
PURE_SD = 4.0  # standard deviation of logits beyond which pure levels are looked for
ENDLESS_SD = 10.0  # of effects on a logit scale: two of them take odds of one to 5e8
MANY_ROWS = 100.0  # outcomes a level that can tell even that
MOVES = 1e-6  # share of a direction that is more than rounding
CURVED = 1e-3  # smallest over largest curvature of the criterion from which on there is no ridge
SUSPECT = 1e-2  # the same of Hessians taken near the optimum, whose ridge may bend
FAR = 20.0  # standard deviations from zero to the mean of a column of a curve that a search may not get over
SAMPLE = "Or sample: under proper priors there is a posterior, model.sample()."


def check_identifiable(design: Design, spec: ModelSpec) -> None:
    """Raise `DesignError` where no finite estimate exists, whatever the method."""
    design = distinct(design, spec)
    for r in range(design.R):
        _check_rows(design, r)
    for part in mean_parts(design, spec):
        if part.has_residual:
            _check_residual(part)
        if part.outcome.bounds is None:
            _check_counts(part)
            _check_varies(part)
        else:
            _check_bounds(part)
        if part.family.response == "binomial" and part.outcome.bounds is None:
            _check_outcomes(part)
        if part.family.has_category_counts:
            _check_categories(part)


def _check_rows(design: Design, predictor: int) -> None:
    own, prefix = len(design.of_predictor(predictor)), design.layout.prefixes[predictor]
    if design.n_used <= own:
        left_out = len(design.dropped) if design.R == 1 else 0
        of = f" of `{prefix.removesuffix('_')}`" if prefix else ""
        raise DesignError(
            f"{design.n_used} rows cannot identify {own + left_out} fixed effects{of}: leave out predictors or add"
            " data."
        )


def _check_residual(part: MeanPart) -> None:
    """A gaussian residual needs levels with more rows than effects, or correlations that tell effects from noise."""
    for term in (term.observed() for term in part.terms if not term.is_related):
        effects = len(term.levels) * len(term.effects)
        fades = structure_of(term).correlation.fades and len(term.effects) > 2
        if effects >= len(part.y) and not fades:
            what = f"{len(term.levels)} levels" + ("" if len(term.effects) == 1 else f" x {len(term.effects)} effects")
            raise DesignError(
                f"`{term.group}` has {what} for {len(part.y)} rows: its variance cannot be told from the residual"
                f" variance. Use a grouping factor with several rows a level, or fewer effects. {SAMPLE}"
            )


def _check_counts(part: MeanPart) -> None:
    """Counts above the least one there may be, and positive responses that tell of all fixed effects of theirs."""
    values = part.family.values
    if values.least_is_edge and not values.one_is_edge and not np.any(part.y > values.least):
        what = "are zero" if values.least == 0.0 else "are one" if np.all(part.y) else "are zero or one"
        raise DesignError(
            f"All values of `{part.label}` {what}: the logarithm of their rate has no finite estimate. {SAMPLE}"
        )
    if not values.zero_is_silent:
        return
    untold = np.abs(null_space(scaled(part.X)[~values.is_silent(part.y)])).max(axis=1, initial=0.0) > MOVES
    if untold.any():
        names = ", ".join(f"`{name}`" for name, one in zip(part.fixed, untold, strict=True) if one)
        raise DesignError(
            f"Rows where `{part.label}` is positive do not tell {names} apart: in family `{part.family.name}` zeros say"
            f" nothing on the size of what is positive. Merge levels with zeros only, or leave predictors out. {SAMPLE}"
        )


def _check_varies(part: MeanPart) -> None:
    """A density of one value alone grows without end as its scale vanishes; noise of known size has a density."""
    family, values = part.family, part.family.values
    seen = part.y[~values.is_silent(part.y)]
    has_scale = len(family.parameters) > 1 and not any(one.is_known for one in family.parameters)
    has_density = not values.is_discrete and not np.isin(seen, values.atoms).any()
    if has_scale and has_density and not part.outcome.has_known_noise and np.ptp(seen) == 0.0:
        raise DesignError(
            f"`{part.label}` is {seen[0]:g} in all rows: no variation is left to explain, and the likelihood has no"
            " maximum. Check whether it is the column that is meant."
        )


def _check_bounds(part: MeanPart) -> None:
    """Bounds that say of all responses that they are large tell no mean, those of one place tell no spread."""
    bounds = part.outcome.bounds
    assert bounds is not None
    way = edges(part.y, part.trials, part.family, part.link, bounds=bounds)
    if abs(way.sum()) == len(way):
        side, larger = ("right", "larger") if way[0] > 0.0 else ("left", "smaller")
        what = f"are {side}-censored" if bounds.is_censored.all() else f"are censored, or at their {side} bound"
        raise DesignError(
            f"All {len(way)} responses `{part.label}` {what}: the {larger} their mean, the likelier they are, and the"
            f" likelihood has no maximum. Some have to be seen, or to be known to lie between bounds. {SAMPLE}"
        )
    is_one_sided = bounds.is_censored & (way != 0.0)
    if is_one_sided.all() and len(part.family.parameters) > 1 and np.ptp(part.y) == 0.0:
        raise DesignError(
            f"All {len(way)} responses `{part.label}` are only known to lie on one side of {part.y[0]:g}: their mean"
            f" and `{part.family.parameters[1].name}` cannot be told apart. The side by itself is a response of family"
            f" `bernoulli`. {SAMPLE}"
        )


def _check_outcomes(part: MeanPart) -> None:
    for outcome, count in (("success", part.y.sum()), ("failure", (part.trials - part.y).sum())):
        if not count > 0:
            raise DesignError(
                f"`{part.label}` holds no {outcome}: the logit of a probability of 0 or 1 is not finite."
                f" Check how the outcome is coded. {SAMPLE}"
            )
    single = bool(np.all(part.trials == 1.0))
    for term in (term.observed() for term in part.terms if not term.is_related):
        if single and len(term.levels) * len(term.effects) >= len(part.y):
            raise DesignError(
                f"`{term.group}` has {len(term.levels)} levels for {len(part.y)} single outcomes: of one 0 or 1 a"
                " level, no spread among levels can be told from chance. Use a grouping factor with several rows a"
                f" level, or fewer effects. {SAMPLE}"
            )


def _check_categories(part: MeanPart) -> None:
    totals = by_category(part.family, part.y, part.trials).sum(axis=0)
    never = [f"`{level}`" for level, total in zip(part.family.levels, totals, strict=True) if not total]
    if never:
        raise DesignError(
            f"`{part.label}` counts no {' and no '.join(never)}: the logarithm of a probability of 0 is not finite."
            f" Leave the category out. {SAMPLE}"
        )


def untold(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Say what the data cannot tell of an estimate, and why: one sentence each."""
    design = distinct(design, spec)
    ranges = running_ranges(design.terms, point.parameters.corr)
    found = [*runaways(design, spec, point), *ranges, *_ridges(design, spec, point), *_far_columns(design, spec, point)]
    return found or laplace_errors(design, spec, point)


def runaways(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Say which estimates run off to the end of their range, and why: one sentence each."""
    values = point.parameters
    if design.outcome.has_known_noise:
        return []
    if spec.is_simple and spec.family.is_normal and design.outcome.bounds is None:
        return _exact_fit(design, point) or _without_noise(design, point)
    found = []
    for part in separable_parts(design, spec):
        direction = _separated_part(part, point)
        found += [] if direction is None else [_separated(part, direction)]
        found += _pure_levels(part, values) or _endless_spread(design, part, point)
    if spec.is_simple:
        return found + running_dispersion(design, spec, values)
    return found + running_parameters(design, spec, point)


def separated(design: Design, spec: ModelSpec, point: PointEstimate) -> Array | None:
    """Direction of the fixed effects, of columns of unit size, along which an estimate runs off; None for most."""
    whole = np.zeros(design.X.shape[1])
    for part in separable_parts(design, spec):
        direction = _separated_part(part, point)
        if direction is not None:
            whole[part.columns] = direction
    return whole if whole.any() else None


def _separated_part(part: MeanPart, point: PointEstimate) -> Array | None:
    bounds, eta = part.outcome.bounds, part.X @ point.beta[part.columns]
    if bounds is None and not np.ptp(eta.reshape(-1, len(part.y)), axis=1).max() > LARGE_EFFECT:
        return None
    return separating_direction(scaled(part.X), part.y, part.trials, part.family, part.link, bounds=bounds)


def endless_effects(design: Design, spec: ModelSpec) -> Array:
    """Whether each fixed effect of separated data may run off, downwards and upwards: ``(p, 2)``."""
    endless = np.zeros((design.X.shape[1], 2), bool)
    for part in separable_parts(design, spec):
        bounds, X = part.outcome.bounds, scaled(part.X)
        endless[part.columns] = endless_sides(X, part.y, part.trials, part.family, part.link, bounds=bounds)
    return endless


def _separated(part: MeanPart, direction: Array) -> str:
    moving = np.abs(direction) > MOVES * np.abs(direction).max()
    names = [name for name, moves in zip(part.fixed, moving, strict=True) if moves and name not in part.intercepts]
    listed = ", ".join(f"`{name}`" for name in names or sorted(part.intercepts))
    return (
        f"The estimate of {listed} runs off to infinity: it separates the outcomes, {_where(part, direction)}. The"
        " likelihood has no maximum; what is shown is where the search stopped, and its size and standard error mean"
        " nothing. Sample with a proper prior instead (model.sample()), drop the predictor, or merge levels of the"
        " factor."
    )


def _where(part: MeanPart, direction: Array) -> str:
    """The rows that a direction makes likelier for ever, and what they have in common."""
    X, family = scaled(part.X), part.family
    if family.rises is not None:
        of, rising = forms(X, part.y, part.trials, family)
        moves = np.max(rising @ direction, axis=1)
        rows = np.unique(of[moves > MOVES * moves.max()])
        return f"at its ends (at least {len(rows)} of {len(part.y)} rows) {_categories(part, rows)}"
    size = np.abs(X @ direction)
    rows = size > MOVES * size.max()
    outcome = "one outcome" if family.response == "binomial" else "a count of zero"
    outcome = outcome if part.outcome.bounds is None else "a censored response, or one at its bound"
    return f"at its ends (at least {rows.sum()} of {len(part.y)} rows) there is only {outcome}"


def _categories(part: MeanPart, rows: Array) -> str:
    """Which categories there are in some rows, or are not, whichever are fewer."""
    occurs = by_category(part.family, part.y[rows], part.trials[rows]).any(axis=0)
    here = [f"`{level}`" for level, one in zip(part.family.levels, occurs, strict=True) if one]
    missing = [f"`{level}`" for level, one in zip(part.family.levels, occurs, strict=True) if not one]
    if not missing:
        return "each category is where the others are not"
    return f"there is only {here[0]}" if len(here) == 1 else f"there is no {' and no '.join(missing)}"


def _pure_levels(part: MeanPart, values: Parameters) -> list[str]:
    """Groups each with one outcome only tell a variance that is larger than any number."""
    if part.family.response != "binomial":
        return []
    sentences = []
    for whole, sd in zip(part.terms, part.of_terms(values.sd), strict=True):
        if whole.slots > 1:  # no outcome is one level's alone
            continue
        term = whole.observed()
        levels = len(term.levels)
        successes = np.bincount(term.codes, part.y, levels)
        trials = np.bincount(term.codes, part.trials, levels)
        if sd.max() > PURE_SD and np.all((successes == 0) | (successes == trials)):
            sentences.append(
                f"The standard deviation of `{term.group}` runs off to infinity: each of its levels has only"
                " successes or only failures, so that no spread is too large. Its size means nothing; sample with a"
                " proper prior instead (model.sample())."
            )
    return sentences


def _endless_spread(design: Design, part: MeanPart, point: PointEstimate) -> list[str]:
    """Levels of few rows with standard deviations that no probability can tell from larger ones."""
    if part.family.response != "binomial" or not is_unbounded(part.family, part.link):
        return []
    sentences = []
    named = part.of_terms([np.array(own) for own in sd_names(design.terms)])
    for whole, sd, names in zip(part.terms, part.of_terms(point.parameters.sd), named, strict=True):
        if whole.slots > 1:
            continue
        term = whole.observed()
        rows = float(np.median(np.bincount(term.codes, part.trials, len(term.levels))))
        spread = np.broadcast_to(sd, len(term.effects)) * np.sqrt(np.mean(term.total**2, axis=0))
        if spread.max() > ENDLESS_SD and rows < MANY_ROWS:
            e = min(int(np.argmax(spread)), len(names) - 1)
            sentences.append(_endless(point, str(names[e]), float(sd[e]), term.group, part.link))
    return sentences


def _endless(point: PointEstimate, name: str, sd: float, group: str, link: Link) -> str:
    what = f"{name} = {sd:.3g} on the {link.name} scale, from few outcomes a level of `{group}`"
    if isinstance(point.method, Laplace):
        return (
            f"The Laplace approximation fails: {what}. With sets of outcomes that are nearly all alike it has its"
            " optimum where it is far from the likelihood, and neither this number nor the fixed effects beside it mean"
            " anything. Use quadrature, model.estimate(bmx.Agq(points=15)), which needs one grouping factor, or sample"
            " (model.sample())."
        )
    return (
        f"The standard deviation runs off: {what}. The likelihood hardly tells such numbers from larger ones, and those"
        " of the fixed effects grow with it. Sample with a proper prior instead (model.sample())."
    )


def _ridges(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Covariance parameters that only together mean something."""
    m = point.coordinates.size
    values = np.linalg.eigvalsh(point.optimum.hessian[:m, :m]) if m else np.ones(1)
    is_inside = not any(np.any(point.parameters.sd[t] > 0.0) for t in point.singular)  # where flat ridges are seen
    if is_inside and values[0] > SUSPECT * values[-1]:
        return []
    has_residual = spec.family.is_normal and point.dispersion is not None
    return [
        f"The data do not determine {', '.join(f'`{name}`' for name in names)}: other values"
        f"{', changed together,' if len(names) > 1 else ''} have the same likelihood, or nearly, whatever the response."
        " What is shown is one of many equally good solutions. A column of the random effects is constant within the"
        " levels of its group, or follows from other columns, as a predictor far from zero nearly does from the"
        " intercept: leave an effect out, or centre the predictor."
        for names in dict.fromkeys(map(tuple, ridges(design, point.coordinates, has_residual=has_residual)))
    ]


def _far_columns(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Columns of curves so far from zero that a search without a minimum may have ended by rounding.

    Those of linear predictors are centred inside; what a column means in a curve is known to the user alone.
    """
    found = []
    for r, one in enumerate(spec.parameters if point.optimum.status is not Status.CONVERGED else ()):
        family = spec.responses[one.response].family
        name, values = family.parameters[one.parameter].name, design.offset[design.block(r)]
        mean, size = float(values.mean()), float(np.std(values))
        if family.curve is not None and name in family.curve.data and abs(mean) > FAR * size > 0.0:
            centre = round(mean, -math.floor(math.log10(size)))
            found.append(
                f"`{name}` is far from zero, {mean:.6g} with a standard deviation of {size:.3g}: the parameters of the"
                f" curve can hardly be told apart. Write `({name} {'-' if mean > 0.0 else '+'} {abs(centre):.15g})` in"
                " its place, if other values of the parameters make up for it."
            )
    return found


def _exact_fit(design: Design, point: PointEstimate) -> list[str]:
    """No residual is left, or the likelihood rises without end while it gets less: a search stalls on that way."""
    has_noise = point.dispersion is None or point.dispersion > EXACT * float(
        spread(design.y - design.offset, design.counts)
    )
    is_endless = _is_far(point, 0.5 * NO_NOISE) and point.optimum.x @ point.optimum.gradient < ENDLESS
    if has_noise and not (_is_stalled(point) and is_endless):
        return []
    groups = ", ".join(dict.fromkeys(f"`{term.group}`" for term in design.terms))
    return [
        f"The residual standard deviation is zero to rounding: predictors and the levels of {groups} explain"
        f" `{design.response}` exactly. There is no noise to estimate, and standard errors mean nothing. Check whether"
        " the response was computed from them."
    ]


def _without_noise(design: Design, point: PointEstimate) -> list[str]:
    """Effects that follow every row leave nothing to the residual where the likelihood is highest."""
    x, optimum = point.optimum.x, point.optimum
    if not _is_far(point, 0.3 * SMALL_NOISE if _is_stalled(point) else 0.5 * NO_NOISE):
        return []
    if (x @ optimum.gradient if _is_stalled(point) else x @ optimum.hessian @ x) > CURVED:
        return []
    effects = sum(len(term.levels) * len(term.effects) for term in design.terms)
    return [
        f"The residual standard deviation runs off to zero: {design.X.shape[1]} fixed and {effects} random effects can"
        f" follow each of the {design.n_used} rows, and the likelihood is highest where they leave nothing to noise."
        f" Standard errors and predictions mean nothing. Leave out effects, or add rows. {SAMPLE}"
    ]


def _is_stalled(point: PointEstimate) -> bool:
    """Whether a search ended where rounding hides which way the criterion falls, as on the way to no noise."""
    return point.optimum.status is Status.STALLED


def _is_far(point: PointEstimate, size: float) -> bool:
    """Whether relative factors of effects that can follow every row are larger than some size."""
    x, working = point.optimum.x, point.coordinates
    return len(x) == working.size and can_follow(working) and bool(np.linalg.norm(x) > size)


def scaled(X: Array) -> Array:
    """Columns of unit size."""
    size = np.sqrt(np.mean(X**2, axis=0))
    return np.asarray(X / np.where(size > 0.0, size, 1.0))
