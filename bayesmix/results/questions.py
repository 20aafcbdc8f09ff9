"""Methods of every fit that ask for predictions, effects and hypotheses: functions of a fit do the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmix.language.arguments import explained
from bayesmix.results.fits.accessors import fitted_of
from bayesmix.results.fits.credible_regions import Rope
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.fits.residuals import residuals
from bayesmix.results.fits.robust_covariance import RobustCovariance
from bayesmix.results.prediction.contrast_weights import Method
from bayesmix.results.prediction.hypothesis import Options, hypotheses
from bayesmix.results.prediction.imputed_values import imputed
from bayesmix.results.prediction.marginal_effects import By, conditional_effects, contrasts, marginal_means, slopes
from bayesmix.results.prediction.predict import Kind
from bayesmix.results.prediction.prediction_table import estimand_of, predictions
from bayesmix.results.prediction.scopes import Groups
from bayesmix.results.prediction.simulation import simulate
from bayesmix.results.prediction.smooth_curves import POINTS, smooth_curves
from bayesmix.results.storage.streamed_predictions import write_predictions
from bayesmix.results.tables.effect_table import effect_table
from bayesmix.results.tables.rows_table import by_row

if TYPE_CHECKING:
    import pandas as pd


@explained
class Questions(FitRecord):
    """What both kinds of fit answer alike."""

    def predict(  # noqa: PLR0913 - options of a prediction, named
        self,
        newdata: Any = None,
        *,
        kind: Kind = "mean",
        groups: Groups = "fitted",
        interval: float = 0.95,
        offset: Any = None,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        seed: int = 0,
        parameter: str | None = None,
        response: str | None = None,
        to: str | Path | None = None,
    ) -> pd.DataFrame:
        """Predict rows of ``newdata`` (those of the fit by default).

        Parameters
        ----------
        newdata : any dataframe with the predictors; the response is not needed. With ``to`` also what stays where it
            is: a DuckDB relation, a lazy frame, the path of Parquet or CSV files; by default the data of the fit.
        kind : ``"mean"`` of the response, ``"linear"`` predictor, ``"response"``: a new observation, or ``"zero"``: the
            probability that it is zero. Of censored and truncated responses means are those without bounds; new
            observations are truncated, in new data by their own columns, and never censored.
        groups : ``"fitted"`` uses each row's own group (an unseen level is an error), ``"known"`` too, but draws the
            effects of levels not seen, ``"new"`` draws those of every level, the same for all rows of the level,
            ``"average"`` integrates the random effects out, ``"zero"`` sets them to zero, the document's prediction
            for a new group. Or a scope for each grouping factor, ``{"batch": "fitted", "cask:batch": "new"}``; those
            not named are ``"fitted"``. Only ``"fitted"`` and ``"known"`` need the column of the grouping factor;
            without it ``"new"`` takes all rows to be of one new level.
        interval : probability of the interval columns ``lower, upper``.
        offset : one value a row of new data, where the model was given an array too.
        df : degrees of freedom of an estimate's intervals: ``"satterthwaite"``, the default of linear models (of fixed
            effects as emmeans has them; with random effects as SAS has them, and at least the number of levels less
            one); ``"kenward-roger"``, with their adjusted standard errors, of means of fixed effects in linear models
            (an ML fit's variances are estimated again by REML); or ``"asymptotic"``: normal intervals, the only ones of
            generalized models.
        vcov : a robust covariance of an estimate's fixed effects, of its `robust_vcov`, in place of the model's.
        seed : of the draws that ``"new"`` and ``"response"`` need.
        parameter : another one than the mean that has a formula, ``"sigma"``, ``"shape"``: ``kind="mean"`` is its
            value, ``"linear"`` its predictor; ``groups`` is about the effects on it.
        response : of several, the first by default; the new observations of all with the same seed are of one data set.
        to : a Parquet file to write, some rows at a time: the columns of the data, and those of the predictions beside
            them. It takes the place of a file that is there, once it is whole.

        Returns
        -------
        DataFrame
            One row a row of data: ``estimate, std_error, df, lower, upper`` of a point estimate, whose fixed and random
            effects are uncertain together; how uncertain the groups' variances are is in ``df`` alone, infinite where
            intervals are normal. ``mean, sd, lower, upper`` of a posterior. A row is NaN, with a `PredictionWarning`,
            where a value is missing, or where the data of the fit do not determine it: it needs a column left out.
            With ``to`` a single row: ``file, rows, undetermined``.
        """
        estimand = replace(estimand_of(kind, groups, interval, df, parameter, response), vcov=vcov)
        if to is not None:
            return write_predictions(self, estimand, newdata, to, offset=offset, seed=seed)
        return predictions(self, estimand, newdata, offset=offset, seed=seed)

    def smooths(
        self,
        smooth: str | None = None,
        newdata: Any = None,
        *,
        points: int = POINTS,
        interval: float = 0.95,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Curves of the smooths, each by itself, with pointwise and simultaneous bands.

        Parameters
        ----------
        smooth : one as it is written, ``"s(x)"``, or one of its curves, ``"s(x):fb"``, ``"s(x,g):g1"``; all by default.
        newdata : values of its variables; by default ``points`` over the range of the data, of surfaces a grid.
        points : of each curve.
        interval : probability of the bands. Simultaneous ones hold the whole curve with it, pointwise ones each point.
        seed : of the curves that the simultaneous bands of an estimate are found by.

        Returns
        -------
        DataFrame
            One row a point: the variables, ``estimate, std_error`` or ``mean, sd``, ``lower, upper`` and
            ``lower_simultaneous, upper_simultaneous``. Curves are on the scale of the linear predictor and sum to zero
            over the data, as mgcv plots them; those multiplied by a number are its coefficient. An estimate's
            variances are taken as known. Curves of the levels of ``bs = "fs"`` are what a level adds to the population,
            its constant and line with it.
        """
        return smooth_curves(self, smooth, newdata, points=points, interval=interval, seed=seed)

    def simulate(
        self,
        n: int = 1,
        newdata: Any = None,
        *,
        groups: Groups = "new",
        offset: Any = None,
        seed: int = 0,
        response: str | None = None,
    ) -> pd.DataFrame:
        """New sets of responses, one a column: an estimate's at its parameters, a posterior's each at another draw.

        Truncated responses are inside their bounds; in place of censored ones stand whole ones.

        Parameters
        ----------
        n : number of sets.
        newdata, offset : as in `predict`.
        groups : ``"new"`` draws new effects for every level, as a repetition of the study would; ``"fitted"`` keeps
            the levels' own.
        seed : the same seed gives the same responses.
        response : of several, the first by default; sets of all with the same seed belong together.
        """
        return simulate(self, n, newdata=newdata, groups=groups, offset=offset, seed=seed, response=response)

    def imputed(
        self, response: str | None = None, *, n: int | None = None, interval: float = 0.95, seed: int = 0
    ) -> pd.DataFrame:
        """Missing values of a response ``z | mi()``, given all that was observed: brms's ``Ymi_z``.

        Parameters
        ----------
        response : of several that miss values; the first by default.
        n : number of draws in place of a summary, one a column: a posterior's each at another draw of the parameters,
            an estimate's at its own. Draws of several responses with the same seed belong together.
        interval : probability of the interval columns ``lower, upper``.
        seed : of the draws.

        Returns
        -------
        DataFrame
            One row a row of the data without a value: ``estimate, std_error, lower, upper`` of an estimate, whose
            parameters are uncertain, too, or ``mean, sd, lower, upper`` of a posterior; or ``imp_1, ...``.
        """
        return imputed(self, response, n=n, interval=interval, seed=seed)

    def fitted(self, parameter: str | None = None, response: str | None = None) -> pd.Series | pd.DataFrame:
        """Fitted means of the rows used: conditional modes or posterior means (shares for binomial data).

        Parameters
        ----------
        parameter : another one of the response's distribution that has a formula: ``"sigma"``, ``"shape"``.
        response : of several; the first by default.

        Returns
        -------
        Series or DataFrame
            One value a row, with the index of the data; of a response of categories a column of each one's probability.
        """
        return by_row(self, fitted_of(self, parameter, response), response)

    def residuals(self, kind: str = "response", *, seed: int = 0, response: str | None = None) -> pd.Series:
        """Residuals of the rows used, with the index of the data.

        Parameters
        ----------
        kind : ``"response"``, ``"pearson"``, ``"deviance"``, or ``"quantile"``: standard normal if the model is right,
            whatever the family (Dunn and Smyth 1996); a posterior's are of its predictive distribution. They are the
            only ones of censored and truncated responses: drawn over all that is known of a censored one.
        seed : of the draws that quantile residuals of counts need.
        response : of several; the first by default.
        """
        return by_row(self, residuals(self, kind, seed=seed, response=response), response)

    def conditional_effects(  # noqa: PLR0913 - options of a prediction, named
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
        vcov: RobustCovariance | None = None,
        parameter: str | None = None,
        response: str | None = None,
    ) -> pd.DataFrame:
        """Predictions over the range of a predictor: the numbers of an effect plot.

        Parameters
        ----------
        variable : column of the fixed part; all levels of a factor, ``points`` values of a number.
        by : a second column: levels, both values of a number that has two, or its mean and one standard deviation to
            either side.
        at : values of other columns; without them numbers are at their means and factors at their most frequent level.
        kind, groups, interval, df, vcov, parameter, response : as in `predict`; ``"average"`` is the mean over groups,
            ``"zero"`` that of a typical one.
        """
        estimand = replace(estimand_of(kind, groups, interval, df, parameter, response), vcov=vcov)
        return conditional_effects(self, variable, by, estimand, at=at, points=points)

    def marginal_means(  # noqa: PLR0913 - options of a prediction, named
        self,
        *variables: str,
        by: By = None,
        at: Mapping[str, Any] | None = None,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        adjust: str = "none",
        rope: Rope = None,
        parameter: str | None = None,
        response: str | None = None,
    ) -> pd.DataFrame:
        """Estimated marginal means: the other factors' levels weigh alike, numbers are at their means.

        Parameters
        ----------
        *variables : columns of the fixed part, whose combinations are the rows.
        by : a further column, or several: the same means within each combination of their values, a family of tests.
        at, kind, groups, interval, df, vcov, parameter, response : as in `conditional_effects`.
        adjust : of an estimate's tests and intervals for their number in a family: ``"none"``, ``"sidak"``, ``"holm"``,
            ``"bonferroni"``, ``"mvt"`` (multivariate t, to about 1e-4), ``"fdr"`` or ``"scheffe"``; of a posterior
            ``"simultaneous"``: intervals that hold all at once. The table says in ``attrs["adjustment"]`` which.
        rope : of a posterior, limits of practical equivalence to zero, ``(-0.1, 0.1)``: ``in_rope``, the share of draws
            between them, and whether equivalence is ``"accepted"``, the interval lying inside, or ``"rejected"``, it
            lying outside (Kruschke 2018).

        Returns
        -------
        DataFrame
            NaN, with a `PredictionWarning`, where the data do not determine a mean: one of its cells has no rows. Of an
            estimate ``estimate, std_error, df, lower, upper`` with ``t`` (linear models) or ``z`` (``df`` is infinite)
            and ``p_value``; of a posterior ``p_direction``.
        """
        estimand = replace(
            estimand_of(kind, groups, interval, df, parameter, response), adjust=adjust, vcov=vcov, rope=rope
        )
        return effect_table(marginal_means(self, variables, by, estimand, at=at), interval)

    def contrasts(  # noqa: PLR0913 - options of a prediction, named
        self,
        variable: str,
        by: By = None,
        *,
        method: Method = "pairwise",
        at: Mapping[str, Any] | None = None,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        adjust: str = "none",
        rope: Rope = None,
        parameter: str | None = None,
        response: str | None = None,
    ) -> pd.DataFrame:
        """Differences of marginal means between all pairs of levels, later minus earlier, within levels of ``by``.

        Parameters
        ----------
        variable : column of the fixed part; of a number that has two values these, of others the mean and one standard
            deviation to either side, or ``at``.
        by : a further column, or several: contrasts within each combination of their values, a family of tests.
        method : ``"pairwise"``; ``"revpairwise"``, earlier minus later; ``"trt.vs.ctrl"``, each minus the first;
            ``"consec"``, each minus the one before; ``"eff"``, each minus the mean of all; ``"poly"``, orthogonal
            polynomials of the levels' places; or weights of the levels by name: ``{"b, c - a": [-1, 0.5, 0.5]}``,
            ``{"c - a": {"c": 1, "a": -1}}``.
        at, kind, groups, interval, df, vcov, parameter, response : as in `conditional_effects`.
        adjust : as in `marginal_means`, or ``"tukey"``, for all pairs: emmeans' default, where ours is ``"none"``.

        Returns
        -------
        DataFrame
            The columns of `marginal_means`.
        """
        estimand = replace(
            estimand_of(kind, groups, interval, df, parameter, response), adjust=adjust, vcov=vcov, rope=rope
        )
        return effect_table(contrasts(self, variable, by, estimand, method=method, at=at), interval)

    def slopes(  # noqa: PLR0913 - options of a prediction, named
        self,
        variable: str,
        by: By = None,
        *,
        kind: Kind = "mean",
        groups: Groups = "average",
        interval: float = 0.95,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        adjust: str = "none",
        rope: Rope = None,
        parameter: str | None = None,
        response: str | None = None,
    ) -> pd.DataFrame:
        """Average slope of the mean with respect to a number, over the rows of the fit, for each level of ``by``.

        The arguments and columns are those of `marginal_means`; all slopes are one family of tests.
        """
        estimand = replace(
            estimand_of(kind, groups, interval, df, parameter, response), adjust=adjust, vcov=vcov, rope=rope
        )
        return effect_table(slopes(self, variable, by, estimand), interval)

    def hypothesis(
        self,
        *texts: str,
        interval: float = 0.95,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        adjust: str = "none",
        joint: bool = False,
        rope: Rope = None,
    ) -> pd.DataFrame:
        """Judge hypotheses such as ``"ncontrols > 0"`` or ``"sd(agegp, Intercept) > 2 * sigma"``.

        Parameters
        ----------
        *texts : two sides of arithmetic on parameters' names, ``exp, log, sqrt, abs``, compared by ``>``, ``<``, ``=``.
        interval : of left minus right, probability of ``lower, upper``.
        df, vcov : of an estimate's tests, as in `predict`.
        adjust, rope : as in `marginal_means`; ``rope`` is about left minus right.
        joint : whether all equalities hold at once: the F test of an estimate, a credible ellipsoid of a posterior.

        Returns
        -------
        DataFrame
            Of a posterior the ``probability`` and its ``odds`` (of an equality ``p_direction``); of an estimate ``t``
            (linear models) or ``z``, and ``p_value``, one-sided for ``>`` and ``<``. With ``joint`` the columns
            ``F, df1, df2, p_value``; where ``df2`` is infinite, ``F`` is a chi-square over its ``df1``. Of a posterior
            ``rank, distance, content``: the posterior probability inside the ellipsoid about the posterior mean on
            whose boundary the hypothesis lies, at the ``distance`` of Mahalanobis. Above 0.95 it is outside the 95 %
            region (of highest density, where the posterior is normal).
        """
        check_level(interval)
        return effect_table(hypotheses(self, texts, Options(interval, df, adjust, joint, vcov, rope)), interval)
