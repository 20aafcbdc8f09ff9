"""The compiled log density of the PyMC model against the same written with NumPy and `scipy.stats`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from densities import MEAN, PRIOR, log_density, log_lkj
from graphs import AS_WRITTEN
from scipy.integrate import dblquad, quad
from scipy.linalg import sqrtm, toeplitz
from scipy.spatial.distance import cdist
from scipy.special import expit, softmax
from scipy.stats import dirichlet, gamma, invgamma, multivariate_normal, norm

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.pymc_model import to_pymc

LOG_JOINT = 1e-8  # two summations of a few dozen terms of size one to a hundred
POINTS = 3

RNG = np.random.default_rng(2024)
N = 14
X = RNG.normal(size=N)
DATA = {
    "x": X,
    "w": RNG.normal(3.0, 2.0, N),
    "g": [f"g{j}" for j in RNG.permutation(np.r_[np.arange(4), RNG.integers(0, 4, N - 4)])],
    "h": [f"h{j}" for j in RNG.permutation(np.r_[np.arange(3), RNG.integers(0, 3, N - 3)])],
    "y": RNG.normal(10.0, 2.0, N),
    "count": RNG.poisson(3.0, N),
    "positive": RNG.gamma(3.0, 1.0, N),
    "successes": RNG.integers(0, 4, N),
    "failures": RNG.integers(1, 5, N),
    "yes": np.r_[0, 1, RNG.integers(0, 2, N - 2)],
    "wt": RNG.uniform(0.5, 2.0, N),
    "off": RNG.normal(0.0, 0.1, N),
    "time": np.array([0.0, 1.0, 2.5])[RNG.permutation(np.arange(N) % 3)],
    "east": np.array([0.0, 2.0, 2.5, 4.0, 7.0])[np.arange(N) % 5],
    "north": np.array([1.0, 0.5, 3.0, 2.0, 5.0])[np.arange(N) % 5],
    "one": ["all"] * N,
    "g2": [f"g{j % 4}" for j in range(N)],
}
MIXED = {
    "Intercept": "StudentT(3, 10, 2.5)",
    "x": "Cauchy(0, 1)",
    "w": "Laplace(0.5, 2)",
    "sd(g, Intercept)": "HalfStudentT(3, 2.5)",
    "sd(g, x)": "LogNormal(0, 0.5)",
    "corr(g)": "LKJ(3.5)",
    "sigma": "HalfCauchy(1)",
}
MORE = {
    "Intercept(centred)": "Uniform(-20, 30)",
    "x": "Normal(1, 2)",
    "sd(g)": "Uniform(0, 5)",
    "sd(h)": "InverseGamma(3, 2)",
    "sigma": "Gamma(2, 0.5)",
}
LEVELS = [f"g{j}" for j in range(6)]  # two without rows
RELATION = pd.DataFrame(0.5 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))) + 0.2 * np.eye(6), LEVELS, LEVELS)

CASES = {
    "memberships": ("y ~ x + (x | mm(g, g2, weights = cbind(wt, positive))) + (1 | h)", {}),
    "related levels": ("y ~ x + (x | gr(g, cov = A)) + (1 | h)", {"data2": {"A": RELATION}}),
    "correlated, weights and offset": ("y ~ x + offset(off) + (x | g)", {"weights": "wt"}),
    "independent": ("y ~ x + (x || g)", {}),
    "diagonal term": ("y ~ x + diag(x + w | g)", {}),
    "crossed poisson": ("count ~ x + (1 | g) + (1 | h)", {"family": "poisson"}),
    "nested poisson with weights": ("count ~ x + (1 | g/h)", {"family": "poisson", "weights": "wt"}),
    "binomial": ("cbind(successes, failures) ~ x + (1 | g)", {"family": "binomial"}),
    "bernoulli": ("yes ~ x + (1 | g)", {"family": "bernoulli"}),
    "three correlated": ("y ~ x + (x + w | g)", {}),
    "correlated, at zero": ("y ~ x + (x + w | g)", {"priors": {"corr": "LKJ(2)"}}),
    "one centred, one at zero": ("y ~ x + (w | g) + (w | h)", {"priors": {"sd(h)": "HalfNormal(2)"}}),
    "kinds of priors": ("y ~ x + w + (x | g)", {"priors": MIXED}),
    "more kinds of priors": ("y ~ x + (1 | g) + (1 | h)", {"priors": MORE}),
    "flat": ("y ~ x + (x | g)", {"priors": "flat"}),
    "gamma": ("positive ~ x + (1 | g)", {"family": "gamma"}),
    "negative binomial": ("count ~ x + (x | g)", {"family": "negbinomial"}),
    "no intercept": ("y ~ 0 + x + (1 | g)", {}),
    "no fixed effects": ("y ~ 0 + (1 | g)", {}),
    "two correlated terms": ("y ~ x + (x | g) + (x | h)", {}),
    "compound symmetry": ("y ~ x + cs(x + w | g)", {"priors": {"corr(g)": "LKJ(1.5)"}}),
    "homogeneous compound symmetry": ("count ~ x + cs(0 + h | g, hom = TRUE)", {"family": "poisson"}),
    "autoregression": ("count ~ x + (1 | g) + ar1(0 + h | g)", {"family": "poisson"}),
    "heterogeneous autoregression": ("y ~ x + ar1(0 + h | g, hom = FALSE)", {"priors": {"corr": "LKJ(2)"}}),
    "stationary": ("count ~ x + toep(0 + h | g)", {"family": "poisson"}),
    "homogeneous and stationary": ("y ~ x + toep(0 + h | g, hom = TRUE)", {"priors": {"corr(g)": "LKJ(2)"}}),
    "by time": ("y ~ x + ou(time | g)", {}),
    "by distance": ("count ~ x + exp(east + north | one)", {"family": "poisson", "priors": {"range": "Gamma(2, 1)"}}),
    "by squared distance": ("y ~ x + (1 | h) + gau(east + north | g)", {"priors": {"range(g)": "Uniform(1, 4)"}}),
    "decov": ("y ~ x + (x + w | g) + (1 | h)", {"priors": "rstanarm"}),
    "decov of some": (
        "y ~ x + (x + w || g)",
        {"priors": {"sd(g)": "Decov(2, 3, 0.5)", "sd(g, x)": "HalfNormal(2)", "sigma": "HalfNormal(3)"}},
    ),
    "decov of a diagonal term": (
        "count ~ x + diag(x + w | g)",
        {"family": "poisson", "priors": {"preset": "rstanarm", "sd(g, x)": "HalfNormal(2)"}},
    ),
    "smooth": ("y ~ s(x, k = 4) + (1 | g)", {}),
    "smooth of counts": ("count ~ s(x, k = 4) + s(w, k = 4)", {"family": "poisson"}),
    "by distance, beside levels": ("y ~ exp(east + north | one) + (1 | g)", {}),
    "process": ("count ~ gp(x, k = 6) + (1 | g)", {"family": "poisson", "priors": {"lscale": "Gamma(2, 4)"}}),
    "rough process": ('y ~ gp(x, k = 3, c = 2, cov = "matern32")', {"priors": {"sdgp": "HalfNormal(2)"}}),
    "heavy tails": ('y ~ x + (x | gr(g, dist = "student")) + (1 | h)', {}),
    "heavy tails of counts": (
        'count ~ x + (x || gr(g, dist = "student"))',
        {"family": "poisson", "priors": {"df": "Uniform(2, 40)"}},
    ),
    "homogeneous diagonal": ("y ~ x + diag(x + w | g, hom = TRUE)", {}),
}
LINKS = {
    ("gaussian", "log"): "positive",
    ("gaussian", "inverse"): "positive",
    ("poisson", "identity"): "count",
    ("poisson", "sqrt"): "count",
    ("binomial", "probit"): "cbind(successes, failures)",
    ("binomial", "cloglog"): "cbind(successes, failures)",
    ("gamma", "inverse"): "positive",
    ("gamma", "identity"): "positive",
    ("negbinomial", "sqrt"): "count",
}


def make(name):
    formula, options = CASES[name]
    return bmx.Model(formula, DATA, **options)


# ---- the log joint, written again ----------------------------------------------------------------------------------


class LogJoint:
    """Log density of the free values of one PyMC model; collects the quantities on the way."""

    def __init__(self, model, point):
        self.model, self.point = model, dict(point)
        self.total = 0.0
        self.used = set()

    def take(self, name):
        self.used.add(name)
        return np.asarray(self.point[name], float)

    def decov(self, name, prior, k, unit):
        """Standard deviations as rstanarm draws them."""
        concentration, shape, scale = prior.arguments
        log_size = self.take(f"{name}_size_log__")
        self.total += log_size + gamma(shape, scale=scale).logpdf(np.exp(log_size))
        share = np.ones(1)
        if k > 1:
            free = self.take(f"{name}_share_simplex__")
            share = softmax(np.append(free, -free.sum()))
            slope = (np.diag(share) - np.outer(share, share))[:-1] @ np.vstack([np.eye(k - 1), -np.ones(k - 1)])
            self.total += dirichlet([concentration] * k).logpdf(share) + np.linalg.slogdet(slope)[1]
        return unit * np.exp(log_size) * np.sqrt(k * share)

    def vector(self, name, priors, unit=1.0):
        """Values of ``priors``, one free vector a kind of distribution; adds prior and Jacobian."""
        kinds = list(dict.fromkeys(prior.kind for prior in priors))
        values = np.zeros(len(priors))
        for kind in kinds:
            at = [j for j, prior in enumerate(priors) if prior.kind == kind]
            suffix = "" if len(kinds) == 1 else f"_{kind.lower()}"
            if kind == "Decov":
                values[at] = self.decov(name + suffix, priors[at[0]], len(at), unit)
            else:
                values[at] = self.scalars(name + suffix, [priors[j] for j in at])
        return values

    def scalars(self, name, priors):
        positive = {"HalfNormal", "HalfStudentT", "HalfCauchy", "Exponential", "Gamma", "InverseGamma", "LogNormal"}
        kind = priors[0].kind
        if kind == "Uniform":
            share = expit(np.atleast_1d(self.take(f"{name}_interval__")))
            low, high = np.array([prior.arguments for prior in priors]).T
            self.total += np.sum(np.log((high - low) * share * (1.0 - share)))
            values = low + (high - low) * share
        elif kind in positive | {"HalfFlat"}:
            logs = np.atleast_1d(self.take(f"{name}_log__"))
            self.total += logs.sum()
            values = np.exp(logs)
        else:
            values = np.atleast_1d(self.take(name))
        if kind not in {"Flat", "HalfFlat"}:
            self.total += sum(float(PRIOR[kind](*p.arguments).logpdf(v)) for p, v in zip(priors, values, strict=True))
        return values

    def correlation(self, label, k, eta):
        """From partial correlations, by hand for two and three effects; LKJ by its determinant."""
        half = expit(np.atleast_1d(self.take(f"lkj_{label}_logodds__")))
        self.total += np.sum(np.log(half * (1.0 - half)) + np.log(2.0))
        p = 2.0 * half - 1.0
        R = np.eye(k)
        if k == 2:
            R[0, 1] = R[1, 0] = p[0]
        else:
            left = np.sqrt((1.0 - p[0] ** 2) * (1.0 - p[1] ** 2))
            R[0, 1] = R[1, 0] = p[0]
            R[0, 2] = R[2, 0] = p[1]
            R[1, 2] = R[2, 1] = p[2] * left + p[0] * p[1]
            self.total += np.log(left)  # d r23 / d p23
        self.total += log_lkj(R, eta)
        return R

    def ruled(self, label, k, eta, structure):
        """One number rho of density ``|R|^(eta - 1)`` over the integral of that, by quadrature."""
        low = -1.0 / (k - 1) if structure.endswith("cs") else -1.0
        half = expit(self.take(f"lkj_{label}_logodds__"))[0]
        self.total += np.log(half * (1.0 - half)) + np.log(1.0 - low)

        def matrix(rho):
            lag = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
            return rho ** (np.minimum(lag, 1) if structure.endswith("cs") else lag)

        def density(rho):
            return np.linalg.det(matrix(rho)) ** (eta - 1.0)

        rho = low + (1.0 - low) * half
        self.total += np.log(density(rho) / quad(density, low, 1.0, epsabs=1e-12, epsrel=1e-12)[0])
        return matrix(rho)

    def stationary(self, label, eta):
        """Three effects: the correlations of lags 1 and 2 have density ``|R|^(eta - 1)`` where that is a matrix."""
        half = expit(self.take(f"lkj_{label}_logodds__"))
        p = 2.0 * half - 1.0

        def density(second, first):
            return np.linalg.det(toeplitz([1.0, first, first**2 + (1.0 - first**2) * second])) ** (eta - 1.0) * (
                1.0 - first**2
            )

        whole = dblquad(density, -1.0, 1.0, -1.0, 1.0)[0]
        self.total += np.log(density(p[1], p[0]) / whole) + np.sum(np.log(2.0 * half * (1.0 - half)))
        return toeplitz([1.0, p[0], p[0] ** 2 + (1.0 - p[0] ** 2) * p[1]])

    def scales(self, group, prior):
        """What multiplies the covariance of each level where effects have a t distribution."""
        if prior.kind == "Uniform":
            (df,) = self.scalars(f"df_{group}", [prior])
        else:
            above = self.take(f"df_{group}_interval__")
            df, law = 1.0 + np.exp(above), PRIOR[prior.kind](*prior.arguments)
            self.total += above + law.logpdf(df) - law.logsf(1.0)
        log_w = self.take(f"mix_{group}_log__")
        self.total += np.sum(log_w + invgamma(0.5 * df, scale=0.5 * df).logpdf(np.exp(log_w)))
        self.found[f"df_{group}"] = df
        return np.exp(log_w)

    def effects(self, label, term, t, unit):  # noqa: C901 - one case a structure
        k, priors = len(term.effects), self.model.priors
        sd_priors, own = priors.sd[t], priors.corr[t]
        eta = own[0].arguments[0] if own and own[0].kind == "LKJ" else None
        sd = np.broadcast_to(self.vector(f"sd_free_{label}", sd_priors, unit), k)
        R = np.eye(k)
        if term.spectrum is not None:
            R = np.diag(density(term, self.vector(f"range_free_{label}", own)[0]))
        elif own and eta is None:
            length = self.vector(f"range_free_{label}", own)[0]
            between = cdist(term.positions, term.positions) / length
            R = np.exp(-(between**2)) if term.structure == "gau" else np.exp(-between)
        elif term.structure.endswith("toep"):
            R = self.stationary(label, eta)
        elif eta is not None and term.structure != "us":
            R = self.ruled(label, k, eta, term.structure)
        elif eta is not None:
            R = self.correlation(label, k, eta)
        covariance = R * np.outer(sd, sd)
        root = np.linalg.cholesky(covariance)
        if term.structure.endswith("cs"):  # any root will do; this one is symmetric but for the standard deviations
            root = sd[:, None] * np.real(sqrtm(R))
        J = len(term.levels)
        among = np.eye(J) if term.relation is None else RELATION.to_numpy()
        root_of_levels = np.linalg.cholesky(among)
        b = root_of_levels @ self.take(f"z_{label}") @ root.T
        if not term.is_normal:
            w = self.w[term.group]
            b = np.sqrt(w)[:, None] * b
            self.total += sum(log_normal(b[[j]], np.eye(1), w[j] * covariance) for j in range(J))
            self.total += 0.5 * k * np.log(w).sum()
        else:
            self.total += log_normal(b, among, covariance)
        self.total += J * np.linalg.slogdet(root)[1] + k * np.linalg.slogdet(root_of_levels)[1]  # b by z
        if any("(centred)" in name for name in priors.sd_names[t]):
            slope = np.eye(k)
            slope[0, 1:] = -term.z[:, 1:].mean(axis=0)  # the intercept at zero by effects at the means of x and w
            b, covariance = b @ slope.T, slope @ covariance @ slope.T
            sd = np.sqrt(np.diag(covariance))
            R = covariance / np.outer(sd, sd)
        return sd, R, b

    def value(self):
        model = self.model
        design, priors, family = model.design, model.priors, model.spec.family
        beta = np.zeros(0)
        if design.fixed:
            beta = self.vector("fixef_centred", priors.fixed)
            if "Intercept(centred)" in priors.names:
                beta[0] -= design.X[:, 1:].mean(axis=0) @ beta[1:]
        eta = design.X @ beta + design.offset
        self.found = {"fixef": beta}
        dispersion = 1.0
        if family.dispersion is not None:
            dispersion = self.scalars(family.dispersion, [priors.dispersion])[0]
        self.w = {group: self.scales(group, prior.prior) for group, prior in priors.df.items()}
        counted = {}
        for t, term in enumerate(design.terms):
            number = counted.get(term.group, 0)
            counted[term.group] = number + 1
            label = term.group + (f".{number}" if number else "")
            sd, R, b = self.effects(label, term, t, dispersion)
            eta = eta + np.sum(term.z * b[term.codes], axis=1).reshape(term.slots, -1).sum(axis=0)
            self.found |= {f"sd_{label}": sd, f"ranef_{label}": b}
            if priors.corr[t] and term.spectrum is None:
                below = R[np.tril_indices(len(sd), -1)]
                self.found[f"corr_{label}"] = below if term.structure == "us" else below[:1]
        mu = MEAN[model.spec.link.name](eta)
        if family.name == "gaussian":
            rows = log_density("gaussian", design.y, mu, dispersion / np.sqrt(design.weights))
        else:
            trials = 1.0 if design.trials is None else design.trials
            rows = design.weights * log_density(family.name, design.y, mu, dispersion, trials)
        self.total += rows.sum()
        assert self.used == set(self.point), "a free variable that the log joint does not know"
        return self.total


def log_normal(b, among, covariance):
    """Log density of effects ``(J, k)``; of independent ones, whose variances may differ by far, one by one."""
    if np.array_equal(covariance, np.diag(np.diag(covariance))) and np.array_equal(among, np.eye(len(b))):
        return norm(0.0, np.sqrt(np.diag(covariance))).logpdf(b).sum()
    return multivariate_normal(np.zeros(b.size), np.kron(among, covariance)).logpdf(b.ravel())


def density(term, length):
    """Spectral density of a process of one variable."""
    w = np.array(term.spectrum.frequencies)
    if term.spectrum.kernel == "exp_quad":
        return np.sqrt(2.0 * np.pi) * length * np.exp(-0.5 * (length * w) ** 2)
    return 12.0 * np.sqrt(3.0) / length**3 / (3.0 / length**2 + w**2) ** 2


def points(graph, rng, size=0.5, centre=None):
    """Random values of all free variables."""
    start = graph.initial_point(random_seed=1)
    for _ in range(POINTS):
        point = {name: np.asarray(size * rng.normal(size=np.shape(value))) for name, value in start.items()}
        if centre is not None and "fixef_centred" in point:
            point["fixef_centred"] = point["fixef_centred"] + centre
        yield point


def compare(model, *, size=0.5, centre=None, deterministics=()):
    graph = model.to_pymc()
    compiled = graph.compile_logp(mode=AS_WRITTEN)
    rng = np.random.default_rng(7)
    for point in points(graph, rng, size, centre):
        joint = LogJoint(model, point)
        expected = joint.value()
        assert np.isfinite(expected)
        assert float(compiled(point)) == pytest.approx(expected, rel=LOG_JOINT, abs=LOG_JOINT)
    if deterministics:
        outputs = graph.replace_rvs_by_values([graph[name] for name in deterministics])
        function = graph.compile_fn(outputs, inputs=graph.value_vars, mode=AS_WRITTEN, on_unused_input="ignore")
        values = function(point)
        for name, value in zip(deterministics, values, strict=True):
            np.testing.assert_allclose(value, joint.found[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_log_joint(name):
    compare(make(name))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "link"), LINKS)
def test_log_joint_of_other_links(family, link):
    model = bmx.Model(f"{LINKS[family, link]} ~ x + (1 | g)", DATA, family=family, link=link)
    centre = {"identity": [6.0, 0.0], "inverse": [0.8, 0.0], "sqrt": [2.0, 0.0]}.get(link, [0.2, 0.0])
    graph = model.to_pymc()
    compiled = graph.compile_logp(mode=AS_WRITTEN)
    rng = np.random.default_rng(7)
    for point in points(graph, rng, 0.05, centre):
        point["sd_free_g_log__"] = np.asarray(-3.0)  # all means inside their range
        expected = LogJoint(model, point).value()
        assert np.isfinite(expected)
        assert float(compiled(point)) == pytest.approx(expected, rel=LOG_JOINT, abs=LOG_JOINT)


@pytest.mark.parametrize("name", ["three correlated", "independent", "gamma"])
def test_deterministics_are_the_documented_quantities(name):
    model = make(name)
    labels = {"three correlated": ["g"], "independent": ["g", "g.1"], "gamma": ["g"]}[name]
    wanted = ["fixef", *(f"{what}_{label}" for label in labels for what in ("sd", "ranef"))]
    compare(model, deterministics=[*wanted, *(["corr_g"] if name == "three correlated" else [])])


# ---- names, dims, guards -------------------------------------------------------------------------------------------


def test_dims_and_coords_are_named():
    model = make("correlated, weights and offset")
    graph = model.to_pymc()
    assert list(graph.coords["fixed"]) == ["Intercept", "x"]
    assert list(graph.coords["g"]) == ["g0", "g1", "g2", "g3"]
    assert list(graph.coords["g_effect"]) == ["Intercept", "x"]
    assert len(graph.coords["obs"]) == N
    dims = {name: tuple(value) for name, value in graph.named_vars_to_dims.items()}
    assert dims["fixef"] == ("fixed",)
    assert dims["sd_g"] == ("g_effect",)
    assert dims["ranef_g"] == ("g", "g_effect")
    assert dims["z_g"] == ("g", "g_effect")
    assert dims["X"] == ("obs", "fixed")
    assert dims["columns_g"] == ("obs", "g_effect")
    assert dims["y"] == ("obs",)
    free = {variable.name for variable in graph.free_RVs}
    assert free == {"fixef_centred", "sd_free_g", "lkj_g", "z_g", "sigma"}
    assert {variable.name for variable in graph.deterministics} == {"fixef", "sd_g", "corr_g", "ranef_g"}


def test_terms_of_one_group_are_numbered():
    graph = make("independent").to_pymc()
    names = {variable.name for variable in graph.deterministics}
    assert {"sd_g", "sd_g.1", "ranef_g", "ranef_g.1"} <= names


def test_the_dispersion_has_the_familys_name():
    assert "shape" in {variable.name for variable in make("gamma").to_pymc().free_RVs}
    assert "sigma" not in {variable.name for variable in make("crossed poisson").to_pymc().free_RVs}


@pytest.mark.parametrize("name", ["X", "offset", "fixef", "sigma", "chain", "draw"])
def test_any_name_of_a_grouping_factor_will_do(name):
    data = {key: DATA[key] for key in ("x", "y")} | {name: DATA["g"]}
    bmx.Model(f"y ~ x + (1 | {name})", data).to_pymc()


@pytest.mark.parametrize("code", [-1, 4])
def test_codes_out_of_range_are_refused(code):
    model = make("correlated, weights and offset")
    (term,) = model.design.terms
    codes = term.codes.copy()
    codes[0] = code
    broken = model.design.with_rows(terms=(replace(term, codes=codes),))
    with pytest.raises(IndexError, match=r"level codes of `g` are outside 0\.\.3"):
        to_pymc(broken, model.spec, model.priors)
