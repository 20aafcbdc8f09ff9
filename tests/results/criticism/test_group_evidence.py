"""Whether a posterior needs a group: Bayes factors against quadrature of the marginal likelihood, and small shares."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.results.criticism import group_evidence
from bayesmix.results.criticism.group_evidence import small_share

PRIORS = {"fixed": "Normal(1500, 100)", "sd(Batch)": "HalfNormal(50)", "sigma": "HalfNormal(100)"}


@pytest.fixture(scope="module")
def post() -> bmx.Posterior:
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors=PRIORS)
    return model.sample(draws=500, chains=2, seed=1, progress=False)


def evidence(*, has_group: bool) -> float:
    """Marginal likelihood of the 30 yields: the intercept integrated out, the standard deviations on a grid.

    The mean, the 5 contrasts of batches and the 24 within them are independent, whatever the standard deviations.
    """
    y = bmx.load_dataset("Dyestuff")["Yield"].to_numpy(float).reshape(6, 5) - 1500.0
    means = y.mean(axis=1)
    squares = 30.0 * y.mean() ** 2, 5.0 * np.sum((means - y.mean()) ** 2), np.sum((y - means[:, None]) ** 2)
    sigma, tau = np.linspace(20.0, 200.0, 400)[:, None], np.linspace(0.0, 300.0, 400)
    tau = tau if has_group else np.zeros(1)
    between = sigma**2 + 5.0 * tau**2
    variances = between + 30.0 * 100.0**2, between, sigma**2 + 0.0 * tau
    log_density = sum(
        -0.5 * (n * np.log(2.0 * np.pi * variance) + square / variance)
        for n, variance, square in zip((1, 5, 24), variances, squares, strict=True)
    )
    weighted = np.exp(log_density) * stats.halfnorm.pdf(sigma, scale=100.0)
    over_sigma = np.trapezoid(weighted, sigma, axis=0)
    return float(np.trapezoid(over_sigma * stats.halfnorm.pdf(tau, scale=50.0), tau) if has_group else over_sigma[0])


def test_the_bayes_factor_is_the_ratio_of_marginal_likelihoods(post: bmx.Posterior) -> None:
    """The prior of the group's standard deviation goes with the group."""
    table = post.test_group("Batch", seed=2, progress=False)
    wanted = np.log(evidence(has_group=True) / evidence(has_group=False))
    assert table["log_bayes_factor"].iloc[0] == pytest.approx(wanted, abs=0.05)
    assert f"`Batch` is needed: the data are {table['bayes_factor'].iloc[0]:.3g} times as probable" in str(table)


def test_the_share_of_small_standard_deviations(post: bmx.Posterior) -> None:
    sd, sigma = post.values.sd[0][..., 0], post.values.dispersion
    assert small_share(post, "Batch") == pytest.approx(np.mean(sd < 0.1 * np.asarray(sigma)))


def test_without_evidence_there_is_the_share_alone() -> None:
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors="flat")
    table = model.sample(draws=50, chains=2, seed=1, progress=False).test_group("Batch", progress=False)
    assert table["bayes_factor"].isna().all()
    assert table["small"].notna().all()
    assert table.attrs["notes"][0].startswith("No Bayes factor: ")


def test_another_group_is_refused(post: bmx.Posterior) -> None:
    with pytest.raises(bmx.SpecError, match=r"`batch` is not a grouping factor of the model\. Did you mean `Batch`"):
        post.test_group("batch")


def test_a_smaller_model_by_nuts_is_said_to_be_the_one_without_evidence(post: bmx.Posterior, monkeypatch) -> None:
    """It said to sample with the marginal sampler, as had been done of the posterior at hand."""

    class ByNuts(SimpleNamespace):
        @property
        def log_evidence(self) -> float:
            raise bmx.SpecError("Only the marginal sampler gives one.")

    monkeypatch.setattr(group_evidence, "sampled_like", lambda *_, **__: ByNuts(method="nuts"))
    table = post.test_group("Batch", progress=False)
    assert table["bayes_factor"].isna().all()
    expected = "No Bayes factor: the posterior without `Batch` was drawn by nuts, which has no marginal likelihood."
    assert table.attrs["notes"] == (expected,)
