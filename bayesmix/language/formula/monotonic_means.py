"""Which models may have monotonic effects: on the means of responses whose mean is one linear predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.formula.parse import Formula


def check_monotonic(parts: Mapping[tuple[int, int], Formula], families: Sequence[tuple[str, Family]]) -> None:
    """Raise `SpecError` where a formula may have no monotonic effects.

    Parameters
    ----------
    parts : formulas by positions of a response and of a parameter of its family.
    families : label and family of each response.
    """
    for (i, j), formula in parts.items():
        if not formula.monotonic:
            continue
        term, (label, family) = formula.monotonic[0], families[i]
        if j:
            raise SpecError(
                f"`{term}` in `{formula.text}`: monotonic effects are of means, not of `{family.parameters[j].name}`."
                f" Write `factor({term.variable})` there, a coefficient for each category."
            )
        if family.levels or family.parameters[0].name != "mu":
            raise SpecError(
                f"`{term}`: monotonic effects on `{label}` of family `{family.name}`, whose mean is one of several"
                f" categories, are not supported. Write `factor({term.variable})`, a coefficient for each category."
            )
        if formula.residual is not None or len(families) > 1:
            beside = f"`{formula.residual}`" if formula.residual else "several responses"
            raise SpecError(
                f"`{term}`: monotonic effects beside {beside} are not supported. Write `factor({term.variable})`, or"
                f" {'leave the structure out' if formula.residual else 'fit each response by itself'}."
            )
