"""Model matrices: terms and variables to named columns, coded as R's ``model.matrix`` does.

R decides for each factor of each term whether contrasts or one column a level are needed (Chambers and Hastie 1992,
*Statistical Models in S*, p. 38): contrasts, if an earlier term contains all the other variables of the term. Without
an intercept the first factor of the first term that has one gets a column a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import islice, product
from math import prod

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import CodedFactor, Factor, Matrix, Numeric, SmoothColumns, Variable, drop_unused
from bayesmix.data.design.contrasts import Contrast, contrast, full_dummies
from bayesmix.data.memory import too_much
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.terms import Terms

Named = tuple[str, Callable[[], Array]]  # a column's name and what makes it

INTERCEPT = "Intercept"
EXACT = 1e-9  # of numbers: what is smaller is rounding, also where columns depend exactly on others
CLEAR = 1e-6  # eigenvalue of inner products of columns of length one from which on no column depends on others
COLLINEAR = 1e-7  # R's tolerance: the share of a column's length that must be orthogonal to the columns before it


@dataclass(frozen=True, slots=True, eq=False)
class ModelMatrix:
    """How the columns are made from the variables; with a fit's variables and codings it works for new data."""

    terms: Terms
    codings: Mapping[str, Contrast]  # of each factor, where contrasts apply
    full: frozenset[tuple[int, int]]  # (term, variable) pairs coded with one column a level
    names: tuple[str, ...]  # of the columns kept
    kept: tuple[int, ...]  # their positions among all columns
    dropped: tuple[int, ...] = ()  # positions of the d columns that depend linearly on those kept
    alias: Array | None = None  # (p, d) how: dropped columns are the kept ones times this
    tolerance: float = 0.0  # part of a row's own numbers that may be rounding
    implies_intercept: bool = False  # whether a column of ones that is not among them goes with those kept
    assign: tuple[int, ...] = ()  # the term of every column, dropped ones too; -1 of the intercept

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each kept column is made of numbers alone; of the intercept False."""
        numbers = [not any(self.terms.variables[v] in self.codings for v in term) for term in self.terms.terms]
        return tuple(self.assign[j] >= 0 and numbers[self.assign[j]] for j in self.kept)

    def columns_of(self, term: int) -> list[int]:
        """The kept columns of a term."""
        return [j for j, column in enumerate(self.kept) if self.assign[column] == term]


def learn_matrix(terms: Terms, variables: Mapping[str, Variable], contrasts: Mapping[str, str]) -> ModelMatrix:
    """Decide how the factors of the terms are coded.

    Parameters
    ----------
    terms
        From `bayesmix.language.formula.terms.expand`.
    variables
        Values by the text of each variable, without missing values.
    contrasts
        Names of contrasts by variable, where they are not the defaults: treatment, and poly for ordered factors.

    Returns
    -------
    ModelMatrix
        With all columns, also those that depend linearly on others; see `independent`.
    """
    _check_size(terms, variables)
    codings = {name: _coding(name, variables[name], contrasts) for name in terms.used if _is_factor(variables[name])}
    matrix = ModelMatrix(terms, codings, _full(terms, codings), (), ())
    names = tuple(name for name, _ in _columns(matrix, variables, 0))
    return replace(matrix, names=names, kept=tuple(range(len(names))), assign=tuple(_assign(matrix, variables)))


def with_all_levels(matrix: ModelMatrix, variables: Mapping[str, Variable]) -> ModelMatrix:
    """The recipe with a column for every level of every factor, which depend on each other."""
    full = ((t, v) for t, term in enumerate(matrix.terms.terms) for v in term)
    return _recoded(matrix, variables, matrix.codings, frozenset(full))


def with_treatment(matrix: ModelMatrix, variables: Mapping[str, Variable]) -> ModelMatrix:
    """The recipe with treatment contrasts wherever there are contrasts; also of columns that were left out."""
    codings = {name: contrast("treatment", coding.levels) for name, coding in matrix.codings.items()}
    return _recoded(matrix, variables, codings, matrix.full)


def without_term(matrix: ModelMatrix, variables: Mapping[str, Variable], term: int) -> ModelMatrix:
    """The recipe of the formula without a term, whose factors may be coded otherwise; with all its columns."""
    others = tuple(one for t, one in enumerate(matrix.terms.terms) if t != term)
    terms = replace(matrix.terms, terms=others)
    codings = {name: coding for name, coding in matrix.codings.items() if name in terms.used}
    return _recoded(replace(matrix, terms=terms), variables, codings, _full(terms, codings))


def _recoded(
    matrix: ModelMatrix,
    variables: Mapping[str, Variable],
    codings: Mapping[str, Contrast],
    full: frozenset[tuple[int, int]],
) -> ModelMatrix:
    bare = ModelMatrix(matrix.terms, codings, full, (), ())
    coded = {name: _recode(name, variables[name], coding) for name, coding in codings.items()}
    names = tuple(name for name, _ in _columns(bare, {**variables, **coded}, 0))
    assign = tuple(_assign(bare, variables))
    return replace(bare, names=names, kept=tuple(range(len(names))), assign=assign)


def assemble(matrix: ModelMatrix, variables: Mapping[str, Variable], n: int) -> Array:
    """Return the (n, p) columns kept; nothing larger than the result is made.

    Raises
    ------
    DataError
        If a factor has a level that it did not have in the fit.
    """
    return _chosen(matrix, variables, n, matrix.kept)


def outside(matrix: ModelMatrix, variables: Mapping[str, Variable], X: Array) -> Array:
    """Return what the fit's data do not tell of rows: (n, d) parts outside the row space of the fit's full matrix.

    A column that depended linearly on others in the fit need not do so in other rows. Where it does, a row is a
    combination of rows of the fit and its value is known, whichever columns were left out (R's estimability).
    """
    if matrix.alias is None:
        return np.zeros((len(X), 0))
    X = np.column_stack([np.ones(len(X)), X]) if matrix.implies_intercept else X
    rest, size = _rest(_chosen(matrix, variables, len(X), matrix.dropped), X, matrix.alias)
    return np.where(np.abs(rest) > matrix.tolerance * size, rest, 0.0)


def _rest(dropped: Array, kept: Array, alias: Array) -> tuple[Array, Array]:
    """Return what of dropped columns the kept ones do not make, and the size of the numbers that it is left of."""
    return dropped - kept @ alias, np.abs(dropped) + np.abs(kept) @ np.abs(alias)


def _chosen(matrix: ModelMatrix, variables: Mapping[str, Variable], n: int, chosen: Sequence[int]) -> Array:
    coded = {name: _recode(name, variables[name], coding) for name, coding in matrix.codings.items()}
    X = np.empty((n, len(chosen)))
    place = {column: j for j, column in enumerate(chosen)}
    for position, (_, column) in enumerate(_columns(matrix, {**variables, **coded}, n)):
        if position in place:
            X[:, place[position]] = column()
    return X


def independent(X: Array) -> tuple[int, ...]:
    """Return the columns that do not depend linearly on those kept before them, as the pivots of R's ``qr`` do.

    Parameters
    ----------
    X
        (n, p).

    Notes
    -----
    The triangle of a QR decomposition has the same inner products as X, so that the choice is made on p x p numbers.
    """
    if _are_clearly_independent(X):
        return tuple(range(X.shape[1]))
    triangle = np.linalg.qr(X, mode="r") if X.size else np.zeros((0, X.shape[1]))
    basis = np.zeros((len(triangle), 0))
    kept = []
    for j, column in enumerate(triangle.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > COLLINEAR * np.linalg.norm(column):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(j)
    return tuple(kept)


def _are_clearly_independent(X: Array) -> bool:
    """Whether the inner products of columns of length one, a tenth of the work, say so beyond any rounding.

    What others leave of a column is no shorter than the root of their smallest eigenvalue.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        products = X.T @ X
    size = np.sqrt(np.diagonal(products))
    if not (X.size and np.all(np.isfinite(products)) and np.all(size > 0.0)):
        return False
    return bool(np.linalg.eigvalsh(products / size / size[:, None])[0] > CLEAR)


def keep(matrix: ModelMatrix, columns: Sequence[int], X: Array) -> ModelMatrix:
    """Return the recipe of the columns that are independent, which remembers how all columns X depend on them."""
    others = [j for j in range(X.shape[1]) if j not in columns]
    size = np.sqrt(np.sum(X**2, axis=0))
    size = np.where(size > 0.0, size, 1.0)
    triangle = np.linalg.qr(X / size, mode="r")
    alias = np.linalg.lstsq(triangle[:, list(columns)], triangle[:, others], rcond=None)[0]
    alias[np.abs(alias) < EXACT] = 0.0
    alias = alias * size[others] / size[list(columns)][:, None]
    rest, of = _rest(X[:, others], X[:, list(columns)], alias)
    rounding = float(np.max(np.abs(rest) / np.where(of > 0.0, of, 1.0), initial=0.0))
    return replace(
        matrix,
        names=tuple(matrix.names[j] for j in columns),
        kept=tuple(matrix.kept[j] for j in columns),
        dropped=tuple(matrix.kept[j] for j in others),
        alias=alias,
        tolerance=max(EXACT, 10.0 * rounding),
    )


def without_intercept(matrix: ModelMatrix) -> ModelMatrix:
    """The recipe without the intercept, its first column, in whose place something else is the same in all rows."""
    return replace(
        matrix,
        names=matrix.names[1:],
        kept=matrix.kept[1:],
        implies_intercept=True,
    )


def of_slope(matrix: ModelMatrix) -> ModelMatrix:
    """The recipe of a slope's columns, called by what they are multiplied with: nothing, or ``:x``."""
    return replace(matrix, names=tuple("" if name == INTERCEPT else f":{name}" for name in matrix.names))


def _is_factor(value: Variable) -> bool:
    return isinstance(value, Factor | CodedFactor)


def _check_size(terms: Terms, variables: Mapping[str, Variable]) -> None:
    """Refuse factors of so many levels that neither their contrasts nor the columns fit into memory."""
    widths = {name: _width(variables[name]) for name in terms.used}
    n = max((_length(variables[name]) for name in terms.used), default=0)
    columns = sum(prod(widths[terms.variables[v]] for v in term) for term in terms.terms)
    of_factors = [width**2 for name, width in widths.items() if _is_factor(variables[name])]
    size = too_much(max([columns * n, columns**2, *of_factors]))
    if size is not None:
        widest = max(widths, key=lambda name: widths[name])
        if columns > 2 * widths[widest]:
            raise DesignError(
                f"The {columns} columns of the terms would take {size}. Interact factors of fewer levels."
            )
        what = f"`{widest}` has {widths[widest]} levels: its columns for {n} rows would take {size}."
        raise DesignError(f"{what} Levels that are a sample of many belong in a random effect: `(1 | {widest})`.")


def _width(value: Variable) -> int:
    match value:
        case Matrix(values=values):
            return int(values.shape[1])
        case SmoothColumns(names=names):
            return len(names)
        case CodedFactor(factor=factor) | (Factor() as factor):
            return int(np.count_nonzero(np.bincount(factor.codes[factor.codes >= 0])))
    return 1


def _length(value: Variable) -> int:
    match value:
        case Numeric(values=values) | Matrix(values=values) | SmoothColumns(fixed=values):
            return len(values)
        case CodedFactor(factor=factor) | (Factor() as factor):
            return len(factor.codes)


def _coding(name: str, value: Variable, contrasts: Mapping[str, str]) -> Contrast:
    if isinstance(value, CodedFactor):
        levels = drop_unused(value.factor).levels
        return _contrast(name, value.contrast, levels, value.base)
    assert isinstance(value, Factor)
    default = "poly" if value.kind == "ordered" else "treatment"
    return _contrast(name, contrasts.get(name, default), drop_unused(value).levels)


def _contrast(name: str, kind: str, levels: Sequence[str], base: int = 1) -> Contrast:
    if len(levels) < 2:
        raise DesignError(
            f"`{name}` has the single level `{''.join(levels)}` in the rows used. Remove it from the formula."
        )
    return contrast(kind, levels, base)


def _full(terms: Terms, codings: Mapping[str, Contrast]) -> frozenset[tuple[int, int]]:
    """Return the (term, variable) pairs that are coded with one column a level."""
    found = set()
    for t, term in enumerate(terms.terms):
        earlier = [set(other) for other in terms.terms[:t]]
        for v in term:
            others = set(term) - {v}
            if others and not any(others <= other for other in earlier):
                found.add((t, v))
    factors = ((t, v) for t, term in enumerate(terms.terms) for v in term if terms.variables[v] in codings)
    if not terms.intercept:
        found.update(islice(factors, 1))
    return frozenset(found)


def _columns(matrix: ModelMatrix, variables: Mapping[str, Variable], n: int) -> Iterator[Named]:
    """Yield name and maker of every column; in an interaction the first variable varies fastest."""
    if matrix.terms.intercept:
        yield INTERCEPT, partial(np.ones, n)
    for t, term in enumerate(matrix.terms.terms):
        pieces = [_pieces(matrix, (t, v), variables) for v in term]
        for combination in product(*reversed(pieces)):
            names, makers = zip(*reversed(combination), strict=True)
            yield ":".join(names), partial(_product, makers)


def _assign(matrix: ModelMatrix, variables: Mapping[str, Variable]) -> Iterator[int]:
    """The term of each column, in the order of `_columns`."""
    if matrix.terms.intercept:
        yield -1
    for t, term in enumerate(matrix.terms.terms):
        yield from [t] * prod(len(_pieces(matrix, (t, v), variables)) for v in term)


def _product(makers: Sequence[Callable[[], Array]]) -> Array:
    return reduce(np.multiply, (make() for make in makers))


def _pieces(matrix: ModelMatrix, place: tuple[int, int], variables: Mapping[str, Variable]) -> list[Named]:
    """Return the columns that one variable brings to one term."""
    name = matrix.terms.variables[place[1]]
    match variables[name]:
        case Numeric(values=values):
            return [(name, partial(np.asarray, values))]
        case Matrix(values=values, suffixes=suffixes):
            endings = suffixes if len(suffixes) > 1 else ("",)
            return [(name + ending, partial(np.take, values, j, 1)) for j, ending in enumerate(endings)]
        case SmoothColumns(fixed=values, names=names):
            return [(own, partial(np.take, values, j, 1)) for j, own in enumerate(names)]
        case Factor(codes=codes) | CodedFactor(factor=Factor(codes=codes)):
            coding = matrix.codings[name]
            coding = full_dummies(coding.levels) if place in matrix.full else coding
            columns = zip(coding.suffixes, coding.matrix.T, strict=True)
            return [(name + ending, partial(np.take, column, codes)) for ending, column in columns]


def _recode(name: str, value: Variable, coding: Contrast) -> Factor:
    """Return a factor with the levels of the fit."""
    factor = value.factor if isinstance(value, CodedFactor) else value
    assert isinstance(factor, Factor)
    if factor.levels == coding.levels:
        return factor
    position = {level: j for j, level in enumerate(coding.levels)}
    unseen = [factor.levels[j] for j in np.unique(factor.codes) if factor.levels[j] not in position]
    if unseen:
        known = ", ".join(f"`{level}`" for level in coding.levels[:20])
        found = ", ".join(f"`{level}`" for level in unseen[:20])
        raise DataError(f"`{name}` has levels not seen in fitting: {found}. The fit knows {known}.")
    moved = np.array([position.get(level, -1) for level in factor.levels])
    return Factor(moved[factor.codes], coding.levels, factor.kind)
