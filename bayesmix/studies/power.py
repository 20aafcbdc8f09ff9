"""Power and precision by simulation: data from a fit, with other effects and sizes, are fitted and tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.data.design.extended import factors_of, resize_levels, resize_rows
from bayesmix.errors import SpecError, nearest
from bayesmix.language.arguments import explained, whole_number
from bayesmix.model import Model
from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.results.fits.changed_parameters import changed_parameters
from bayesmix.results.fits.fixed_inference import fixed_inference
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import flatten
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.fits.refit import estimate_again
from bayesmix.results.prediction.simulation import draws_at
from bayesmix.studies.power_curve import crossing
from bayesmix.studies.power_replicates import COLUMNS, Setting, run_batch, without
from bayesmix.studies.power_tables import by_size, described, text_of
from bayesmix.studies.tested_hypothesis import read_hypothesis

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.fit import Fit
    from bayesmix.inference.parameters.names import Parameters

BATCH = 50  # replicates of one job
ROWS = "rows"  # what their number in each level is called
STATISTICS = ("wald", "ratio")
Sizes = int | Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """Replicates of a study of power, and what they amount to."""

    replicates: pd.DataFrame  # sizes in the index; truth, estimate, std_error, df, p_value, singular, failed
    observations: pd.Series[int]  # number of rows, by size
    hypothesis: str
    words: str  # what the test rests on
    source: str  # what data were drawn from
    alpha: float

    @property
    def table(self) -> pd.DataFrame:
        """One row a size.

        Columns ``observations``; ``power``, the share of data sets in which the hypothesis is rejected, with a 95 %
        interval ``lower, upper`` (Clopper and Pearson) and standard error ``mcse`` of the simulation; ``width``, the
        mean one of intervals of level ``1 - alpha``, and their ``coverage``; ``bias`` of the estimate. Of the
        estimates for which it is rejected ``type_s`` is the share that have the wrong sign, and ``type_m`` the mean
        factor by which they are too large (Gelman and Carlin 2014). ``singular`` and ``failed`` are shares of the
        fits; a fit that failed rejects nothing. ``replicates`` is the number of data sets.
        """
        return described(self.replicates, self.observations, self.alpha)

    def needed(self, power: float = 0.8, *, along: str | None = None) -> pd.DataFrame:
        """The size that a power takes, interpolated between those simulated.

        Parameters
        ----------
        power : wanted.
        along : the size that is asked for, ``"Subject"`` or ``"rows"``; by default the first that varies.

        Returns
        -------
        DataFrame
            One row a value of the other sizes: the size, rounded up, and ``lower, upper`` where the limits of the
            simulation's 95 % intervals reach the power. Infinite where it is not reached; the smallest size where that
            has it.
        """
        import pandas as pd

        check_level(power, "power")
        table = self.table
        name = self.along if along is None else along
        if name not in table.index.names:
            known = [str(own) for own in table.index.names if own is not None]
            raise SpecError(f"The study has no sizes `{name}`.{nearest(str(name), known)} Sizes: {', '.join(known)}.")
        flat = table.reset_index()
        others = [own for own in table.index.names if own != name]
        parts = flat.groupby(others, sort=False) if others else [((), flat)]
        rows = []
        for key, part in parts:
            own = part.dropna(subset="power").sort_values(name)
            size = own[name].to_numpy(float)
            found = [crossing(size, own[column].to_numpy(), power) for column in ("power", "upper", "lower")]
            rows.append([*(key if isinstance(key, tuple) else (key,)), *np.ceil(np.round(found, 6))])
        return pd.DataFrame(rows, columns=[*others, name, "lower", "upper"])

    @property
    def along(self) -> str:
        """The first size that has several values.

        Raises
        ------
        SpecError
            If none has.
        """
        index = self.table.index
        for name in index.names:
            if name is not None and index.get_level_values(str(name)).nunique() > 1:
                return str(name)
        raise SpecError('The study has a single size: give several, as n={"Subject": [10, 20, 40]}.')

    def __str__(self) -> str:
        return self.in_words()

    def in_words(self, power: float = 0.8) -> str:
        """The table, and the size that a power takes, in lines of 80 columns."""
        return text_of(self.table, self._heading(), self._advice(power))

    def _heading(self) -> list[str]:
        return [
            f"Power of the test of `{self.hypothesis}` at alpha = {self.alpha:g}",
            f"Test: {self.words}",
            f"Data: {self.source}",
        ]

    def _advice(self, power: float) -> Iterator[str]:
        try:
            name = self.along
        except SpecError:
            return
        for row in self.needed(power, along=name).to_dict("records"):
            beside = {key: value for key, value in row.items() if key not in {name, "lower", "upper"}}
            where = "".join(f" with {key} = {value:g}" for key, value in beside.items())
            limits = f"(simulation: {row['lower']:g} to {row['upper']:g})"
            is_reached = np.isfinite(row[name])
            what = f"A power of {power:g}"
            most = "at most " * (row[name] <= float(self.table.index.get_level_values(name).min()))
            takes = f"{what} takes {most}{name} = {row[name]:g}{where} {limits}."
            yield takes if is_reached else f"{what} is not reached{where}."


@explained
def power(  # noqa: PLR0913 - options of a study, named
    fit: Model | Fit,
    *,
    effect: Mapping[str, float] | None = None,
    n: Mapping[str, Sizes] | None = None,
    rows: Sizes | Mapping[str, Sizes] | None = None,
    test: str | None = None,
    df: str | None = None,
    statistic: str = "wald",
    alpha: float = 0.05,
    replicates: int = 500,
    seed: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> Power:
    """Power of a test and precision of an estimate, over numbers of groups and of rows, by simulation.

    Parameters
    ----------
    fit : whose parameters data are drawn from, with new random effects: an estimate (of a model its own); or a
        posterior, each data set at another draw, so that power is averaged over what is not known of the parameters
        (assurance).
    effect : parameters at other values, ``{"Days": 5.0, "sd(Subject, Intercept)": 20.0}``.
    n : numbers of levels of grouping factors, ``{"Subject": [10, 20, 40]}``. New levels are copies of present ones, as
        with `extend` of R's simr; what is nested in them is new as well.
    rows : numbers of rows in each level, of the factor of ``n`` or the only one; or by factor. Rows of present levels
        are repeated, or some taken that are spread over their predictors.
    test : name of a fixed effect or of a term, whose coefficients are tested for zero, or a comparison,
        ``"Days > 2"``; by default the fixed effect of ``effect``.
    df : degrees of freedom of Wald's test, as in every table of an estimate.
    statistic : ``"wald"`` (t, F, z), or ``"ratio"`` of likelihoods, against chi-square.
    alpha : of the test; intervals have level ``1 - alpha``.
    replicates : data sets of each size.
    seed : the same seed gives the same results, on any executor.
    executor : any ``concurrent.futures.Executor``; here, one after the other, if None.
    progress : show a bar with the time left.
    checkpoint : file in which what is finished is kept. A study that was stopped goes on from there.

    Returns
    -------
    Power
        ``print`` it; ``.table``, ``.needed(0.8)``, `bayesmix.plots.power`.

    Raises
    ------
    SpecError, DesignError
        If there is no such parameter, size or test.
    DataError
        If the checkpoint is another study's.

    References
    ----------
    Green and MacLeod (2016), SIMR: an R package for power analysis of generalized linear mixed models by simulation.
    """
    check_level(alpha, "alpha")
    if replicates < 2:
        raise SpecError(f"replicates={replicates}: at least two are needed.")
    source = fit.estimate() if isinstance(fit, Model) else fit
    if not isinstance(source, FitRecord):
        raise SpecError(f"power takes an estimate, a posterior or a model, not {type(fit).__name__} {fit!r:.80}.")
    if not isinstance(effect, Mapping | None):
        raise SpecError(f'effect={effect!r:.80}: values by the names of parameters are needed, {{"x": 0.3}}.')
    changes = dict(effect or {})
    _check_curves(changes)
    values = changed_parameters(source, changes)
    setting, words = _setting(source, _drawn(source.design, values, replicates, seed), changes, (test, df, statistic))
    sizes, inside = _sizes(source.design, n, rows)
    designs = [_resized(source.design, size, inside) for size in sizes]
    jobs, keys = _jobs(setting, sizes, designs, replicates, seed)
    study = fingerprint("power", flatten(source.design, values), *_told(source, setting), seed)
    kept = checkpoint_of(checkpoint, study, keys)
    results = in_order(run_batch, jobs, executor, label="Simulating", progress=progress, checkpoint=kept)
    parts = [list(chain(*results[k :: len(sizes)])) for k in range(len(sizes))]
    observations = by_size([[[design.n]] for design in designs], sizes, ["observations"])["observations"]
    return Power(
        by_size(parts, sizes, COLUMNS), observations, setting.hypothesis.text, words, _source(source, changes), alpha
    )


Asked = tuple[str | None, str | None, str]  # test, df, statistic


def _drawn(design: Design, values: Parameters, replicates: int, seed: int) -> Parameters:
    """Parameters of so many data sets: those of an estimate once, of a posterior different draws as far as they go.

    Of effects the curves of smooths are kept, which new data have as well; of groups one level, whose effects are new.
    """
    size = int(np.prod(values.lead))
    picks = np.random.default_rng([seed, 1]).permutation(size)[:replicates]
    has_curves = any(term.is_population for term in design.terms)
    b = tuple(own[..., :1, :] for own in values.b) if has_curves else ()
    return draws_at(replace(values, b=b), picks)


def _check_curves(changes: Mapping[str, float]) -> None:
    curve = next((name for name in changes if name.startswith("sds(")), None)
    if curve is not None:
        raise SpecError(
            f"`{curve}` decides nothing of new data, which have the curve of the fit. Fit data with the curve that you"
            " mean, and take their estimate."
        )


def _setting(source: Fit, values: Parameters, changes: Mapping[str, float], asked: Asked) -> tuple[Setting, str]:
    """What data come from and how they are tested, and words for the test."""
    test, df, statistic = asked
    if statistic not in STATISTICS:
        raise SpecError(f"There is no statistic `{statistic}`.{nearest(statistic, STATISTICS)} wald or ratio.")
    if statistic == "ratio" and df is not None:
        raise SpecError(f"df={df!r} is of Wald's test; the likelihood ratio has none.")
    estimate = estimate_again(source)
    hypothesis = read_hypothesis(source, _tested(source, changes) if test is None else test)
    words = "the likelihood ratio (chi-square)"
    if statistic == "ratio":
        without(source.design, hypothesis)  # where it cannot be tested so, this says why
    else:
        words = fixed_inference(estimate, df).words
        if len(hypothesis.L) > 1:
            words = words.replace("t distribution", "F distribution").replace("normal distribution (z)", "chi-square")
    return Setting(source.spec, estimate.point.method, values, hypothesis, df, statistic == "ratio"), words


def _tested(source: Fit, changes: Mapping[str, float]) -> str:
    """The fixed effect that was given another value."""
    own = [name for name in changes if name in source.design.layout.coefficients]
    if len(own) != 1:
        known = ", ".join(source.design.layout.coefficients)
        raise SpecError(f'Say what is tested: test="{source.design.layout.coefficients[-1]}". Fixed effects: {known}.')
    return own[0]


def _source(source: Fit, changes: Mapping[str, float]) -> str:
    kind = f"{source.method} estimate" if isinstance(source, EstimateRecord) else "posterior, a draw for each data set"
    text = ", ".join(f"{name} = {value:g}" for name, value in changes.items())
    rule = source.design.censoring_rule
    return kind + f", with {text}" * bool(changes) + f". {rule}" * bool(rule)


# ---- sizes ------------------------------------------------------------------------------------------------------


def _sizes(design: Design, n: Any, rows: Any) -> tuple[list[dict[str, int]], str]:
    """All combinations of numbers of levels and rows, the last varying fastest; and whose rows."""
    groups = _by_factor(design, n, "n") if n is not None else {}
    inside = _by_factor(design, rows, "rows", list(groups)) if rows is not None else {}
    if len(inside) > 1:
        raise SpecError(f"rows= is of one grouping factor, not of {', '.join(inside)}.")
    names = groups | dict(zip([ROWS], inside.values(), strict=False))
    return [dict(zip(names, own, strict=True)) for own in product(*names.values())], "".join(inside)


def _by_factor(design: Design, given: Any, name: str, factors: Sequence[str] = ()) -> dict[str, list[int]]:
    """Sizes by grouping factor, in order."""
    every = list(factors_of(design))
    if not isinstance(given, Mapping):
        known = list(factors) or every
        if not known:
            raise SpecError(f"{name}={given!r}: the model has no grouping factor whose size could be another.")
        if len(known) != 1:
            example = f'{name}={{"{known[0]}": [10, 20]}}'
            raise SpecError(f"{name}={given!r}: say of which grouping factor, {example}.")
        given = {known[0]: given}
    found = {}
    for factor, sizes in given.items():
        if factor not in every:
            names = f"Factors: {', '.join(every)}." if every else "The model has none."
            raise SpecError(f"`{factor}` is not a grouping factor.{nearest(factor, every)} {names}")
        own = sizes if isinstance(sizes, Sequence) and not isinstance(sizes, str) else [sizes]
        found[factor] = sorted({whole_number(size, name) or 0 for size in own})
    return found


def _resized(design: Design, size: Mapping[str, int], inside: str) -> Design:
    for name, count in size.items():
        design = resize_rows(design, inside, count) if name == ROWS else resize_levels(design, name, count)
    return design


def _jobs(
    setting: Setting, sizes: Sequence[Mapping[str, int]], designs: Sequence[Design], replicates: int, seed: int
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Batches of replicates, of all sizes in turn, and their keys."""
    draws = setting.values.lead[0]
    labels = [" ".join(f"{name}={count}" for name, count in size.items()) for size in sizes]
    seeds = [
        np.random.SeedSequence([seed, crc32(label.encode())]).generate_state(replicates, np.uint64) for label in labels
    ]
    jobs, keys = [], []
    for begin in range(0, replicates, BATCH):
        own = range(begin, min(begin + BATCH, replicates))
        for label, design, numbers in zip(labels, designs, seeds, strict=True):
            picks = [i % draws for i in own]
            jobs.append((setting, design, picks, [int(numbers[i]) for i in own]))
            keys.append(f"{label} {begin}-{own.stop}")
    return jobs, keys


def _told(source: Fit, setting: Setting) -> Iterator[Any]:
    """What results depend on beside the seed and the sizes."""
    yield from parts_of_model(source.spec, source.design)
    yield from (setting.method, setting.hypothesis.L, setting.hypothesis.null, setting.hypothesis.sign)
    yield from (setting.df, setting.is_ratio)
