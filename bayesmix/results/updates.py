"""Methods of every fit that fit its model again, changed or to new responses."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from bayesmix.language.arguments import explained
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.new_responses import with_new_responses
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.fits.updated_model import KEPT, Changes, updated_model


@explained
class Updates(FitRecord):
    """What makes a fit of the same kind: an estimate by the same method, or a posterior of as many draws."""

    def update(  # noqa: PLR0913 - what a model is made of, named
        self,
        formula: Any = None,
        *,
        data: Any = KEPT,
        family: Any = KEPT,
        link: Any = KEPT,
        priors: Any = KEPT,
        weights: Any = KEPT,
        offset: Any = KEPT,
        contrasts: Any = KEPT,
        data2: Any = KEPT,
        seed: int | None = None,
        progress: bool = True,
    ) -> Self:
        """Fit a changed model: ``fit.update("~ . + z")``, ``fit.update(family="poisson")``.

        Parameters
        ----------
        formula : changes in the notation of R's ``update``: ``.`` is what there is on its side of ``~``, ``+`` adds
            terms and ``-`` removes them, random effects too, ``"~ . - (1 | g)"``. Of several formulas a list or a
            dictionary, ``["~ . + z", "sigma ~ . - x"]``; those without a change stay.
        data : other data; by default those of the fit, whose further columns new terms may name.
        family, link, priors, weights, offset, contrasts, data2 : as of `bayesmix.Model`, in place of the fit's.
        seed, progress : of a posterior, as of ``model.sample``.

        Raises
        ------
        BayesmixError
            As `bayesmix.Model`; also where a term to remove is not there, or where new terms need data that the fit no
            longer has: after ``load``, or where the data frame was changed.
        """
        changes = Changes(data, family, link, priors, weights, offset, contrasts, data2)
        return self._of(updated_model(self, formula, changes), seed, progress)

    def refit(self, y: Any, *, seed: int | None = None, progress: bool = True) -> Self:
        """Fit the same model to new responses, such as a column of `simulate`; default priors are in their units.

        Parameters
        ----------
        y : one value a row used, or a row of the data as given; of successes out of trials their number, their share or
            ``(n, 2)`` successes and failures; of categories their labels; of several that are counted the counts of
            each, ``(n, K)``. Of several responses a dictionary or a data frame by name.
        seed, progress : of a posterior, as of ``model.sample``.
        """
        return self._of(with_new_responses(self.fitted_model, y), seed, progress)

    @abstractmethod
    def _of(self, model: Fitted, seed: int | None, progress: bool) -> Self:
        """A fit of another model, made as this one was."""
