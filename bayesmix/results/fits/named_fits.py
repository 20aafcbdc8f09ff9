"""The fits that a verb of several is given, one after the other or by name: ``anova(a, b)``, ``anova({"A": a})``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from bayesmix.errors import SpecError
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord

WORDS = {  # a kind of fit: its noun, what returns it
    EstimateRecord: ("estimates", "model.estimate()"),
    PosteriorRecord: ("posteriors", "model.sample()"),
}


def named_fits[F: EstimateRecord | PosteriorRecord](
    given: Sequence[F | Mapping[str, F]],
    labels: Sequence[str] | None,
    verb: str,
    *,
    wanted: tuple[type[F], ...],
    default: Callable[[Sequence[F]], Sequence[str]],
) -> dict[str, F]:
    """The fits by label, in the order given.

    Parameters
    ----------
    given : positional arguments of the verb: fits, or one mapping of labels to fits.
    labels : of fits that are given one after the other; ``default`` of them by default.
    verb : the function's name, for messages.

    Raises
    ------
    SpecError
        If something is not a fit, or of the wrong kind, or labels are too many, too few or the same.
    """
    if len(given) == 1 and is_by_label(given[0]):
        if labels is not None:
            raise SpecError(f"{verb} is given labels twice: by a dict of fits, and by labels={list(labels)}.")
        found = {str(label): fit for label, fit in given[0].items()}
        check_fits(list(found.values()), verb, wanted)
        return found
    fits: list[Any] = list(given)
    check_fits(fits, verb, wanted)
    chosen = [str(label) for label in (default(fits) if labels is None else labels)]
    if len(chosen) != len(fits) or len(set(chosen)) < len(chosen):
        raise SpecError(f"{verb} needs as many different labels as fits, {len(fits)}; labels={chosen}.")
    return dict(zip(chosen, fits, strict=True))


def is_by_label(given: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a mapping of fits by label. A posterior is none, though ArviZ takes it for one of its groups."""
    return isinstance(given, Mapping) and not isinstance(given, FitRecord)


def check_fits(given: Sequence[Any], verb: str, wanted: Sequence[type] = (EstimateRecord, PosteriorRecord)) -> None:
    """Raise `SpecError` where an argument is not a fit of the kind wanted, with what makes it one."""
    for place, one in enumerate(given, 1):
        if isinstance(one, tuple(wanted)):
            continue
        words = [words for kind, words in WORDS.items() if any(issubclass(asked, kind) for asked in wanted)]
        nouns, calls = (" or ".join(parts) for parts in zip(*words, strict=True))
        raise SpecError(f"{verb} takes {nouns}; argument {place} is {_kind(one)}. Give what {calls} returns.")


def _kind(given: Any) -> str:
    """What somebody has given instead of a fit."""
    match given:
        case None:
            return "None"
        case EstimateRecord():
            return "an estimate"
        case PosteriorRecord():
            return "a posterior"
        case _ if hasattr(given, "estimate") and hasattr(given, "sample"):
            return "a model that is not fitted yet"
        case _:
            return f"a {type(given).__name__}"


def by_method(fits: Sequence[FitRecord]) -> list[str]:
    """Labels of fits of one model: method names, numbered where they repeat."""
    return _numbered([fit.method if isinstance(fit, EstimateRecord) else "posterior" for fit in fits])


def by_formula(fits: Sequence[FitRecord]) -> list[str]:
    """Labels of fits of several models: formulas, with the family where those repeat, numbered where both do."""
    formulas = [fit.spec.text for fit in fits]
    if len(set(formulas)) < len(formulas):
        formulas = [f"{text}, {fit.spec.family.name}" for text, fit in zip(formulas, fits, strict=True)]
    return _numbered(formulas)


def _numbered(names: Sequence[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{name} {names[: position + 1].count(name)}"
        for position, name in enumerate(names)
    ]
