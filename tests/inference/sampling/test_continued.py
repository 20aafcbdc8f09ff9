"""Draws of several runs as one posterior."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.continued import check_continued, joined, seed_after
from bayesmix.inference.sampling.draws import Draws


def run(draws, *, fill, thin=0, **certificate):
    """Draws of two chains, all numbers alike."""
    lead = (2, draws)
    values = Parameters(
        np.full((*lead, 3), fill),
        (np.full((*lead, 2), fill),),
        (np.full((*lead, 2, 2), fill),),
        () if thin else (np.full((*lead, 4, 2), fill),),
        np.full(lead, fill),
    )
    fewer = Parameters(*(part[:, : draws // thin] for part in (values.beta,)), (), (), (), None) if thin else None
    return Draws(values, {"lp": np.full(lead, fill)}, "marginal", ("Said once.",), certificate, fewer, seed=3)


def test_runs_are_put_one_after_the_other():
    whole = joined([run(4, fill=1.0), run(6, fill=2.0)])
    values = whole.parameters
    for part in (values.beta, values.sd[0], values.corr[0], values.b[0], values.dispersion, whole.stats["lp"]):
        assert part.shape[:2] == (2, 10)
        np.testing.assert_array_equal(np.unique(part[:, :4]), [1.0])
        np.testing.assert_array_equal(np.unique(part[:, 4:]), [2.0])
    assert whole.notes == ("Said once.",)
    assert whole.seed == 3


def test_the_certificate_is_of_the_worst():
    first = run(
        100, fill=0.0, pareto_k=0.1, acceptance=0.9, evaluations=10.0, log_evidence=-10.0, log_evidence_error=0.3
    )
    other = run(
        300, fill=0.0, pareto_k=0.4, acceptance=0.3, evaluations=20.0, log_evidence=-12.0, log_evidence_error=0.4
    )
    found = joined([first, other]).certificate
    assert found == {
        "pareto_k": 0.4,
        "acceptance": 0.3,
        "evaluations": 30.0,
        "log_evidence": pytest.approx(-11.5),
        "log_evidence_error": pytest.approx(np.hypot(0.25 * 0.3, 0.75 * 0.4)),
    }


def test_thinned_runs_stay_thinned():
    whole = joined([run(10, fill=1.0, thin=5), run(20, fill=2.0, thin=5)])
    assert whole.parameters.b == ()
    assert whole.with_effects.lead == (2, 6)


def test_seeds_follow_from_where_a_run_begins():
    assert seed_after(7, 0) == 7
    assert len({seed_after(seed, start) for seed in (1, 2) for start in (0, 500, 1000)}) == 6


def test_approximations_are_not_continued():
    with pytest.raises(SpecError, match=r'Draws of advi are .* method="auto"'):
        check_continued("advi")


def test_extended_posteriors_are_as_long_as_was_asked(fitted):
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    post = model.sample(draws=100, seed=1, progress=False)
    more = post.extend(50, progress=False)
    assert more.values.lead == (4, 150)
    np.testing.assert_array_equal(more.values.beta[:, :100], post.values.beta)
    again = post.extend(50, progress=False)
    np.testing.assert_array_equal(again.values.beta, more.values.beta)
    assert len(np.unique(more.values.beta)) > len(np.unique(post.values.beta))
    with pytest.raises(SpecError, match="at least one more draw"):
        post.extend(0)


@pytest.mark.slow
def test_chains_of_nuts_go_on_as_exact_draws_do():
    """Means and standard deviations of continued chains are the exact ones, and no chain starts anew."""
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    exact = model.sample(draws=4000, seed=5, method="marginal", progress=False).parameters()
    post = model.sample(draws=500, seed=2, method="nuts", progress=False)
    whole = post.extend(1000, progress=False).extend(1000, progress=False)
    found = whole.parameters()
    assert whole.converged
    error = found["sd"] * np.sqrt(1 / found["ess_bulk"] + 1 / exact["ess_bulk"])
    assert np.all(np.abs(found["mean"] - exact["mean"]) < 4 * error)
    np.testing.assert_allclose(found["sd"], exact["sd"], rtol=0.1)
    part = whole.values.beta[:, 500:]
    assert np.abs(part[:, 0] - post.values.beta[:, -1]).max() < 6 * post.values.beta.std()
