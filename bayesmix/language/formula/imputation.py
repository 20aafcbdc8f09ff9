"""Imputation in a model: which responses others depend on, ``y ~ mi(z)`` beside ``z | mi() ~ w``, as in brms.

The slope of an imputed predictor is a parameter of the response's family with a linear predictor of its own, and what
is known of it in each row are two more without coefficients: its value, and whether that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bayesmix.errors import FormulaError, SpecError, nearest
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.imputed import with_slopes
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.imputed_predictors import (
    MISSING,
    VALUE,
    imputed_products,
    imputed_response,
    is_imputed,
    known_text,
    slope_terms,
)
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand


@dataclass(frozen=True, slots=True)
class Imputable:
    """A response as far as imputation goes."""

    label: str
    family: Family
    links: tuple[Link, ...]
    additions: Additions

    @property
    def is_normal(self) -> bool:
        """Whether it is normal around its linear predictor."""
        return is_linear(self.family, self.links[0]) and self.family.is_plain


type Parts = dict[tuple[int, int], Formula]  # by positions of a response and of a parameter of its family


def with_imputation(parts: Parts, responses: Sequence[Imputable], *, rescor: bool) -> list[Imputable]:
    """The responses with the slopes of imputed predictors as parameters, whose formulas are added to ``parts``.

    Raises
    ------
    SpecError, FormulaError
        If what is asked for has no density in closed form.
    """
    slopes = {i: _slopes(parts[i, 0]) for i in range(len(responses)) if not parts[i, 0].curve}
    _check_means(formula for (_, j), formula in parts.items() if j)
    involved = [i for i, one in enumerate(responses) if slopes.get(i) or one.additions.is_imputed]
    if not involved:
        return list(responses)
    if rescor:
        raise SpecError("rescor=True correlates residuals, of which missing values have none: leave it out.")
    for i in involved:
        _check_response(responses[i], is_alone=len(responses) == 1)
    labels = [one.label for one in responses]
    for i, own in slopes.items():
        _check_predictors(parts[i, 0], own, labels, responses)
    _check_order({labels[i]: {imputed_response(name) for name in own} for i, own in slopes.items()})
    found = list(responses)
    for i, own in slopes.items():
        if own:
            found[i] = _with_slopes(parts, i, responses[i], own)
    return found


def _check_means(others: Iterable[Formula]) -> None:
    """Raise `FormulaError` where a parameter beside a mean depends on values that may be missing."""
    for formula in others:
        if _slopes(formula):
            raise FormulaError(
                f"`{formula.text}`: imputed predictors are of means, of which missing values can be integrated out."
            )


def _slopes(formula: Formula) -> Mapping[str, str]:
    return slope_terms(expand(read(formula.fixed)))


def _with_slopes(parts: Parts, i: int, response: Imputable, slopes: Mapping[str, str]) -> Imputable:
    family = with_slopes(response.family, tuple(slopes))
    first, count = len(response.links), len(slopes)
    for k, (name, text) in enumerate(slopes.items()):
        parts[i, first + k] = Formula("", text, (), text=f"{response.label}: {name} ~ {text}", is_implied=True)
        for j, what in enumerate((VALUE, MISSING), 1):
            offset = known_text(imputed_response(name), what)
            parts[i, first + j * count + k] = Formula("", "0", (), (offset,), text=f"{name} ~ 0", is_implied=True)
    links = (*response.links, *(LINKS["identity"] for _ in range(3 * count)))
    return replace(response, family=family, links=links)


def _check_response(one: Imputable, *, is_alone: bool) -> None:
    written = f"{one.label} | {one.additions}" if str(one.additions) else one.label
    if is_alone:
        raise SpecError(
            f"`{written}` is the only response: rows without a value of it say nothing, and are left out without mi()."
            " `predict` says what is to be expected of them."
        )
    if not one.is_normal:
        raise SpecError(
            f"Missing values are integrated out of gaussian responses with identity link; `{one.label}` has family"
            f" `{one.family.name}`, link `{one.links[0].name}`. Complete the data first, several times, and fit each."
        )
    other = str(replace(one.additions, imputed=""))
    if other:
        raise SpecError(f"`{written}`: `{other}` and imputation do not go together. Leave one of them out.")


def _check_predictors(
    formula: Formula, slopes: Mapping[str, str], labels: Sequence[str], responses: Sequence[Imputable]
) -> None:
    """Raise `FormulaError` where an imputed predictor has no formula, or is multiplied by another one."""
    terms = expand(read(formula.fixed))
    product = next(imputed_products(terms), None)
    if product is not None:
        raise FormulaError(
            f"`{product}` in `{formula.text}` is a product of imputed predictors, which is not normal: leave it out."
        )
    if any("." in text.replace(" + ", ":").split(":") for text in slopes.values()):
        raise FormulaError(f"`.` times an imputed predictor in `{formula.text}`: name the columns.")
    for name in filter(is_imputed, terms.variables):
        wanted = imputed_response(name)
        if wanted in terms.variables:
            raise FormulaError(f"`{formula.text}` has `{wanted}` and `{name}`: leave one of them out.")
        if wanted not in labels:
            raise FormulaError(
                f"`{name}` in `{formula.text}` needs a formula of `{wanted}`.{nearest(wanted, labels)} Add"
                f" `{wanted} | mi() ~ ...`, with what its missing values depend on."
            )
        if not responses[labels.index(wanted)].additions.is_imputed:
            raise FormulaError(
                f"`{name}` in `{formula.text}`: rows without `{wanted}` would be left out. Write `{wanted} | mi() ~`"
                f" in its formula to keep them, or `{wanted}` in place of `{name}`."
            )


def _check_order(parents: Mapping[str, set[str]]) -> None:
    """Raise `FormulaError` where responses depend on each other in a circle."""
    left = {label: set(own) for label, own in parents.items()}
    while left:
        free = [label for label, own in left.items() if not own & left.keys()]
        if not free:
            circle = ", ".join(f"`{label}`" for label in left)
            raise FormulaError(
                f"Imputed predictors go round in a circle: {circle} depend on each other, which is no joint"
                " distribution. Leave one of the mi() out."
            )
        left = {label: own for label, own in left.items() if label not in free}


def imputation_order(parents: Mapping[int, Sequence[int]]) -> Iterator[int]:
    """Responses, each after those that it depends on."""
    done: list[int] = []
    while len(done) < len(parents):
        for one, own in parents.items():
            if one not in done and set(own) <= set(done):
                done.append(one)
                yield one
