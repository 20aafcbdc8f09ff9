"""Methods of every fit that ask for effects and hypotheses: thin, the work is done by functions of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bayesmix.language.arguments import explained
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.prediction.predict import Kind
from bayesmix.results.prediction.prediction_table import Asked
from bayesmix.results.prediction.scopes import Groups

if TYPE_CHECKING:
    import pandas as pd


@explained
class Questions(FitRecord):
    """What both kinds of fit answer alike."""

    def conditional_effects(
        self,
        variable: str,
        by: str | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        kind: Kind = "mean",
        groups: Groups = "average",
        points: int = 50,
        interval: float = 0.95,
        df: str | None = None,
    ) -> pd.DataFrame:
        """Predictions over the range of a predictor: the numbers of an effect plot.

        Parameters
        ----------
        variable : column of the fixed part; all levels of a factor, ``points`` values of a number.
        by : a second column: levels, or the mean of a number and one standard deviation to either side.
        at : values of other columns; without them numbers are at their means and factors at their most frequent level.
        kind, groups, interval, df : as in `predict`; ``"average"`` is the mean over groups, ``"zero"`` that of a
            typical one.
        """
        from bayesmix.results.prediction.marginal_effects import conditional_effects

        asked = Asked(kind, groups, interval, df)
        return conditional_effects(self, variable, by, asked, at=at, points=points)

    def marginal_means(
        self,
        *variables: str,
        at: Mapping[str, Any] | None = None,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
    ) -> pd.DataFrame:
        """Estimated marginal means: the other factors' levels weigh alike, numbers are at their means.

        Parameters
        ----------
        *variables : columns of the fixed part, whose combinations are the rows.
        at, kind, groups, interval, df : as in `conditional_effects`.

        Returns
        -------
        DataFrame
            NaN, with a `PredictionWarning`, where the data do not determine a mean: one of its cells has no rows. Of an
            estimate ``estimate, std_error, df, lower, upper`` with ``t`` (linear models, Satterthwaite's degrees of
            freedom) or ``z`` (``df`` is infinite) and ``p_value``; of a posterior ``p_direction``.
        """
        from bayesmix.results.prediction.marginal_effects import marginal_means

        return marginal_means(self, variables, Asked(kind, groups, interval, df), at=at)

    def contrasts(
        self,
        variable: str,
        by: str | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
    ) -> pd.DataFrame:
        """Differences of marginal means between all pairs of levels, later minus earlier, within levels of ``by``.

        The columns are those of `marginal_means`; p-values are not adjusted for several tests.
        """
        from bayesmix.results.prediction.marginal_effects import contrasts

        return contrasts(self, variable, by, Asked(kind, groups, interval, df), at=at)

    def slopes(
        self,
        variable: str,
        by: str | None = None,
        *,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
    ) -> pd.DataFrame:
        """Average slope of the mean with respect to a number, over the rows of the fit, for each level of ``by``.

        The columns are those of `marginal_means`.
        """
        from bayesmix.results.prediction.marginal_effects import slopes

        return slopes(self, variable, by, Asked(kind, groups, interval, df))

    def hypothesis(self, *texts: str, interval: float = 0.95, df: str | None = None) -> pd.DataFrame:
        """Judge hypotheses such as ``"ncontrols > 0"`` or ``"sd(agegp, Intercept) > 2 * sigma"``.

        Parameters
        ----------
        *texts : two sides of arithmetic on parameters' names, ``exp, log, sqrt, abs``, compared by ``>``, ``<``, ``=``.
        interval : of left minus right, probability of ``lower, upper``.
        df : of an estimate's tests, as in `predict`.

        Returns
        -------
        DataFrame
            Of a posterior the ``probability`` and its ``odds`` (of an equality ``p_direction``); of an estimate ``t``
            (linear models, with ``df`` by Satterthwaite's method) or ``z``, and ``p_value``, one-sided for ``>`` and
            ``<``.
        """
        from bayesmix.results.prediction.hypothesis import hypotheses

        check_level(interval)
        return hypotheses(self, texts, interval, df)
