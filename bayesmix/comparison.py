"""Fits of one model side by side, beside the figures a document prints, and why they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Fit, Posterior
from bayesmix.language.arguments import explained, unknown_argument
from bayesmix.results.comparison.comparison_tables import SUMMARY, blocks_of_comparison
from bayesmix.results.comparison.decomposition import Centre, Decomposition
from bayesmix.results.comparison.explanation import explain
from bayesmix.results.comparison.pooling import pooling
from bayesmix.results.comparison.record import ComparisonRecord
from bayesmix.results.comparison.table import comparison_table, decompositions
from bayesmix.results.criticism.confidence_intervals import chosen_methods, quick, side_by_side
from bayesmix.results.criticism.coverage import coverage
from bayesmix.results.fits.named_fits import by_method, named_fits
from bayesmix.results.tables.blocks import to_html, to_markdown, to_text
from bayesmix.results.tables.interval_table import interval_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CENTRES = ("mean", "median")


@explained
@dataclass(frozen=True, slots=True, eq=False)
class Comparison(ComparisonRecord):
    """One row a parameter, the fits in columns; ``print`` it for the causes of their differences."""

    fits: tuple[Estimate | Posterior, ...]

    @property
    def steps(self) -> pd.DataFrame:
        """What each cause adds to the difference of the first two fits, parameter x cause; rows add up to it."""
        return self._decomposition.steps

    @property
    def sentences(self) -> dict[str, str]:
        """Why the first two fits differ, a sentence a parameter."""
        return explain(self._decomposition, self.fits[0].design)

    @property
    def _decomposition(self) -> Decomposition:
        if not self.decompositions:
            why = " ".join(self.notes) or "compare(posterior, estimate, causes=True) computes them."
            raise SpecError(f"The causes of the differences are not known here. {why}")
        return self.decompositions[0]

    def intervals(self, level: float = 0.95, *, methods: Sequence[str] | None = None) -> pd.DataFrame:
        """Intervals by several methods side by side, of the first estimate and the first posterior.

        Parameters
        ----------
        methods : of ``"wald"``, ``"satterthwaite"``, ``"kenward-roger"``, ``"profile"``, ``"bootstrap"`` and
            ``"credible"``; by default all that the fits have, the bootstrap where a thousand refits take no more than a
            second or two. Profiles take a moment.

        Returns
        -------
        DataFrame
            Columns ``"wald lower"``, ``"wald upper"``, ...; blank where a method has none of a parameter.
        """
        fit = self._estimate("intervals")
        chosen = (*quick(fit), "credible") if methods is None else chosen_methods(fit, methods)
        return interval_table(side_by_side(fit, self.posterior, level, chosen), level)

    def coverage(  # noqa: PLR0913 - options of a study, named
        self,
        n: int = 500,
        *,
        methods: Sequence[str] | None = None,
        level: float = 0.95,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> pd.DataFrame:
        """How often intervals of ``level`` hold the truth, by fitting ``n`` data sets simulated from the estimate.

        Parameters
        ----------
        methods : of ``"wald"``, ``"satterthwaite"``, ``"kenward-roger"``, ``"profile"``, ``"bootstrap"``,
            ``"credible"``; all that are quick by default.
        seed : of the data; the same seed gives the same table, whatever the executor.
        executor : any ``concurrent.futures.Executor``, to fit on many processes or machines.
        progress : show a bar with the time left.
        checkpoint : file in which what is finished is kept; a study that was stopped goes on from there.

        Returns
        -------
        DataFrame
            One row a parameter, one column a method; ``attrs["n"]`` data sets could be fitted. The credible intervals
            leave equal tails: they never hold a standard deviation that the estimate has at zero.
        """
        fit = self._estimate("coverage")
        spec = fit.spec if self.posterior is None else self.posterior.spec
        return coverage(
            fit,
            spec,
            n,
            methods=methods,
            level=level,
            seed=seed,
            executor=executor,
            progress=progress,
            checkpoint=checkpoint,
        )

    def _estimate(self, what: str) -> Estimate:
        found = next((fit for fit in self.fits if isinstance(fit, Estimate)), None)
        if found is None:
            raise SpecError(f"{what}() needs an estimate to start from: compare(posterior, model.estimate()).")
        return found

    @property
    def posterior(self) -> Posterior | None:
        """The first posterior, if there is one."""
        return next((fit for fit in self.fits if isinstance(fit, Posterior)), None)

    def pooling(self, group: str | None = None) -> pd.DataFrame:
        """Coefficients of every group with complete, no and partial pooling, as `bayesmix.pooling` of these fits."""
        return pooling(*self.fits, group=group)

    def to_markdown(self) -> str:
        """The comparison as Markdown."""
        return to_markdown(blocks_of_comparison(self))

    def to_html(self) -> str:
        """The comparison as HTML: headings, tables and lists without a style of their own."""
        return to_html(blocks_of_comparison(self))

    def plot(self, kind: str = "forest", **options: Any) -> Figure:
        """Draw the fits side by side.

        Parameters
        ----------
        kind : ``"forest"``, ``"shrinkage"``, ``"sd"`` (densities of standard deviations), ``"pooling"``,
            ``"caterpillar"`` or ``"curves"``, each with the options of its function in `bayesmix.plots`.
        """
        from bayesmix.present.plots import of_comparison

        return of_comparison(self, kind, **options)

    def __str__(self) -> str:
        return to_text(blocks_of_comparison(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.to_html()


@explained
def compare(
    *fits: Estimate | Posterior | Mapping[str, Estimate | Posterior],
    labels: Sequence[str] | None = None,
    documented: Mapping[str, float] | None = None,
    causes: bool | None = None,
    groups: bool = False,
    intervals: bool = False,
    centre: Centre = "mean",
    **by_label: Estimate | Posterior,
) -> Comparison:
    """Put fits of the same model side by side, and say why they differ.

    Parameters
    ----------
    *fits : estimates and posteriors, in any order and number, or a dict of them by label.
    labels : names of the fits in tables and text; their methods by default.
    documented : printed figures by parameter name; by default those of the model file the fits come from.
    causes : whether to decompose the difference of the first estimate and each posterior, cause by cause. By default
        where that takes no more than a second or two; True refits generalized and big models as well (quadrature, flat
        priors).
    groups : one row for each coefficient of each level, too.
    intervals : those of `Comparison.intervals` in further columns; profiles take a moment.
    centre : ``"mean"`` or ``"median"`` of the posterior: what the differences are taken to.
    **by_label : further fits, each with its label: ``compare(reml, default=post, brms=other)``.

    Raises
    ------
    SpecError
        If nothing was given, or the fits have different parameters.
    """
    if centre not in CENTRES:
        raise SpecError(f"There is no centre `{centre}`.{nearest(centre, CENTRES)} Centres: {', '.join(CENTRES)}.")
    named = _named(fits, labels, by_label)
    if not named:
        raise SpecError("compare needs at least one fit: compare(model.sample(), model.estimate()).")
    _check_labels(named)
    _check_same_parameters(list(named.values()))
    ordered = dict(sorted(named.items(), key=lambda pair: isinstance(pair[1], Posterior)))
    first = next(iter(named.values()))
    figures = first.fitted_model.documented if documented is None else documented
    found, notes = decompositions(ordered, causes, groups, centre)
    table = comparison_table(ordered, figures, found, groups, centre)
    comparison = Comparison(table, first.spec.text, tuple(ordered), tuple(ordered.values()), found, notes, centre)
    return replace(comparison, table=table.join(comparison.intervals())) if intervals else comparison


def _named(
    fits: Sequence[Estimate | Posterior | Mapping[str, Estimate | Posterior]],
    labels: Sequence[str] | None,
    by_label: Mapping[str, Any],
) -> dict[str, Estimate | Posterior]:
    """Fits by label: those one after the other, then those that came with theirs."""
    for name, value in by_label.items():
        if not isinstance(value, Estimate | Posterior):
            known = [parameter for parameter in signature(compare).parameters if parameter not in ("fits", "by_label")]
            raise SpecError(unknown_argument("compare", name, known))
    found = named_fits(fits, labels, "compare", wanted=(Estimate, Posterior), default=by_method)
    twice = found.keys() & by_label.keys()
    if twice:
        raise SpecError(f"compare is given two fits called `{min(twice)}`.")
    return {**found, **by_label}


def _check_labels(named: Mapping[str, Fit]) -> None:
    taken = {"documented", "flat mode", *SUMMARY}
    for label in named:
        if label in taken:
            raise SpecError(f"`{label}` is a column of the comparison and cannot be the label of a fit.")


def _check_same_parameters(fits: Sequence[Estimate | Posterior]) -> None:
    names = fits[0].names
    for fit in fits[1:]:
        if fit.names != names:
            odd = sorted(set(names) ^ set(fit.names))
            raise SpecError(f"These fits are of different models; parameters of only one of them: {', '.join(odd)}.")
