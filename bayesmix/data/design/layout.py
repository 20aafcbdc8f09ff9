"""Layout of a design: names, codings and what new data need to become its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bayesmix.data.design.evaluate import Learnt
from bayesmix.data.design.inputs import FittedKind, Source
from bayesmix.data.design.matrix import ModelMatrix
from bayesmix.data.design.residual_blocks import ResidualStructure
from bayesmix.data.design.response import ResponseKind, outcome_texts
from bayesmix.data.design.term import TermEncoder
from bayesmix.errors import DesignError
from bayesmix.language.families.family import Parameter
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.formula.additions import NOTHING, Additions
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.imputed_predictors import MISSING, VALUE, known_text
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read

NUMBER = Formula("", "1", ())  # that of a parameter without one


@dataclass(frozen=True, slots=True)
class Part:
    """What a formula of a model is of: the mean of a response, or another parameter of its distribution."""

    formula: Formula
    prefix: str = ""  # of the names of its coefficients: "sigma_"
    kind: ResponseKind | None = "numeric"  # how its response is read; None: its response is that of an earlier part
    number: Link | None = None  # of a parameter without a formula, one number for all rows, called by the prefix
    is_residual: bool = False  # whether that is a correlation of residuals
    is_threshold: bool = False  # a fixed effect, one number for all rows, called by the prefix
    is_monotonic: bool = False  # the same of a monotonic effect
    simplex: str = ""  # what a parameter without a formula is a share of
    has_intercept: bool = True  # False: thresholds are in its place
    slope: str = ""  # "mi(z)", of which it is the slope
    copied: int | None = None  # the response whose values it has, zero where they are missing

    def name(self, column: str) -> str:
        """What a column of it is called."""
        return self.prefix if self.number or self.is_threshold or self.is_monotonic else self.prefix + column


def parts_of(spec: ModelSpec) -> list[Part]:
    """The parts of a model, one for each linear predictor of a row."""
    parts, copies = [], copied_responses(spec)
    for one in spec.parameters:
        family = spec.responses[one.response].family
        kind = family.response if one.parameter == 0 else None
        match one:
            case Predictor(formula=formula, prefix=prefix):
                own, parameter = formula if kind else replace(formula, response=""), family.parameters[one.parameter]
                slope, copied = slope_name(parameter), copies.get((one.response, one.parameter))
                part = Part(own, prefix, kind, has_intercept=parameter.has_intercept, slope=slope, copied=copied)
                parts.append(part)
            case Auxiliary(name=name, is_threshold=True):
                parts.append(Part(NUMBER, name, kind, is_threshold=True))
            case Auxiliary(name=name, is_monotonic=True):
                parts.append(Part(NUMBER, name, kind, is_monotonic=True))
            case Auxiliary(name=name, link=link, simplex=simplex):
                parts.append(Part(NUMBER, name, kind, link, simplex=simplex))
    parts += [Part(NUMBER, one.name, None, LINKS["logit"], is_residual=True) for one in spec.residual_correlations]
    return parts


def dot_of(parts: Sequence[Part], names: Sequence[str]) -> tuple[str, ...]:
    """What ``.`` stands for: the columns that no response uses."""
    means = [part.formula for part in parts if part.kind is not None]
    used = {name for one in means for name in (*column_names(read(one.response)), *one.additions.columns)}
    return tuple(name for name in names if name not in used)


def slope_name(parameter: Parameter) -> str:
    """What a parameter is the slope of: ``mi(z)``; nothing elsewhere."""
    return parameter.name if parameter.is_slope else ""


def copied_responses(spec: ModelSpec) -> dict[tuple[int, int], int]:
    """Which response's values are a parameter of another one, by positions of that and of the parameter."""
    return {
        (i, spec.responses[i].family.slopes.places(k)[1]): parent
        for i, parents in spec.imputed.items()
        for k, parent in enumerate(parents)
    }


@dataclass(frozen=True, slots=True, eq=False)
class PredictorEncoder:
    """How the columns of one linear predictor are made from data."""

    prefix: str
    fixed: ModelMatrix
    offsets: tuple[str, ...]  # expressions, those of the formula


@dataclass(frozen=True, slots=True, eq=False)
class ResponseEncoder:
    """How a response is read from data."""

    text: str
    kind: ResponseKind
    additions: Additions = NOTHING

    def texts(self, weights: str | None) -> tuple[str, ...]:
        """Expressions that its values are made of, ``weights`` those of the whole model."""
        if self.additions.is_imputed:
            return known_text(self.text, VALUE), known_text(self.text, MISSING)
        return outcome_texts(self.text, self.kind, weighted=bool(weights), trials=self.additions.trials)


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """What new data need to become rows of the design: learnt at the fit, small, without the data."""

    predictors: tuple[PredictorEncoder, ...]
    responses: tuple[ResponseEncoder, ...]
    terms: tuple[TermEncoder, ...]  # in the order of the design's terms
    kinds: Mapping[str, FittedKind | None]  # of columns, None for numbers; not of those that are only grouping factors
    memory: Mapping[str, Learnt]  # what `scale`, splines and the like learnt, by the text of the call
    weights: str | None  # expressions; `(weights)` and `(offset)` stand for arrays
    offset: str | None  # added to the first predictor
    beside: int = 0  # numbers of a residual structure: last among the columns, zero in all rows

    @property
    def fixed(self) -> ModelMatrix:
        """The columns of the first predictor."""
        return self.predictors[0].fixed

    @property
    def offsets(self) -> tuple[tuple[str, ...], ...]:
        """Expressions that are added to each predictor."""
        given = () if self.offset is None else (self.offset,)
        return tuple((*one.offsets, *(given if r == 0 else ())) for r, one in enumerate(self.predictors))


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a design is apart from its rows."""

    response: str  # label of the response as written: "ncases", "cbind(s, f)"; of several, separated by commas
    prefixes: tuple[str, ...]  # of the names of the R predictors' coefficients: ("", "sigma_")
    fixed: tuple[str, ...]  # p names in R's coding: "Intercept", "ncontrols", "period2", "alcgp.L", "sigma_Days"
    owners: tuple[int, ...]  # (p,) the predictor that each is of
    numbers: Mapping[int, Link] = field(default_factory=dict)  # predictors of parameters without a formula, their links
    residual: tuple[int, ...] = ()  # those that are (1 + partial correlation) / 2 of residuals, number by number
    structure: ResidualStructure | None = None  # of residuals of one response, whose numbers are of no row's predictor
    copied: Mapping[int, int] = field(default_factory=dict)  # predictors that are the values of a response, and which
    slopes: Mapping[int, str] = field(default_factory=dict)  # predictors that are slopes, of what: "mi(z)"
    thresholds: tuple[int, ...] = ()  # predictors that are one number for all rows and fixed effects by their own names
    monotonic: tuple[int, ...] = ()  # those that are sizes of monotonic effects
    simplexes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of their shares, but the last of each
    dropped: tuple[str, ...] = ()  # columns of X left out because they depend linearly on others
    encoder: Encoder | None = None  # codes new data; None in a design made by hand
    source: Source | None = None  # builds the design again; None in a design made by hand

    @property
    def R(self) -> int:
        """Number of linear predictors of a row."""
        return len(self.prefixes)

    def fixed_of(self, predictor: int) -> list[str]:
        """Names of the fixed effects of a predictor."""
        return [name for name, owner in zip(self.fixed, self.owners, strict=True) if owner == predictor]

    @property
    def constants(self) -> set[int]:
        """Predictors without a formula, one number for all rows, called by their prefix."""
        return {*self.numbers, *self.single}

    @property
    def single(self) -> set[int]:
        """Those of them that are fixed effects."""
        return {*self.thresholds, *self.monotonic}

    @property
    def coefficients(self) -> list[str]:
        """Names of the fixed effects that formulas have: without parameters that are one number for all rows."""
        return [name for name, owner in zip(self.fixed, self.owners, strict=True) if owner not in self.numbers]


def check_names(fixed: Sequence[str], terms: Sequence[TermEncoder]) -> None:
    """Refuse two parameters of the same name."""
    twice = _twice(fixed)
    if twice:
        advice = "Rename the column or the level of the factor that make the same name."
        raise DesignError(f"Two columns of the fixed part are named `{twice}`. {advice}")
    for group in dict.fromkeys(term.group for term in terms):
        if len({id(term.relation) for term in terms if term.group == group}) > 1:
            what = f"Levels of `{group}` are related in one way by one term, in another or not at all by another term."
            raise DesignError(f"{what} Make a copy of the column, as in (1 | gr({group}, cov = A)) + (1 | {group}2).")
        twice = _twice([effect for term in terms if term.group == group for effect in term.effects])
        if twice:
            what = f"The effect `{twice}` occurs twice for the grouping factor `{group}`."
            raise DesignError(f"{what} Write one bar, or start one with `0 +`.")


def _twice(names: Sequence[str]) -> str | None:
    return next((name for j, name in enumerate(names) if name in names[:j]), None)
