"""Methods of posteriors that predict rows by all others: row by row, level by level, fold by fold."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal

from bayesmix.language.arguments import explained
from bayesmix.results.fits.records import PosteriorRecord


@explained
class CrossValidation(PosteriorRecord):
    """How well what was not seen is predicted."""

    def loo(
        self,
        *,
        refit: bool | None = None,
        seed: int = 0,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> Any:
        """Leave-one-out cross-validation by Pareto-smoothed importance sampling, as ArviZ's ``ELPDData``.

        Parameters
        ----------
        refit : fit again without each row whose Pareto k is high; by default with the marginal sampler, which is cheap.
        seed, progress : of the refits.
        checkpoint : file in which the densities of finished refits are kept. What was stopped goes on from there.
        """
        from bayesmix.results.criticism.cross_validation import loo

        return loo(self, refit=refit, seed=seed, progress=progress, checkpoint=checkpoint)

    def logo(
        self,
        group: str | None = None,
        *,
        refit: bool | Literal["all"] | None = None,
        seed: int = 0,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> Any:
        """Leave one group out: how well the rows of each level are predicted, together, by those of all others.

        The effects of the level left out, and of levels nested in it, are integrated out: the accuracy for a new group.

        Parameters
        ----------
        group : grouping factor; the first by default.
        refit : as in `loo`; ``"all"`` fits again without each level in turn.
        seed, progress, checkpoint : of the refits, as in `loo`.

        Returns
        -------
        ELPDData
            ArviZ's, one entry a level.
        """
        from bayesmix.results.criticism.cross_validation import logo

        return logo(self, group, refit=refit, seed=seed, progress=progress, checkpoint=checkpoint)

    def kfold(
        self,
        k: int = 10,
        group: str | None = None,
        *,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> Any:
        """Cross-validation with ``k`` folds, each by a refit; the rows of a level of ``group`` stay together.

        ``executor``: any ``concurrent.futures.Executor``, or None; ``checkpoint``: a file for finished folds.
        """
        from bayesmix.results.criticism.cross_validation import kfold

        return kfold(self, k, group, seed=seed, executor=executor, progress=progress, checkpoint=checkpoint)
