"""Leave-one-out, leave-one-group-out, k-fold and evidence against direct integration and each other."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from arviz_stats import loo

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.criticism import cross_validation, elpd
from bayesmix.results.criticism.cross_validation import left_out


@pytest.fixture(scope="module")
def dyestuff():
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    return model.sample(draws=500, chains=2, seed=1, progress=False)


# ---- evidence ------------------------------------------------------------------------------------------------------


def test_evidence_is_the_integral_of_likelihood_and_prior(dyestuff):
    """One grouping factor, two parameters left after the mean is integrated out: a grid does it."""
    post = dyestuff
    design, priors = post.design, post.priors
    mu, scale = priors.fixed[0].arguments
    rate_tau, rate_sigma = priors.sd[0][0].arguments[0], priors.dispersion.arguments[0]
    Z = np.eye(6)[design.terms[0].codes]

    def joint(log_tau, log_sigma):
        tau, sigma = np.exp(log_tau)[:, None, None], np.exp(log_sigma)[:, None, None]
        V = sigma**2 * np.eye(30) + tau**2 * Z @ Z.T + scale**2
        prior = np.log(rate_tau * tau * rate_sigma * sigma) - rate_tau * tau - rate_sigma * sigma
        residual = design.y - mu
        squares = np.sum(
            residual * np.linalg.solve(V, np.broadcast_to(residual[:, None], (len(V), 30, 1)))[..., 0], axis=1
        )
        return -0.5 * (np.linalg.slogdet(2.0 * np.pi * V)[1] + squares) + prior[:, 0, 0]

    log_tau, log_sigma = np.linspace(-4.0, 7.0, 90), np.linspace(3.0, 5.2, 45)
    values = joint(*(axis.ravel() for axis in np.meshgrid(log_tau, log_sigma)))
    cell = (log_tau[1] - log_tau[0]) * (log_sigma[1] - log_sigma[0])
    exact = np.logaddexp.reduce(values, axis=None) + np.log(cell)
    found, error = post.log_evidence
    assert 0.0 < error < 0.05
    assert abs(found - exact) < 4.0 * error + 1e-3


def test_bayes_factors(dyestuff):
    narrow = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors={"sd": "HalfNormal(0.1)"})
    other = narrow.sample(draws=500, chains=2, seed=1, progress=False)
    found, turned = bmx.bayes_factor(dyestuff, other), bmx.bayes_factor(other, dyestuff)
    assert found["log_bayes_factor"] == -turned["log_bayes_factor"] > 0.0
    np.testing.assert_allclose(found["probability"] + turned["probability"], 1.0)
    np.testing.assert_allclose(found["bayes_factor"] * turned["bayes_factor"], 1.0)


def test_fits_without_evidence_say_so(posterior_of, dyestuff):
    with pytest.raises(SpecError, match="Only the marginal sampler with proper priors"):
        _ = posterior_of("cbpp").log_evidence
    flat = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors="flat")
    with pytest.raises(SpecError, match="proper priors"):
        _ = flat.sample(draws=20, chains=2, seed=1, progress=False).log_evidence
    with pytest.raises(SpecError, match="different responses"):
        bmx.bayes_factor(dyestuff, posterior_of("cbpp"))


# ---- cross-validation ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_refits_and_evidence_agree(dyestuff):
    """p(y) / p(y without a group) is what the density of the group averages to over the refit's draws."""
    codes = dyestuff.design.terms[0].codes
    longer = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    longer = longer.sample(draws=5000, chains=2, seed=1, progress=False)  # averages of 1000 draws have errors of 0.04
    for level in (1, 4):
        by_evidence = left_out(longer, codes != level, 3)
        by_draws = left_out(longer, codes != level, 3, by_evidence=False)
        assert abs(by_evidence - by_draws) < 0.05


def test_groups_left_out_by_refits_and_by_weights_agree(dyestuff):
    exact = dyestuff.logo(refit="all")
    assert list(exact.elpd_i.shape) == [6]
    quick = dyestuff.logo("Batch", refit=False)
    assert str(quick).startswith("Expected log predictive density of 6 levels of Batch, by ")
    assert "elpd_logo" in str(quick)
    np.testing.assert_allclose(quick.elpd_i, exact.elpd_i, atol=0.25)
    np.testing.assert_allclose(exact.elpd, exact.elpd_i.sum(), rtol=1e-12)
    np.testing.assert_allclose(exact.se, np.sqrt(6 * exact.elpd_i.values.var()), rtol=1e-12)
    np.testing.assert_array_equal(exact.pareto_k, np.zeros(6))  # nothing is approximated
    assert not exact.warning
    np.testing.assert_allclose(exact.p + exact.elpd, quick.p + quick.elpd, rtol=1e-10)  # the density of the data


@pytest.mark.slow
def test_refits_of_few_draws_tell_the_same_density():
    """Of a quarter of the draws: their error is that of two marginal likelihoods."""
    data = bmx.load_dataset("Salamanders").iloc[::4]
    model = bmx.Model(["count ~ mined + (1 | site)", "hu ~ mined"], data, family="hurdle_poisson")
    post = model.sample(seed=1, progress=False)
    keep, (whole, error) = np.arange(len(data)) != 3, post.log_evidence
    again, _ = cross_validation._refit(post, keep, 1)
    shorter, _ = cross_validation._refit(post, keep, 1, draws=cross_validation._enough(post))
    assert shorter.values.lead == (4, 250)
    assert error < 0.02
    own = [one.log_evidence[1] for one in (again, shorter)]
    assert left_out(post, keep, 1) == pytest.approx(whole - again.log_evidence[0], abs=5.0 * np.hypot(*own))


@pytest.mark.parametrize(("error", "draws"), [(0.002, 250), (0.0149, 250), (0.02, None), (None, None)])
def test_fewer_draws_where_the_marginal_likelihood_is_precise(error, draws):
    certificate = {} if error is None else {"log_evidence_error": error}
    post = SimpleNamespace(draws=SimpleNamespace(certificate=certificate), values=SimpleNamespace(lead=(4, 1000)))
    assert cross_validation._enough(post) == draws


@pytest.mark.slow
def test_leaving_rows_out(dyestuff):
    quick = dyestuff.loo(refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(quick.elpd, loo(dyestuff.data).elpd, rtol=1e-10)
    longer = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    longer = longer.sample(draws=2000, chains=2, seed=1, progress=False)  # smoothed weights are noisy in the tail
    folds = longer.kfold(30)
    np.testing.assert_allclose(folds.elpd_i, longer.loo(refit=False).elpd_i, atol=0.1)
    assert "elpd_kfold" in str(folds)
    assert "loo" not in str(folds)
    assert str(folds).endswith("All rows were left out by refits.")
    grouped = dyestuff.kfold(3, "Batch", seed=2)
    assert grouped.elpd < folds.elpd  # new batches are harder to predict than new rows of known ones


def test_folds_that_are_finished_are_kept(dyestuff, tmp_path, monkeypatch):
    """Stopped in the third of four, the others are fitted; another division of the rows is another study."""
    fitted = []

    def held_out(post, keep, seed):
        fitted.append(seed)
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return -np.arange(1.0, np.sum(~keep) + 1.0) / 3.0

    monkeypatch.setattr(cross_validation, "_held_out", held_out)
    path = tmp_path / "folds.jsonl"
    with pytest.raises(KeyboardInterrupt):
        dyestuff.kfold(4, progress=False, checkpoint=path)
    resumed = dyestuff.kfold(4, progress=False, checkpoint=path)
    assert len(fitted) == 5  # the third twice
    np.testing.assert_array_equal(resumed.elpd_i, dyestuff.kfold(4, progress=False).elpd_i)
    with pytest.raises(bmx.DataError, match="not a checkpoint of this study"):
        dyestuff.kfold(4, seed=1, progress=False, checkpoint=path)


@pytest.mark.parametrize(
    "verb", [lambda post, **kept: post.logo(refit="all", **kept), lambda post, **kept: post.loo(refit=True, **kept)]
)
def test_refits_that_are_finished_are_kept(dyestuff, tmp_path, monkeypatch, verb):
    """Stopped in the third of all, the others are fitted; those of other draws have other densities."""
    fitted = []

    def exact(post, keep, seed):
        fitted.append(seed)
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return -np.sum(np.flatnonzero(~keep)) / 3.0

    monkeypatch.setattr(cross_validation, "left_out", exact)
    monkeypatch.setattr(elpd, "GOOD_K", -9.0)  # all rows have a higher one
    path = tmp_path / "refits.jsonl"
    with pytest.raises(KeyboardInterrupt):
        verb(dyestuff, progress=False, checkpoint=path)
    resumed = verb(dyestuff, progress=False, checkpoint=path)
    assert len(fitted) == len(resumed.elpd_i) + 1  # the third twice
    np.testing.assert_array_equal(resumed.elpd_i, verb(dyestuff, progress=False).elpd_i)
    with pytest.raises(bmx.DataError, match="not a checkpoint of this study"):
        verb(dyestuff, seed=1, progress=False, checkpoint=path)
    other = bmx.Posterior(dyestuff.fitted_model, replace(dyestuff.draws, certificate={}), dyestuff.priors)
    with pytest.raises(bmx.DataError, match="not a checkpoint of this study"):
        verb(other, progress=False, checkpoint=path)


def test_high_k_is_refitted(dyestuff):
    """An outlier alone in its batch's tail: PSIS fails, the refit does not."""
    data = bmx.load_dataset("Dyestuff")
    data.loc[2, "Yield"] += 700.0
    post = bmx.Model("Yield ~ 1 + (1 | Batch)", data).sample(draws=500, chains=2, seed=1, progress=False)
    quick, exact = post.loo(refit=False), post.loo()
    bad = np.flatnonzero(quick.pareto_k.values > quick.good_k)
    assert len(bad)
    expected = [left_out(post, np.arange(30) != row, 0) for row in bad]
    np.testing.assert_allclose(exact.elpd_i.values[bad], expected, rtol=1e-12)
    assert not exact.warning
    assert exact.elpd < quick.elpd
    assert exact.refitted.tolist() == bad.tolist()
    assert f"{len(bad)} of 30 rows had a high Pareto k and were left out by refits." in str(exact)
    highest = np.delete(quick.pareto_k.values, bad).max()
    assert f"Pareto k of the others is at most {highest:.2f} (limit {quick.good_k:.2f})." in str(exact)
    assert str(quick).endswith(
        f"{len(bad)} of 30 rows are above it: their densities are not to be trusted. Next: refit=True"
    )
    assert pickle.loads(pickle.dumps(exact)).elpd == exact.elpd


def test_models_are_ranked(dyestuff, posterior_of):
    other = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors={"sd": "HalfNormal(0.1)"})
    table = bmx.loo_compare({"wide": dyestuff, "narrow": other.sample(draws=500, chains=2, seed=1, progress=False)})
    assert list(table.index) == ["wide", "narrow"]
    np.testing.assert_allclose(table["weight"].sum(), 1.0)
    with pytest.raises(SpecError, match="two or more posteriors"):
        bmx.loo_compare({"one": dyestuff})
    with pytest.raises(SpecError, match="different responses or rows"):
        bmx.loo_compare({"one": dyestuff, "two": posterior_of("cbpp")})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda post: post.logo("batch"), r"`batch` is not a grouping factor\. Did you mean `Batch`"),
        (lambda post: post.kfold(2, "bach"), r"`bach` is not a grouping factor\. Did you mean `Batch`"),
        (lambda post: post.kfold(1), "k=1 folds cannot be made of 30 rows"),
        (lambda post: post.kfold(7, "Batch"), "k=7 folds cannot be made of 6 levels of Batch"),
    ],
)
def test_wrong_options(dyestuff, call, message):
    with pytest.raises(SpecError, match=message):
        call(dyestuff)


@pytest.mark.parametrize("is_found", [True, False])
def test_parts_without_a_gaussian_approximation_are_sampled_by_nuts(monkeypatch, is_found):
    """Or with one whose certificate fails: its draws were averaged over all the same."""
    from bayesmix.inference.sampling.marginal.t_mixture import ApproximationError

    frame = {"y": np.random.default_rng(1).normal(size=12), "x": np.arange(12.0)}
    post, asked = bmx.Model("y ~ x", frame).sample(draws=50, chains=2, seed=1, method="marginal"), []

    def again(fit, method, schedule, **options):
        asked.append(method)
        if isinstance(method, bmx.Marginal):
            if not is_found:
                raise ApproximationError("none")
            bad = replace(fit.draws, certificate={"pareto_k": np.inf})
            return bmx.Posterior(fit.fitted_model, bad, fit.priors)
        return fit

    monkeypatch.setattr(cross_validation, "sample_again", again)
    cross_validation.left_out(post, np.arange(12) > 0, 1)
    assert [type(method) for method in asked] == [bmx.Marginal, bmx.Nuts]
