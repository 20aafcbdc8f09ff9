"""The sampler's form of the model against `to_pymc`: one density, up to the Jacobian of the change of coordinates."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytensor
import pytest
from graphs import AS_WRITTEN
from test_pymc_model import CASES, DATA, LINKS, RELATION, N, make

import bayesmix as bmx
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import resolve_method
from bayesmix.inference.parameters.centring import at_means, to_means
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.heavy_tails import with_normal_effects
from bayesmix.inference.sampling.nuts.compiled_density import density_of
from bayesmix.inference.sampling.nuts.mixing_scales import mixing_at
from bayesmix.inference.sampling.nuts.numbers import split_priors
from bayesmix.inference.sampling.nuts.pymc_model import by_kind, term_label, to_pymc
from bayesmix.inference.sampling.nuts.reparametrisation import reparametrise, spherical
from bayesmix.inference.sampling.nuts.reparametrised_model import free_shapes, parameters_at, sampler_model

STEP = 1e-3  # of differences of the fourth order of the change of coordinates
DENSITY = 1e-8  # their error in the log determinant
ROUNDING = 3e-13  # of log densities of tens of millions, where a shape runs off to infinity
EXACT = {"rtol": 1e-8, "atol": 1e-8}
FEW = {
    "related levels",
    "by distance",
    "process",
    "memberships",
    "heavy tails",
    "kinds of priors",
    "nested poisson with weights",
    "autoregression",
    "no fixed effects",
    "gamma",
}
DECOV = {name for name in CASES if name.startswith("decov")}


class Both:
    """A model in both forms."""

    def __init__(self, model):
        self.model, self.priors = model, model.priors
        self.design = at_means(model.design, model.priors.changes)  # engines work where the priors are stated
        method = resolve_method("auto", model.spec)
        self.point = estimate(with_normal_effects(self.design), model.spec, method)  # converged or not
        self.reparametrisation = reparametrise(self.design, model.spec, self.priors, self.point)
        self.ours = sampler_model(self.design, model.spec, self.priors, self.reparametrisation)
        self.shapes = free_shapes(self.ours.model)
        self.size = sum(int(np.prod(shape)) for shape in self.shapes.values())

    def split(self, x):
        free, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            free[name] = x[..., start:stop].reshape((*x.shape[:-1], *shape))
            start = stop
        return free

    def parameters(self, x):
        """Parameters at free values ``(points, size)``."""
        return parameters_at(self.design, self.priors, self.reparametrisation, self.split(x[None]))

    def theirs(self, x):
        """Values of the unconstrained variables of `to_pymc`, by name, each ``(points, ...)``."""
        _, roots = mixing_at(self.priors.df, self.reparametrisation.tails, self.split(x[None]))
        return self.unconstrained(self.parameters(x), {group: own[0] for group, own in roots.items()})

    def unconstrained(self, values, roots):  # noqa: C901 - one case a kind of prior
        """The same from parameters with leading axes ``(1, points)``, and what each level is scaled by."""
        found = {}

        def take(name, priors, numbers, *, scalar=False):
            for own, kind, members in by_kind(name, priors):
                suffix, part = "", numbers[:, members]
                if kind == "Uniform":
                    lower, upper = np.array([priors[j].arguments for j in members]).T
                    suffix, part = "_interval__", np.log(part - lower) - np.log(upper - part)
                elif kind == "Beta":
                    suffix, part = "_logodds__", np.log(part) - np.log1p(-part)
                elif priors[members[0]].is_positive:
                    suffix, part = "_log__", np.log(part)
                found[own + suffix] = part[:, 0] if scalar else part

        split, gamma = split_priors(self.priors), values.beta[0] @ self.priors.contrast.T
        if split.fixed:
            take("fixef_centred", split.fixed, gamma[:, list(split.coefficients)])
        for t, term in enumerate(self.design.terms):
            label, own = term_label(self.design.terms, t), self.priors.sd[t]
            take(f"sd_free_{label}", own, values.sd[t][0][:, : len(own)], scalar=len(own) == 1)
            root = np.broadcast_to(np.eye(len(term.effects)), values.corr[t][0].shape)
            if self.priors.corr[t]:
                family = structure_of(term).correlation
                free = family.partial(values.corr[t][0])
                root = family.root(free)
                if family.has_lkj:
                    found[f"lkj_{label}_logodds__"] = np.log1p(free) - np.log1p(-free)
                else:
                    take(f"range_free_{label}", self.priors.corr[t], free)
            L = values.sd[t][0][..., None] * root
            z = np.swapaxes(np.linalg.solve(L, np.swapaxes(values.b[t][0], -1, -2)), -1, -2)
            z = z if term.is_normal else z / roots[term.group][..., None]
            found[f"z_{label}"] = z if term.relation is None else np.linalg.solve(np.linalg.cholesky(RELATION), z)
        for group, prior in self.priors.df.items():
            if prior.prior.kind == "Uniform":
                take(f"df_{group}", [prior.prior], values.df[group][0][:, None], scalar=True)
            else:
                found[f"df_{group}_interval__"] = np.log(values.df[group][0] - 1.0)
            found[f"mix_{group}_log__"] = 2.0 * np.log(roots[group])
        for number in split.numbers:
            at = number.place
            value = values.dispersion[0] if at is None else at.link.mean(gamma[:, at.column])
            take(number.name, [number.prior], value[:, None], scalar=True)
        return found

    def log_determinant(self, x):
        """Of the derivative of the unconstrained variables of `to_pymc` by the free values."""

        def flat(points):
            return np.concatenate([v.reshape(len(points), -1) for v in self.theirs(points).values()], axis=1)

        return log_determinant(flat, x)


def log_determinant(flat, x):
    """Of the derivative by ``x (size,)`` of ``flat``, a function of points ``(points, size)``."""
    steps = STEP * np.eye(len(x))
    slope = (8.0 * (flat(x + steps) - flat(x - steps)) - (flat(x + 2.0 * steps) - flat(x - 2.0 * steps))) / (
        12.0 * STEP
    )
    return np.linalg.slogdet(slope)[1]


@cache
def both_of(name):
    """A case in both forms, fitted once."""
    return Both(make(name))


def compare(both, *, spread=0.5, points=2):
    model = both.model
    ours = both.ours.model.compile_logp(mode=AS_WRITTEN)
    theirs = to_pymc(model.design, model.spec, model.priors).compile_logp(mode=AS_WRITTEN)
    rng = np.random.default_rng(3)
    for _ in range(points):
        x = spread * rng.standard_normal(both.size)
        expected = float(theirs({name: value[0] for name, value in both.theirs(x[None]).items()}))
        assert np.isfinite(expected)
        whole = expected + both.log_determinant(x)
        assert float(ours(both.split(x))) == pytest.approx(whole, rel=ROUNDING, abs=DENSITY * both.size)


def quick(names, few):
    """Parameters of which only a few are tested at every change: PyTensor takes a second for each."""
    return [name if name in few else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", quick(sorted(set(CASES) - DECOV), FEW))
def test_one_density_in_two_coordinates(name):
    compare(both_of(name))


@pytest.mark.parametrize("case", quick(LINKS, {("gamma", "inverse")}))
def test_one_density_for_other_links(case):
    family, link = case
    compare(Both(bmx.Model(f"{LINKS[family, link]} ~ x + (1 | g)", DATA, family=family, link=link)), spread=0.1)


@pytest.mark.parametrize("name", ["three correlated", "gamma", "two correlated terms", "heterogeneous autoregression"])
def test_draws_are_read_back_as_the_graph_has_them(name):
    both = both_of(name)
    labels = [term_label(both.design.terms, t) for t in range(len(both.design.terms))]
    graph = both.ours.model
    names = ["fixef", *(f"{what}_{label}" for label in labels for what in ("sd", "ranef"))]
    outputs = graph.replace_rvs_by_values([graph[name] for name in names])
    function = graph.compile_fn(outputs, inputs=graph.value_vars, mode=AS_WRITTEN, on_unused_input="ignore")
    x = np.random.default_rng(1).standard_normal(both.size)
    values = both.parameters(x[None])
    expected = [values.beta, *(part for pair in zip(values.sd, values.b, strict=True) for part in pair)]
    for found, wanted in zip(function(both.split(x)), expected, strict=True):
        np.testing.assert_allclose(found, wanted[0, 0], **EXACT)


# ---- where the coordinates are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sleepstudy", "sleepstudy ||", "penicillin", "cbpp", "gammasim", "nbsim"])
def test_the_origin_is_the_point_estimate(model, fitted, name):
    both, fit = Both(model(name)), fitted(name)
    values, expected = both.parameters(np.zeros((1, both.size))), to_means(fit.values, both.priors.changes)
    np.testing.assert_allclose(values.beta[0, 0], expected.beta, **EXACT)
    for found, sd in zip(values.sd, expected.sd, strict=True):
        np.testing.assert_allclose(found[0, 0], sd, rtol=1e-8)
    for term, found, b in zip(both.design.terms, values.b, expected.b, strict=True):
        loose = 0.2 if structure_of(term).correlation.size else 1e-4  # correlations start a little off their estimate
        np.testing.assert_allclose(found[0, 0], b, atol=loose * b.std())


def test_the_origin_is_inside_where_the_estimate_is_singular():
    data = bmx.load_dataset("Dyestuff2").assign(x=np.tile([0.0, 1.0, 2.0, 3.0, 4.0], 6))
    model = bmx.Model("Yield ~ x + (x | Batch)", data)
    assert model.estimate().singular
    both = Both(model)
    values = both.parameters(np.zeros((1, both.size)))
    assert np.all(values.sd[0] > 0.0)
    assert np.all(np.abs(values.corr[0][..., 1, 0]) < 1.0)
    assert np.isfinite(both.ours.model.compile_logp(mode=AS_WRITTEN)(both.split(np.zeros(both.size))))


@pytest.mark.parametrize(
    "priors", [{"Days": "HalfNormal(10)"}, {"sigma": "Uniform(0, 20)"}, {"sd(Subject)": "Uniform(0, 4)"}]
)
def test_the_origin_is_in_the_support_of_the_prior(priors):
    data = bmx.load_dataset("sleepstudy")
    data = data.assign(Reaction=-data["Reaction"])  # so that the slope is estimated negative
    both = Both(bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors=priors))
    assert np.isfinite(both.ours.model.compile_logp(mode=AS_WRITTEN)(both.split(np.zeros(both.size))))


def test_posteriors_of_normal_responses_are_round_at_the_origin(model):
    """Given the covariance, free values of the effects are independent standard normals and the density says so."""
    both = Both(model("sleepstudy"))
    logp = both.ours.model.compile_logp(mode=AS_WRITTEN)
    at = [
        i
        for i, name in enumerate(np.repeat(list(both.shapes), [int(np.prod(s)) for s in both.shapes.values()]))
        if name == "u_Subject"
    ]
    zero = np.zeros(both.size)

    def along(i, j):
        def value(a, b):
            x = zero.copy()
            x[i] += a
            x[j] += b
            return float(logp(both.split(x)))

        return (value(0.1, 0.1) - value(0.1, -0.1) - value(-0.1, 0.1) + value(-0.1, -0.1)) / 0.04

    assert along(at[0], at[0]) == pytest.approx(-1.0, abs=1e-6)
    assert along(at[0], at[1]) == pytest.approx(0.0, abs=1e-6)
    assert along(0, at[0]) == pytest.approx(0.0, abs=1e-6)  # the fixed effects are independent of the effects


@pytest.mark.parametrize("k", [1, 2, 3])
def test_levels_that_say_nothing_are_not_centred_and_levels_that_say_all_are(k):
    rng = np.random.default_rng(k)
    L = np.tril(rng.normal(size=(k, k))) + 2.0 * np.eye(k)
    u, shift = rng.normal(size=(k, 1)), rng.normal(size=(k, 1))
    rows = [[np.array([L[i, j]]) for j in range(i + 1)] for i in range(k)]

    def effects(information, c):
        blocks = [[np.array([information[i, j]]) for j in range(k)] for i in range(k)]
        z, log_scale = spherical(list(u), rows, blocks, list(c), sqrt=np.sqrt, log=np.log)
        return L @ np.stack(z), float(np.squeeze(log_scale))

    b, log_scale = effects(np.zeros((k, k)), np.zeros((k, 1)))
    np.testing.assert_allclose(b, L @ u, **EXACT)
    assert log_scale == 0.0
    A = rng.normal(size=(k, k))
    information = 1e8 * (A @ A.T + np.eye(k))
    b, _ = effects(information, information @ shift)
    np.testing.assert_allclose(b, shift, atol=1e-3)  # whatever L
    # between: mean and covariance of the conditional distribution
    information = A @ A.T
    b, log_scale = effects(information, shift)
    V = np.linalg.inv(information + np.linalg.inv(L @ L.T))
    inner = b - V @ shift
    assert float(np.squeeze(inner.T @ np.linalg.solve(V, inner))) == pytest.approx(float(np.squeeze(u.T @ u)))
    assert log_scale == pytest.approx(0.5 * np.linalg.slogdet(V)[1] - np.linalg.slogdet(L)[1])


# ---- the compiled density -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_machine_code_serves_other_data_of_the_model():
    """Fewer rows, other responses and priors: the same code, the density of the other model."""
    first = both_of("two correlated terms")
    with pytensor.config.change_flags(
        mode="FAST_COMPILE"
    ):  # the user's setting has no say: what is compiled is numba's
        density = density_of(first.ours.model, first.shapes, first.ours.key)
    keep = np.r_[np.arange(N - 1)]
    data = {name: np.asarray(column)[keep] for name, column in DATA.items()}
    data["y"] = data["y"] + 1.0
    second = Both(bmx.Model("y ~ x + (x | g) + (x | h)", data, priors={"sd(g, x)": "Exponential(2)"}))
    assert second.ours.key == first.ours.key
    assert density_of(second.ours.model, second.shapes, second.ours.key) is density
    x = 0.3 * np.random.default_rng(4).standard_normal(second.size)
    value, gradient = density.evaluate(x, second.ours.packed.arrays())
    expected = second.ours.model.compile_logp(mode=AS_WRITTEN)(second.split(x))
    assert value == pytest.approx(float(expected), rel=1e-10)
    slopes = second.ours.model.compile_dlogp(mode=AS_WRITTEN)(second.split(x))
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_machine_code_serves_a_model_whose_groups_have_other_names():
    first = Both(bmx.Model("y ~ x + (1 | g)", DATA))
    compiled = density_of(first.ours.model, first.shapes, first.ours.key)
    second = Both(bmx.Model("y ~ x + (1 | k)", {**DATA, "k": DATA["g"]}))
    assert second.ours.key == first.ours.key
    again = density_of(second.ours.model, second.shapes, second.ours.key)
    assert again.function is compiled.function
    x = np.arange(second.size, dtype=float)
    assert list(again.split(x)) == [name.replace("_g", "_k") for name in compiled.split(x)] == list(second.shapes)


def test_models_of_other_shape_are_compiled_anew():
    keys = {both_of(name).ours.key for name in ("independent", "three correlated", "gamma", "binomial", "bernoulli")}
    assert len(keys) == 5


@pytest.mark.parametrize("code", [-1, 4])
def test_codes_out_of_range_are_refused(code):
    both = both_of("correlated, weights and offset")
    (term,) = both.design.terms
    codes = term.codes.copy()
    codes[0] = code
    broken = both.design.with_rows(terms=(replace(term, codes=codes),))
    with pytest.raises(IndexError, match=r"level codes of `g` are outside 0\.\.3"):
        sampler_model(broken, both.model.spec, both.priors, both.reparametrisation)
