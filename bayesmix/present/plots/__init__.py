"""Figures of fits, each a function that returns a matplotlib ``Figure``: ``bmx.plots.forest(post, reml).savefig(...)``.

Nothing is shown and no global state is touched. Colours are those of Okabe and Ito, which people with any colour vision
tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmix.errors import SpecError, nearest
from bayesmix.present.plots.forest import forest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmix.results.compare import Comparison

__all__ = ["forest"]

KINDS = {"forest": forest}


def of_comparison(comparison: Comparison, kind: str, **options: Any) -> Figure:
    """Draw the fits of a comparison: `Comparison.plot`."""
    if kind not in KINDS:
        raise SpecError(f"There is no figure `{kind}`.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    documented = dict(comparison.table["documented"].dropna()) if "documented" in comparison.table else {}
    return KINDS[kind](*comparison.fits, documented=documented, **options)
