"""Design to PyMC: the hierarchical model with LKJ-correlated random effects, named dims and coords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.centring import inverse, is_centred
from bayesmix.inference.parameters.correlation import Correlation, OneNumber
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.distance_correlation import ByDistance
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.parameters.spectral_covariance import Spectral
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz
from bayesmix.inference.sampling.nuts.numbers import split_priors, stick
from bayesmix.inference.sampling.nuts.pymc_likelihood import add_responses, correlations_of, responses_of
from bayesmix.language.families.namespaces import symbolic
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import Prior


def term_label(terms: Sequence[Term], t: int) -> str:
    """Name of a term: its group, with a number from the second term of a group on (lme4's ``Subject.1``)."""
    before = sum(term.group == terms[t].group for term in terms[:t])
    return terms[t].group + (f".{before}" if before else "")


MOST_RELATED = 2_000  # levels whose relation is multiplied by in each step of NUTS
RESERVED = {"chain", "draw", "fixed", "obs", "X", "offset", "weights", "fixef", "fixef_centred"}
RESERVED |= {"sigma", "shape", "y", "eta"}
PREFIXES = ("eta_", "fixed_", "X_", "offset_", "weights_", "sigma_", "shape_")  # of rows with several predictors


def level_dim(label: str) -> str:
    """Name of the dimension of a grouping factor's levels: its own, unless something else is called so."""
    return f"{label}_level" if label in RESERVED or label.startswith(PREFIXES) else label


def to_pymc(design: Design, spec: ModelSpec, priors: Priors) -> Any:
    """Build the ``pm.Model``.

    Free variables: the fixed effects at centred predictors, standard deviations, partial correlations whose Beta
    distributions make the correlation matrix LKJ, standard normal ``z_*`` from which the random effects follow, and
    parameters that are one number for all rows. Deterministics carry the names of `Posterior.data`: ``fixef,
    sd_<group>, corr_<group>, ranef_<group>``; where a row has several linear predictors, these are ``eta,
    eta_sigma, ...``.
    """
    import pymc as pm

    check_codes(design)
    labels = [term_label(design.terms, t) for t in range(len(design.terms))]
    with pm.Model(coords=coordinates(design, labels)) as model:
        beta, numbers = _parameters(design, priors)
        eta = _fixed_parts(design, beta)
        unit = numbers.get(priors.dispersion_name)
        scales = {group: _scale(group, prior) for group, prior in priors.df.items()}
        for t, term in enumerate(design.terms):
            b = _effects(term, labels[t], priors, t, (unit, 1.0 if term.is_normal else scales[term.group]))
            for r, part in _random_parts(design, term, labels[t], b).items():
                eta[r] = eta[r] + part
        if design.R > 1:
            single = design.layout.single
            eta = {
                r: own if r in single else pm.Deterministic(_named("eta", design, r), own, dims="obs")
                for r, own in eta.items()
            }
        for name, columns, _ in priors.simplexes:
            pm.Deterministic(name, _shares([numbers[stick(priors.names[j])] for j in columns]))
        add_responses(responses_of(design, spec, eta, numbers), correlations_of(design, spec, numbers))
    return model


def _shares(sticks: Sequence[Any]) -> Any:
    """All shares of a simplex, from what each takes of what those before it leave."""
    import pytensor.tensor as pt

    left, shares = pt.ones(()), []
    for taken in sticks:
        shares.append(taken * left)
        left = left * (1.0 - taken)
    return pt.stack([*shares, left])


def check_codes(design: Design) -> None:
    """Compiled code does not check indices: one out of range reads foreign memory.

    Raises
    ------
    SpecError
        If related levels are so many that their relation is too large for the gradients of NUTS.
    """
    for term in design.terms:
        if term.relation is not None and len(term.levels) > MOST_RELATED:
            raise SpecError(
                f"{len(term.levels)} related levels of `{term.group}` are more than NUTS takes, {MOST_RELATED}: each"
                " step multiplies by their relation. Gaussian models have the exact sampler,"
                ' model.sample(method="marginal").'
            )
        if term.codes.min(initial=0) < 0 or term.codes.max(initial=0) >= len(term.levels):
            raise IndexError(f"level codes of `{term.group}` are outside 0..{len(term.levels) - 1}")


def columns_of(design: Design, term: Term) -> list[Array]:
    """Columns ``(n,)`` of a term's effects, each on the rows of the linear predictor that it is in."""
    owners = term.owners or (0,) * len(term.effects)
    return [term.z[design.block(r), e] for e, r in enumerate(owners)]


def members_of(design: Design, term: Term) -> list[tuple[Array, list[Array]]]:
    """The level of each row ``(n,)`` and the columns of a term's effects, one pair for each membership of the rows."""
    if term.slots == 1:
        return [(term.codes[: design.n], columns_of(design, term))]
    places = [slice(slot * design.n, (slot + 1) * design.n) for slot in range(term.slots)]
    return [(term.codes[place], list(term.z[place].T)) for place in places]


def coordinates(design: Design, labels: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Names of the fixed effects, the rows, the levels and the effects, by dimension."""
    coords: dict[str, Sequence[Any]] = {"fixed": design.layout.coefficients, "obs": list(range(design.n))}
    if design.R > 1:
        coords |= {
            _fixed_dim(design, r): [design.fixed[j] for j in design.of_predictor(r)]
            for r in formulas(design)
            if r not in design.layout.single
        }
    for label, term in zip(labels, design.terms, strict=True):
        coords[level_dim(label)] = list(term.levels)
        coords[f"{label}_effect"] = list(term.effects)
    return coords


def formulas(design: Design) -> list[int]:
    """Linear predictors that have a formula: those of the other parameters are one number."""
    return [r for r in range(design.R) if r not in design.layout.numbers]


def _named(what: str, design: Design, predictor: int) -> str:
    """Name of something of a linear predictor: ``X``, ``X_sigma``; of several responses ``X_a``."""
    return f"{what}_{design.layout.prefixes[predictor]}".removesuffix("_")


def _fixed_dim(design: Design, predictor: int) -> str:
    """Name of the dimension of the fixed effects of a linear predictor."""
    if design.R == 1:
        return "fixed"
    return _named("fixed", design, predictor) if design.layout.prefixes[predictor] else "fixed_mu"


def _parameters(design: Design, priors: Priors) -> tuple[Any, dict[str | None, Any]]:
    """Coefficients of formulas and, by name, the parameters that are one number for all rows."""
    import pymc as pm
    import pytensor.tensor as pt

    split = split_priors(priors)
    own = _vector("fixef_centred", split.fixed) if split.fixed else pt.zeros(0)
    numbers: dict[str | None, Any] = {one.name: _scalar(one.name, one.prior) for one in split.numbers}
    to_zero = np.linalg.inv(priors.contrast)[np.ix_(split.coefficients, split.coefficients)]
    return pm.Deterministic("fixef", pt.dot(to_zero, own), dims="fixed"), numbers


def _fixed_parts(design: Design, beta: Any) -> dict[int, Any]:
    """What the fixed effects and the offsets give to each linear predictor that has a formula: ``(n,)``."""
    import pymc as pm
    import pytensor.tensor as pt

    eta, begin = {}, 0
    for r in formulas(design):
        rows, columns = design.block(r), design.of_predictor(r)
        own = beta[begin : (begin := begin + len(columns))]
        if r in design.layout.single:
            eta[r] = own[0]
            continue
        eta[r] = pm.Data(_named("offset", design, r), design.offset[rows], dims="obs")
        if columns:
            X = pm.Data(_named("X", design, r), design.X[rows, columns], dims=("obs", _fixed_dim(design, r)))
            eta[r] = eta[r] + pt.dot(X, own)
    return eta


def _random_parts(design: Design, term: Term, label: str, b: Any) -> dict[int, Any]:
    """What the effects ``(J, k)`` of a term give to each linear predictor that has some of them: ``(n,)``."""
    import pymc as pm

    found: dict[int, Any] = {}
    owned = {r: own for r in range(design.R) if (own := term.columns_of(r))}
    for slot, (level, columns) in enumerate(members_of(design, term), 1):
        name = label if slot == 1 else f"{label}_{slot}"
        codes = pm.Data(f"codes_{name}", level.astype(np.int64), dims="obs")
        z = pm.Data(f"columns_{name}", np.stack(columns, axis=1), dims=("obs", f"{label}_effect"))
        for r, own in owned.items():
            part = (z[:, own] * b[codes[:, None], own]).sum(axis=1)
            found[r] = found[r] + part if r in found else part
    return found


def _scale(group: str, prior: Above) -> Any:
    """The root of what multiplies the covariance of each level of a factor with t distributed effects: ``(J, 1)``."""
    import pymc as pm

    name, own = f"df_{group}", prior.prior
    if own.kind == "Uniform":
        df = _scalar(name, own)
    else:
        df = pm.Truncated(name, distribution(own.kind, list(map(np.float64, own.arguments))), lower=prior.bound)
    return pm.math.sqrt(pm.InverseGamma(f"mix_{group}", 0.5 * df, 0.5 * df, dims=level_dim(group)))[:, None]


def _effects(term: Term, label: str, priors: Priors, t: int, beside: tuple[Any, Any]) -> Any:
    """Random effects ``(J, k)`` of a term.

    Parameters
    ----------
    beside : the dispersion, and what each level is scaled by, ``(J, 1)``; one of normal effects.
    """
    import pymc as pm
    import pytensor.tensor as pt

    k, sd_priors, own = len(term.effects), priors.sd[t], priors.corr[t]
    name = f"sd_free_{label}"
    if len(sd_priors) > 1 or sd_priors[0].kind == "Decov":
        free = _vector(name, sd_priors, beside[0])
    else:
        free = pt.atleast_1d(_scalar(name, sd_priors[0]))
    sd = pt.broadcast_to(free, (k,)) if len(sd_priors) < k else free
    spherical = beside[1] * pm.Normal(f"z_{label}", 0.0, 1.0, dims=(level_dim(label), f"{label}_effect"))
    if term.relation is not None:
        root = term.relation.correlated(np.eye(len(term.levels)))
        spherical = pt.dot(pm.Data(f"relation_{label}", root), spherical)
    if not own:
        pm.Deterministic(f"sd_{label}", sd, dims=f"{label}_effect")
        b = spherical * sd
    else:
        family = structure_of(term).correlation
        numbers = _free(family, own, label)
        root = root_of(family, numbers)
        if is_centred(priors.changes[t]):
            root = pt.dot(inverse(priors.changes[t]), sd[:, None] * root)
            sd = pt.sqrt((root**2).sum(axis=1))
            root = root / sd[:, None]
        pm.Deterministic(f"sd_{label}", sd, dims=f"{label}_effect")
        pm.Deterministic(f"corr_{label}", _reported(family, numbers, pt.dot(root, root.T)))
        b = pt.dot(spherical, (sd[:, None] * root).T)
    return pm.Deterministic(f"ranef_{label}", b, dims=(level_dim(label), f"{label}_effect"))


def _free(family: Correlation, priors: Sequence[Prior], label: str) -> Any:
    """Free numbers ``(size,)`` of the correlations of a term."""
    import pymc as pm

    if not family.has_lkj:
        return _vector(f"range_free_{label}", priors)
    return 2.0 * pm.Beta(f"lkj_{label}", *family.beta(priors[0].arguments[0]), shape=family.size) - 1.0


def root_of(family: Correlation, numbers: Any) -> Any:
    """A root ``(k, k)`` of the correlation matrix of free numbers ``(size,)``, or of what stands in its place."""
    import pytensor.tensor as pt

    if isinstance(family, ByDistance):
        entries = family.decay(numbers, family.distances, symbolic())
        return pt.linalg.cholesky((entries + family.nugget * np.eye(family.k)) / (1.0 + family.nugget))
    if isinstance(family, Spectral):
        return pt.diag(family.entry(numbers[0], family.frequencies))
    rows, zero = family.rows(numbers, sqrt=pt.sqrt, one=pt.ones(())), pt.zeros(())
    return pt.stack([pt.stack([*row, *[zero] * (len(rows) - len(row))]) for row in rows])


def _reported(family: Correlation, free: Any, matrix: Any) -> Any:
    """The correlations that are parameters: pairs below the diagonal, column by column, or the one number.

    Correlations by lag; the range of those by distance, the length scale of a Gaussian process.
    """
    if isinstance(family, OneNumber):
        return family.rho(free)
    if isinstance(family, PositiveNumbers):
        return free
    if isinstance(family, Toeplitz):
        return matrix[1:, 0]
    column, row = np.triu_indices(family.k, 1)
    return matrix[row, column]


def _scalar(name: str, prior: Prior) -> Any:
    """One parameter on its own; numbers of Python's would be constants of single precision."""
    return distribution(prior.kind, [np.float64(value) for value in prior.arguments], name=name)


def _vector(name: str, priors: Sequence[Prior], unit: Any = None) -> Any:
    """Parameters ``(m,)``: one variable a kind of distribution, put together in order.

    ``unit`` is the dispersion parameter, which joint priors of standard deviations are relative to.
    """
    import pytensor.tensor as pt

    kinds = by_kind(name, priors)
    parts = [
        _together(own, priors[members[0]], len(members), unit)
        if kind == "Decov"
        else distribution(kind, list(arguments_of([priors[j] for j in members])), name=own, shape=len(members))
        for own, kind, members in kinds
    ]
    return parts[0] if len(parts) == 1 else pt.concatenate(parts)[in_order(kinds)]


def _together(name: str, prior: Prior, k: int, unit: Any) -> Any:
    """Standard deviations ``(k,)`` as rstanarm draws them: their size, and shares of their total variance."""
    import pymc as pm
    import pytensor.tensor as pt

    concentration, shape, scale = prior.arguments
    size = pm.Gamma(f"{name}_size", shape, 1.0 / scale) * (1.0 if unit is None else unit)
    if k == 1:
        return pt.atleast_1d(size)
    return size * pt.sqrt(k * pm.Dirichlet(f"{name}_share", np.full(k, concentration)))


def by_kind(name: str, priors: Sequence[Prior]) -> list[tuple[str, str, list[int]]]:
    """The vectors that stand for parameters in the PyMC model: name, kind of distribution, members."""
    kinds = dict.fromkeys(prior.kind for prior in priors)
    return [
        (
            name + ("" if len(kinds) == 1 else f"_{kind.lower()}"),
            kind,
            [j for j, prior in enumerate(priors) if prior.kind == kind],
        )
        for kind in kinds
    ]


def in_order(kinds: Sequence[tuple[str, str, list[int]]]) -> Array:
    """Where each parameter is among the vectors of `by_kind`, one after the other."""
    return np.argsort([member for _, _, members in kinds for member in members])


ARGUMENTS: dict[str, tuple[str, ...]] = {  # PyMC's names of the arguments of our priors
    "Normal": ("mu", "sigma"),
    "StudentT": ("nu", "mu", "sigma"),
    "Cauchy": ("alpha", "beta"),
    "Laplace": ("mu", "b"),
    "HalfNormal": ("sigma",),
    "HalfStudentT": ("nu", "sigma"),
    "HalfCauchy": ("beta",),
    "Exponential": ("lam",),
    "Gamma": ("alpha", "beta"),
    "InverseGamma": ("alpha", "beta"),
    "LogNormal": ("mu", "sigma"),
    "Uniform": ("lower", "upper"),
    "Beta": ("alpha", "beta"),
    "Flat": (),
    "HalfFlat": (),
}


def arguments_of(priors: Sequence[Prior]) -> Array:
    """Arguments of priors of one kind: ``(arguments, m)``."""
    return np.array([prior.arguments for prior in priors]).T


def distribution(kind: str, arguments: Sequence[Any], **options: Any) -> Any:
    """PyMC's distribution of a kind of prior: a variable of the model with a name, else on its own."""
    import pymc as pm

    make = getattr(pm, kind) if "name" in options else getattr(pm, kind).dist
    return make(**dict(zip(ARGUMENTS[kind], arguments, strict=True)), **options)
