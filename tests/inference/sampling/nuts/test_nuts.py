"""NUTS: when it runs again and what an interruption leaves (fast), its posteriors against Stan's and bambi's (slow)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from stan import GENERALIZED as CASES
from stan import POSTERIORS as STAN
from stan import name_of as stan_name

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.inference.sampling.nuts import nuts
from bayesmix.inference.sampling.nuts.nuts import Nuts, Run, Sampled, too_short, until_good
from bayesmix.parallel.progress import ChainsBar

MCSE = 4.5  # combined Monte Carlo standard errors that any of about a hundred means may be off
DRAWS = {"draws": 1000, "chains": 4, "seed": 11, "method": Nuts(), "progress": False}


# ---- once more, or longer -------------------------------------------------------------------------------------------

RUN = Run(draws=400, chains=4, tune=100, target_accept=0.9, seed=1, progress=False)


class Toy:
    """A sampler that gives what it is told, run by run."""

    def __init__(self, *found):
        self.left, self.runs = list(found), []

    def __call__(self, run):
        self.runs.append(run)
        return self.left.pop(0)


def sampled(*, diverged=0, apart=0.0, slow=False, draws=400, interrupted=False):
    """Draws of one number: chains ``apart`` from each other, or all of them going slowly up and down."""
    values = np.random.default_rng(2).standard_normal((4, draws))
    if slow:
        values = np.sin(2.0 * np.pi * np.arange(draws) / 50.0) + 0.01 * values
    values += apart * np.arange(4)[:, None]
    diverging = np.zeros((4, draws), bool)
    diverging.flat[:diverged] = True
    return Sampled(Parameters(values[..., None], (), (), (), None), {"diverging": diverging}, interrupted)


def test_a_good_run_is_not_repeated():
    toy = Toy(sampled())
    assert until_good(toy, RUN)[1] == ()
    assert toy.runs == [RUN]


def test_divergences_are_met_by_a_higher_target_once():
    toy = Toy(sampled(diverged=3), sampled(diverged=1))
    found, notes = until_good(toy, RUN)
    assert found.divergences == 1
    assert [run.target_accept for run in toy.runs] == [0.9, nuts.SECOND_TARGET]
    assert notes == ("3 of 1600 transitions diverged at target_accept=0.9; the run was repeated at 0.99.",)


@pytest.mark.parametrize(
    ("short", "note"),
    [({"apart": 0.5}, "R-hat was 1."), ({"slow": True}, "The smallest effective sample size was")],
)
def test_chains_that_disagree_or_hardly_move_are_made_longer(short, note):
    toy = Toy(sampled(**short), sampled())
    _, notes = until_good(toy, RUN)
    assert [run.thin for run in toy.runs] == [1, nuts.LONGER]
    assert len(notes) == 1
    assert notes[0].startswith(note)
    assert "repeated with 3 times as many, of which one in 3 is kept" in notes[0]


def apart(part):
    """Parameters of a term of two effects; one number of one of their kinds differs between chains."""
    rng = np.random.default_rng(3)
    arrays = {
        "beta": rng.standard_normal((4, 400, 2)),
        "sd": rng.standard_normal((4, 400, 2)),
        "corr": rng.standard_normal((4, 400, 2, 2)),
        "b": rng.standard_normal((4, 400, 5, 2)),
        "dispersion": rng.standard_normal((4, 400)),
    }
    if part:
        name, at = part
        arrays[name][(..., *at)] += np.arange(4)[:, None]
    return Parameters(arrays["beta"], (arrays["sd"],), (arrays["corr"],), (arrays["b"],), arrays["dispersion"])


@pytest.mark.parametrize("part", [("beta", (1,)), ("sd", (0,)), ("corr", (1, 0)), ("b", (3, 1)), ("dispersion", ())])
def test_chains_are_compared_by_every_parameter(part):
    assert too_short(apart(part)).startswith("R-hat was 1.")


@pytest.mark.parametrize("part", [None, ("corr", (0, 0)), ("corr", (0, 1))])
def test_numbers_that_are_no_parameters_do_not_count(part):
    """The diagonal of a correlation matrix, and its upper triangle, which is the lower one again."""
    assert too_short(apart(part)) == ""


def test_an_interrupted_run_is_not_repeated():
    toy = Toy(sampled(diverged=5, apart=1.0, draws=150, interrupted=True))
    found, notes = until_good(toy, RUN)
    assert len(toy.runs) == 1
    assert found.parameters.lead == (4, 150)
    assert notes == ("Sampling was interrupted: 150 of 400 draws of each of 4 chains are kept.",)


class Pressed:
    """nutpie's sampler while somebody presses Ctrl-C."""

    def __init__(self, tree):
        self.tree = tree

    def wait(self):
        raise KeyboardInterrupt

    def abort(self):
        return self.tree


def test_ctrl_c_keeps_the_draws_so_far():
    import xarray as xr

    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"values": (("chain", "draw", "m"), np.ones((2, 30, 3)))})})
    assert nuts._wait([Pressed(tree)], ChainsBar("NUTS", 10, is_shown=False)) == ([tree], True)


def test_ctrl_c_during_warm_up_leaves_nothing():
    import xarray as xr

    with pytest.raises(KeyboardInterrupt):
        nuts._wait(
            [Pressed(xr.DataTree.from_dict({"sample_stats": xr.Dataset()}))], ChainsBar("NUTS", 10, is_shown=False)
        )


def test_chains_cut_short_are_brought_to_one_length():
    values = np.full((4, 100, 2), np.nan)
    for chain, length in enumerate((100, 60, 0, 20)):
        values[chain, :length] = 1.0
    chains, draws = nuts._complete(values)
    np.testing.assert_array_equal(chains, [0, 1])
    assert draws == 60
    with pytest.raises(KeyboardInterrupt):
        nuts._complete(values[2:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "numpiro"}, "Backend `numpiro` of NUTS does not exist. Did you mean `numpyro`?"),
        ({"tune": 0}, "Nuts needs tune >= 1"),
        ({"target_accept": 1.0}, "target_accept between 0 and 1"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        Nuts(**options)


def test_a_backend_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(nuts, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="Backend `blackjax` of NUTS is not installed: pip install blackjax"):
        Nuts(backend="blackjax")


# ---- sampling -------------------------------------------------------------------------------------------------------


def an_effect_each_row(seed):
    rng = np.random.default_rng(seed)
    data = {"row": [f"r{j}" for j in range(40)], "x": rng.normal(size=40), "y": rng.negative_binomial(3, 0.5, 40)}
    return bmx.Model("y ~ x + (1 | row)", data, family="poisson")


@pytest.mark.slow
def test_an_effect_of_each_row_is_sampled():
    post = an_effect_each_row(0).sample(draws=50, chains=1, seed=1, method=Nuts(tune=100), progress=False)
    assert post.values.b[0].shape == (1, 50, 40, 1)


# ---- Stan ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_posteriors_are_stans(case):
    formula, family, priors = CASES[case]
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    assert len(given["priors"]) <= len(priors)
    model = bmx.Model(formula, bmx.load_dataset(given["data"]), family=family, priors=priors)
    post = model.sample(**DRAWS)
    assert post.divergences == 0
    assert post.converged
    table = post.parameters()
    for name, row in table.iterrows():
        expected = given["parameters"][stan_name(name)]
        error = np.hypot(row["sd"] / np.sqrt(row["ess_bulk"]), expected["mcse_mean"])
        assert abs(row["mean"] - expected["mean"]) < MCSE * error, name
        spread = np.hypot(2.0 * row["sd"] / np.sqrt(row["ess_tail"]), expected["mcse_sd"])  # kurtosis up to 17
        assert abs(row["sd"] - expected["sd"]) < MCSE * spread, name
    for group, levels in post.ranef().items():
        for level, effects in levels.iterrows():
            for effect, value in effects.items():
                expected = given["parameters"][f"r_{group}[{str(level).replace(' ', '.')},{effect}]"]
                error = np.hypot(expected["sd"] / np.sqrt(500.0), expected["mcse_mean"])
                assert abs(value - expected["mean"]) < MCSE * error, (group, level, effect)


@pytest.mark.slow
def test_nuts_and_the_marginal_sampler_agree(model):
    """Two engines, one posterior: sleepstudy's, default priors."""
    nuts = model("sleepstudy").sample(**DRAWS).parameters()
    marginal = model("sleepstudy").sample(**(DRAWS | {"method": "marginal", "draws": 4000})).parameters()
    error = np.hypot(nuts["sd"] / np.sqrt(nuts["ess_bulk"]), marginal["sd"] / np.sqrt(marginal["ess_bulk"]))
    assert np.all(np.abs(nuts["mean"] - marginal["mean"]) < MCSE * error)
    np.testing.assert_allclose(nuts["sd"], marginal["sd"], rtol=0.15)


@pytest.mark.slow
def test_a_seed_repeats_every_draw(model):
    first, second, other = (
        model("cbpp").sample(draws=50, chains=2, seed=seed, method=Nuts(tune=100), progress=False) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.values.beta, second.values.beta)
    np.testing.assert_array_equal(first.values.b[0], second.values.b[0])
    assert not np.array_equal(first.values.beta, other.values.beta)


PROCESS = """
import hashlib
import bayesmix as bmx
formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
model = bmx.Model(formula, bmx.load_dataset("cbpp"), family="binomial")
post = model.sample(draws=50, chains=2, seed=1, method=bmx.Nuts(tune=100), progress=False)
print(hashlib.sha256(post.values.beta.tobytes() + post.values.b[0].tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_seed_repeats_every_draw_in_another_process_on_a_warm_cache(tmp_path):
    environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    said, seconds = [], []
    for _ in range(2):
        begin = time.perf_counter()
        command = [sys.executable, "-c", PROCESS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - begin)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert len(said[0].strip()) == 64
    assert seconds[1] < seconds[0], "the second process did not find the compiled code"


@pytest.mark.slow
def test_draws_obey_the_models_own_identities(model):
    """The deterministics read back: covariance of the effects drawn for many levels is the drawn covariance."""
    post = model("sleepstudy").sample(draws=200, chains=2, seed=3, method=Nuts(tune=300), progress=False)
    assert post.method == "nuts"
    assert post.values.lead == (2, 200)
    (sd,), (corr,), (b,) = post.values.sd, post.values.corr, post.values.b
    assert np.all(sd > 0.0)
    np.testing.assert_array_equal(corr, np.swapaxes(corr, -1, -2))
    assert np.all(np.linalg.eigvalsh(covariance(sd, corr)) > 0.0)
    assert b.shape == (2, 200, 18, 2)
    assert {"diverging", "energy", "lp", "n_steps", "step_size", "acceptance_rate"} <= set(post.draws.stats)


@pytest.mark.slow
def test_ctrl_c_while_sampling(model):
    """A real one: the signal reaches the thread that waits."""
    timer = threading.Timer(6.0, lambda: os.kill(os.getpid(), signal.SIGINT))  # starts take a second or two
    run = model("cbpp").sample(draws=20, chains=1, seed=1, method=Nuts(tune=20), progress=False)  # compiled by now
    assert run.draws.notes == ()
    timer.start()
    post = model("cbpp").sample(draws=2_000_000, chains=2, seed=1, method=Nuts(tune=100), progress=False)
    timer.join()
    chains, draws = post.values.lead
    assert 10 <= draws < 2_000_000
    (note,) = post.draws.notes
    assert note == f"Sampling was interrupted: {draws} of 2000000 draws of each of {chains} chains are kept."
    assert np.all(np.isfinite(post.values.beta))


@pytest.mark.slow
def test_pymcs_own_sampler_finds_the_same(model):
    ours = model("cbpp").sample(**DRAWS).parameters()
    options = {"draws": 500, "chains": 2, "seed": 3, "progress": False}
    theirs = model("cbpp").sample(**options, method=Nuts(backend="pymc")).parameters()
    error = np.hypot(ours["sd"] / np.sqrt(ours["ess_bulk"]), theirs["sd"] / np.sqrt(theirs["ess_bulk"]))
    assert np.all(np.abs(ours["mean"] - theirs["mean"]) < MCSE * error)


# ---- bambi ----------------------------------------------------------------------------------------------------------

BAMBI = {
    "independent slopes": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", "gaussian"),
    "counts": ("ncases ~ ncontrols + (1 | agegp)", "esoph", "poisson"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAMBI)
def test_posteriors_are_bambis(case):
    """The same model written and built by bambi, under the same priors, by PyMC's sampler."""
    import arviz as az

    formula, data, family = BAMBI[case]
    model = bmx.Model(formula, bmx.load_dataset(data), family=family)
    ours = model.sample(**DRAWS).parameters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = model.to_bambi().fit(
            draws=1000,
            tune=1000,
            chains=4,
            random_seed=5,
            target_accept=0.95,
            progressbar=False,
            inference_method="nutpie",
        )
    summary = az.summary(theirs, round_to="none")
    named = {"Intercept": "Intercept", "sigma": "sigma"}
    for name in ours.index:
        if name.startswith("sd("):
            group, effect = name[3:-1].split(", ")
            named[name] = f"{'1' if effect == 'Intercept' else effect}|{group}_sigma"
        else:
            named.setdefault(name, name)
    for name, row in ours.iterrows():
        other = summary.loc[named[name]]
        error = np.hypot(row["sd"] / np.sqrt(row["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
        assert abs(row["mean"] - other["mean"]) < MCSE * error, name
        spread = 2.0 * np.hypot(row["sd"] / np.sqrt(row["ess_tail"]), other["sd"] / np.sqrt(other["ess_tail"]))
        assert abs(row["sd"] - other["sd"]) < MCSE * spread, name
