"""Models whose rows have several linear predictors, with dense matrices: density, Laplace's criterion, quadrature.

Independent of the code under test: log densities by `scipy.stats`, derivatives by formula, one dense Hessian. A row has
`R` linear predictors ``eta_r = X_r beta_r + offset_r + sum_t z_tr b_t[codes_t]``. A response has one for its mean and,
where its family has one, one for the log of its auxiliary parameter (``sigma``, ``shape``); a parameter without a
formula has a column of ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from densities import MEAN, log_density
from scipy import stats
from scipy.linalg import block_diag
from scipy.special import digamma, expit, logsumexp, polygamma

Array = np.ndarray
type Derivatives = tuple[Array, Array, Array]  # value, gradient, Hessian; of rows (n,), (n, R), (n, R, R)


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Values of a response (NaN: none in this row), and which predictors are of its mean and auxiliary parameter."""

    y: Array
    family: str
    link: str
    mean: int
    auxiliary: int | None = None
    trials: Array | float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Random effects with a common covariance: `z[r]` are the ``(n, k)`` columns in predictor `r`, often zero."""

    codes: Array
    z: Sequence[Array]
    levels: int


@dataclass(frozen=True, slots=True, eq=False)
class DenseRows:
    """A model: fixed-effects columns ``(n, p_r)`` and offsets ``(n,)`` of each predictor, and its random effects."""

    responses: Sequence[Response]
    X: Sequence[Array]
    offsets: Sequence[Array]
    blocks: Sequence[Block] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Parameters: coefficients by predictor, covariance by block, correlation of the gaussian responses' residuals."""

    betas: Sequence[Array]
    covariances: Sequence[Array] = ()
    rescor: Array | None = None


# ---- one row ---------------------------------------------------------------------------------------------------------


def mean_of(link: str, eta: Array) -> Derivatives:
    """The mean and its first two derivatives by the predictor."""
    mu = MEAN[link](eta)
    match link:
        case "identity":
            return mu, np.ones_like(eta), np.zeros_like(eta)
        case "log":
            return mu, mu, mu
        case "logit":
            slope = mu * expit(-eta)
            return mu, slope, slope * (1.0 - 2.0 * mu)
        case "probit":
            return mu, stats.norm.pdf(eta), -eta * stats.norm.pdf(eta)
        case "cloglog":
            slope = np.exp(eta - np.exp(eta))
            return mu, slope, slope * (1.0 - np.exp(eta))
        case "inverse":
            return mu, -1.0 / eta**2, 2.0 / eta**3
        case "sqrt":
            return mu, 2.0 * eta, np.full_like(eta, 2.0)
    raise AssertionError(link)


def by_parameters(family: str, y: Array, mu: Array, k: Array, trials: Array | float) -> tuple[Array, ...]:
    """Derivatives of the log density by the mean m and the auxiliary parameter k: m, k, mm, mk, kk."""
    zero = np.zeros_like(mu)
    match family:
        case "gaussian":
            r = y - mu
            return r / k**2, (r**2 / k**2 - 1.0) / k, -1.0 / k**2, -2.0 * r / k**3, (1.0 - 3.0 * r**2 / k**2) / k**2
        case "poisson":
            return y / mu - 1.0, zero, -y / mu**2, zero, zero
        case "binomial" | "bernoulli":
            misses, q = trials - y, 1.0 - mu
            return y / mu - misses / q, zero, -y / mu**2 - misses / q**2, zero, zero
        case "gamma":
            share = y / mu
            by_k = np.log(k) + 1.0 + np.log(share) - digamma(k) - share
            curved = k * (1.0 - 2.0 * share) / mu**2
            return k * (share - 1.0) / mu, by_k, curved, (share - 1.0) / mu, 1.0 / k - polygamma(1, k)
        case "negbinomial":
            total, size = y + k, mu + k
            by_k = digamma(total) - digamma(k) + np.log(k / size) + 1.0 - total / size
            by_kk = polygamma(1, total) - polygamma(1, k) + 1.0 / k - 1.0 / size + (y - mu) / size**2
            return y / mu - total / size, by_k, total / size**2 - y / mu**2, (y - mu) / size**2, by_kk
    raise AssertionError(family)


def own_rows(one: Response, eta: Array) -> Derivatives:
    """The log density of a response by itself, and its derivatives."""
    n, R = eta.shape
    mu, slope, bend = mean_of(one.link, eta[:, one.mean])
    k = np.ones(n) if one.auxiliary is None else np.exp(eta[:, one.auxiliary])
    m, s, mm, ms, ss = by_parameters(one.family, one.y, mu, k, one.trials)
    gradient, hessian = np.zeros((n, R)), np.zeros((n, R, R))
    gradient[:, one.mean] = m * slope
    hessian[:, one.mean, one.mean] = mm * slope**2 + m * bend
    if one.auxiliary is not None:
        gradient[:, one.auxiliary] = s * k
        hessian[:, one.auxiliary, one.auxiliary] = ss * k**2 + s * k
        hessian[:, one.mean, one.auxiliary] = hessian[:, one.auxiliary, one.mean] = ms * slope * k
    return log_density(one.family, one.y, mu, k, one.trials), gradient, hessian


def correlated_rows(responses: Sequence[Response], corr: Array, eta: Array) -> Derivatives:
    """The same of gaussian responses with identity links whose residuals are correlated."""
    n, R = eta.shape
    means, spreads = [one.mean for one in responses], [one.auxiliary for one in responses]
    scale = np.exp(-eta[:, spreads])
    v = (np.stack([one.y for one in responses], axis=1) - eta[:, means]) * scale
    Q = np.linalg.inv(corr)
    pull = v @ Q
    value = stats.multivariate_normal(np.zeros(len(means)), corr).logpdf(v) - np.sum(eta[:, spreads], axis=1)
    gradient, hessian = np.zeros((n, R)), np.zeros((n, R, R))
    gradient[:, means], gradient[:, spreads] = scale * pull, v * pull - 1.0
    own = np.eye(len(means)) * pull[:, :, None]
    cross = -scale[:, :, None] * (own + Q * v[:, None, :])
    rows, columns = np.ix_(means, spreads)
    hessian[:, *np.ix_(means, means)] = -scale[:, :, None] * Q * scale[:, None, :]
    hessian[:, rows, columns] = cross
    hessian[:, columns.T, rows.T] = np.swapaxes(cross, 1, 2)
    hessian[:, *np.ix_(spreads, spreads)] = -v[:, :, None] * (own + Q * v[:, None, :])
    return value, gradient, hessian


def rows_of(model: DenseRows, rescor: Array | None, eta: Array) -> Derivatives:
    """Log density of each row given its predictors ``(n, R)``, all responses together, and its derivatives."""
    n, R = eta.shape
    total = np.zeros(n), np.zeros((n, R)), np.zeros((n, R, R))
    jointly = [one for one in model.responses if rescor is not None and one.family == "gaussian"]
    parts = [([one], None) for one in model.responses if one not in jointly] + ([(jointly, rescor)] if jointly else [])
    for members, corr in parts:
        seen = np.isfinite(np.stack([one.y for one in members], axis=1))
        for pattern in np.unique(seen[seen.any(axis=1)], axis=0):
            at = np.flatnonzero((seen == pattern).all(axis=1))
            some = [_at(one, at) for one, is_seen in zip(members, pattern, strict=True) if is_seen]
            if corr is None:
                found = own_rows(some[0], eta[at])
            else:
                found = correlated_rows(some, corr[np.ix_(pattern, pattern)], eta[at])
            for sum_, part in zip(total, found, strict=True):
                sum_[at] += part
    return total


def _at(one: Response, rows: Array) -> Response:
    trials = one.trials[rows] if isinstance(one.trials, np.ndarray) else one.trials
    return Response(one.y[rows], one.family, one.link, one.mean, one.auxiliary, trials)


# ---- all rows --------------------------------------------------------------------------------------------------------


def predictors(model: DenseRows, betas: Sequence[Array], bs: Sequence[Array]) -> Array:
    """The linear predictors ``(n, R)`` at coefficients `betas` and random effects `bs`, ``(levels, k)`` each."""
    columns = [X @ beta + offset for X, beta, offset in zip(model.X, betas, model.offsets, strict=True)]
    for block, b in zip(model.blocks, bs, strict=True):
        columns = [eta + np.sum(z * b[block.codes], axis=1) for eta, z in zip(columns, block.z, strict=True)]
    return np.stack(columns, axis=1)


def log_likelihood(model: DenseRows, values: Values, bs: Sequence[Array]) -> float:
    """``log p(y | b, parameters)``, every constant in it."""
    return float(rows_of(model, values.rescor, predictors(model, values.betas, bs))[0].sum())


def log_joint(model: DenseRows, values: Values, bs: Sequence[Array]) -> float:
    """``log p(y, b | parameters)``."""
    normal = [stats.multivariate_normal(cov=S).logpdf(b).sum() for S, b in zip(values.covariances, bs, strict=True)]
    return log_likelihood(model, values, bs) + float(np.sum(normal))


def spherical_columns(model: DenseRows, values: Values) -> list[Array]:
    """Columns ``(n, q)`` of each predictor for effects of unit size, level by level: b = L u, the covariance L L'."""
    roots = [root(S) for S in values.covariances]
    parts = [
        [_wide(block, r) @ block_diag(*[L] * block.levels) for r in range(len(model.X))]
        for block, L in zip(model.blocks, roots, strict=True)
    ]
    return [np.hstack([np.zeros((len(X), 0)), *(part[r] for part in parts)]) for r, X in enumerate(model.X)]


def root(S: Array) -> Array:
    """A factor of a covariance, singular ones included."""
    value, vector = np.linalg.eigh(S)
    return vector * np.sqrt(np.clip(value, 0.0, None))


def _wide(block: Block, r: int) -> Array:
    n, k = block.z[r].shape
    Z = np.zeros((n, block.levels, k))
    Z[np.arange(n), block.codes] = block.z[r]
    return Z.reshape(n, block.levels * k)


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """Where the integrand is highest: its height (log), the effects, and the negative Hessian there."""

    height: float
    u: Array
    H: Array


def conditional_mode(model: DenseRows, values: Values, *, reml: bool = False, start: Array | None = None) -> Mode:
    """The mode of ``log p(y | u) - u'u / 2``.

    With `reml` the coefficients of the means are among `u`, behind the random effects, under a flat prior and counted
    from `values.betas`.
    """
    M = spherical_columns(model, values)
    q = M[0].shape[1]
    means = {one.mean for one in model.responses}
    if reml:
        flat = [X if r in means else X[:, :0] for r, X in enumerate(model.X)]
        ends = np.cumsum([0, *(X.shape[1] for X in flat)])
        wide = [np.zeros((len(X), ends[-1])) for X in flat]
        for r, X in enumerate(flat):
            wide[r][:, ends[r] : ends[r + 1]] = X
        M = [np.hstack(pair) for pair in zip(M, wide, strict=True)]
    columns = np.stack(M, axis=1)  # (n, R, q)
    fixed = predictors(model, values.betas, [np.zeros((block.levels, block.z[0].shape[1])) for block in model.blocks])
    precision = np.r_[np.ones(q), np.zeros(columns.shape[2] - q)]

    def height(u: Array) -> Derivatives:
        value, gradient, hessian = rows_of(model, values.rescor, fixed + columns @ u)
        slope = np.tensordot(gradient, columns, 2) - precision * u
        curve = np.einsum("nra,nrs,nsb->ab", columns, hessian, columns, optimize=True) - np.diag(precision)
        return value.sum() - 0.5 * u @ (precision * u), slope, curve

    u = ascend(height, np.zeros(columns.shape[2]) if start is None else start)
    value, _, curve = height(u)
    np.linalg.cholesky(-curve)  # raises unless it is a maximum
    return Mode(value, u, -curve)


def ascend(height: Callable[[Array], Derivatives], u: Array) -> Array:
    """Newton's method with halved steps; where the Hessian is not negative definite, by its absolute eigenvalues."""
    at = height(u)
    for _ in range(200):
        curvature, vector = np.linalg.eigh(at[2])
        step = vector @ ((vector.T @ at[1]) / np.maximum(np.abs(curvature), 1e-8))
        size = 1.0
        while size > 1e-12:
            with np.errstate(all="ignore"):  # a step that is too long
                new = height(u + size * step)
            if new[0] >= at[0] - 1e-13 * abs(at[0]):
                break
            size *= 0.5
        u, is_there, at = u + size * step, float(at[1] @ step) < 1e-18, new
        if is_there:
            return u
    raise np.linalg.LinAlgError("no mode")


def laplace(model: DenseRows, values: Values, *, reml: bool = False, start: Array | None = None) -> float:
    """Minus twice the log marginal likelihood by Laplace's approximation with the observed Hessian.

    With `reml` it is minus twice the log of its integral over the coefficients of the means.
    """
    mode = conditional_mode(model, values, reml=reml, start=start)
    free = len(mode.u) - sum(block.levels * block.z[0].shape[1] for block in model.blocks)
    return float(-2.0 * mode.height + np.linalg.slogdet(mode.H)[1] - free * np.log(2.0 * np.pi))


def exact(model: DenseRows, values: Values, *, points: int = 81) -> float:
    """Minus twice the log marginal likelihood of a model with one grouping factor, by a grid around each level's mode.

    The trapezoidal rule on ``points ** k`` nodes, `k` the random effects of a level, denser in the middle.
    """
    codes, levels = model.blocks[0].codes, range(model.blocks[0].levels)
    return -2.0 * sum(_level(subset(model, np.flatnonzero(codes == level)), values, points) for level in levels)


def subset(model: DenseRows, rows: Array) -> DenseRows:
    """Some rows of one level."""
    blocks = [Block(np.zeros(len(rows), int), [z[rows] for z in block.z], 1) for block in model.blocks]
    responses = [_at(one, rows) for one in model.responses]
    return DenseRows(responses, [X[rows] for X in model.X], [offset[rows] for offset in model.offsets], blocks)


def grid(points: int, k: int) -> tuple[Array, Array]:
    """Nodes ``(points^k, k)`` and log weights: ``t = sinh(s)``, equally spaced in ``-4 < s < 4``, for long tails."""
    line = np.linspace(-4.0, 4.0, points)
    s = np.stack(np.meshgrid(*[line] * k, indexing="ij"), axis=-1).reshape(-1, k)
    return np.sinh(s), np.log(np.cosh(s) * (line[1] - line[0])).sum(axis=1)


def _level(model: DenseRows, values: Values, points: int) -> float:
    mode = conditional_mode(model, values)
    C = np.linalg.inv(np.linalg.cholesky(mode.H)).T
    nodes, weights = grid(points, len(mode.u))
    u = mode.u + nodes @ C.T
    n, times = len(model.offsets[0]), len(u)
    every = subset(model, np.tile(np.arange(n), times))  # all rows at the first node, at the second, ...
    fixed = predictors(every, values.betas, [np.zeros((1, block.z[0].shape[1])) for block in model.blocks])
    columns = np.stack(spherical_columns(model, values), axis=1)
    with np.errstate(all="ignore"):  # far out
        rows = rows_of(every, values.rescor, fixed + np.einsum("nrq,tq->tnr", columns, u).reshape(n * times, -1))[0]
    heights = np.nan_to_num(rows.reshape(times, n).sum(axis=1), nan=-np.inf) + stats.norm.logpdf(u).sum(axis=1)
    return float(logsumexp(heights + weights) + np.linalg.slogdet(C)[1])
