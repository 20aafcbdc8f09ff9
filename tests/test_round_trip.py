"""Round trips: what every verb of every family gives is the same saved, pickled, and in another process, to the bit."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import round_trip
from conftest import around
from daily import day
from every_family import data_of, formulas_of

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES

QUICK = "exponential"
SIZE = 7  # families a process
NAMES = list(FAMILIES)
REFITTED = {"gaussian", "poisson", "zero_inflated_poisson", "cumulative", "student"}  # by verbs that fit again
PRIME = 101  # so that days that follow each other have other families
CELLS = list(product(NAMES, ("estimate", "posterior")))
SHARE = 3  # of the verbs of a cell one in so many a day
HOWS = ("loaded", "pickled")
WHOLE = "BAYESMIX_ROUND_TRIPS" in os.environ
CHUNKS = [NAMES[begin : begin + SIZE] for begin in range(0, len(NAMES), SIZE)]
pytestmark = pytest.mark.filterwarnings("ignore::bayesmix.BayesmixWarning")


def fits(name):
    """An estimate and a posterior around it, whose standard deviations are not zero; NUTS alone has others."""
    model = bmx.Model(formulas_of(name), data_of(name), family=name)
    if FAMILIES[name].smooth is not None:
        return {"posterior": model.sample(60, 2, seed=1, method="nuts", progress=False)}
    estimate = model.estimate()
    post = around(estimate, model, chains=2, draws=20, spread=0.05)
    values = replace(post.values, sd=tuple(np.maximum(sd, 0.1) for sd in post.values.sd))
    return {
        "estimate": estimate,
        "posterior": bmx.Posterior(post.fitted_model, replace(post.draws, parameters=values), model.priors),
    }


def keep(found, folder):
    for name, fit in found.items():
        fit.save(folder / f"{name}.zarr")
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(fit))


def verbs(fit, *, with_dear=False):
    """Of a posterior made by hand or by NUTS those that draw nothing anew."""
    left = set() if with_dear else round_trip.DEAR
    if not round_trip.of_estimate(fit):
        left = left | round_trip.SAMPLING | {"test_group"}
    return [name for name in round_trip.verbs(type(fit)) if name not in left]


def differing(found, others):
    return {name: (outcome, others[name]) for name, outcome in found.items() if outcome != others[name]}


def elsewhere(folder, wanted, **environment):
    """Digests of another process, of ``"NAME, loaded"`` and ``"NAME, pickled"``."""
    command = [sys.executable, str(Path(__file__).with_name("round_trip.py")), str(folder), json.dumps(wanted)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout.splitlines()[-1])


def check_elsewhere(found, names, folder, hows=HOWS, **environment):
    keep(found, folder)
    there = elsewhere(folder, {f"{name}, {how}": names[name] for name in found for how in hows}, **environment)
    for name, fit in found.items():
        here = round_trip.digests(fit, names[name])
        for how in hows:
            assert differing(here, there[f"{name}, {how}"]) == {}, f"{name}, {how}"


def test_verbs_are_called_as_they_are():
    known = set(round_trip.verbs(bmx.Estimate)) | set(round_trip.verbs(bmx.Posterior))
    assert known >= set(round_trip.CALLS) | round_trip.DEAR
    assert not known & round_trip.LEFT_OUT.keys()


@pytest.mark.parametrize("kind", ["estimate", pytest.param("posterior", marks=pytest.mark.slow)])
def test_saved_and_pickled(kind, tmp_path):
    found = {kind: fits(QUICK)[kind]}
    keep(found, tmp_path)
    names = verbs(found[kind])
    here = round_trip.digests(found[kind], names)
    for other in (bmx.load(tmp_path / f"{kind}.zarr"), pickle.loads((tmp_path / f"{kind}.pickle").read_bytes())):
        assert differing(here, round_trip.digests(other, names)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(CHUNKS)))
def test_every_verb_of_every_family_elsewhere(place, tmp_path):
    found = {f"{name} {kind}": fit for name in CHUNKS[place] for kind, fit in fits(name).items()}
    names = {name: verbs(fit, with_dear=name.split()[0] in REFITTED) for name, fit in found.items()}
    check_elsewhere(found, names, tmp_path, PYTHONHASHSEED=str(place), OPENBLAS_NUM_THREADS="2")


@pytest.mark.slow
def test_verbs_that_draw_anew_elsewhere(tmp_path):
    model = bmx.Model("response ~ x + f + (1 | g)", data_of("gaussian"))
    found = {"drawn": model.sample(60, 2, seed=1, method="marginal", progress=False)}
    names = {"drawn": sorted(round_trip.SAMPLING | round_trip.REFITS)}
    assert not [text for text in round_trip.digests(found["drawn"], names["drawn"]).values() if "Error" in text]
    check_elsewhere(found, names, tmp_path, PYTHONHASHSEED="5")


def drawn(name):
    """A posterior with a certificate, from which all that fits again takes its engine; NUTS where there is none."""
    model = bmx.Model(formulas_of(name), data_of(name), family=name)
    method = "marginal" if FAMILIES[name].smooth is None else "nuts"
    return model.sample(60, 2, seed=1, method=method, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS if WHOLE else [CELLS[day().toordinal() * PRIME % len(CELLS)]], ids="-".join)
def test_verbs_that_fit_again_elsewhere(cell, tmp_path):
    """Some of one family a day, saved or pickled: all of them take most of two hours, ``BAYESMIX_ROUND_TRIPS=1``."""
    name, kind = cell
    if kind == "posterior":
        fit = drawn(name)
        names = round_trip.SAMPLING | (set() if fit.method == "nuts" else round_trip.REFITS)
    elif FAMILIES[name].smooth is None:
        names, fit = round_trip.DEAR & set(round_trip.verbs(bmx.Estimate)), fits(name)["estimate"]
    else:
        pytest.skip(f"{name} has no estimate")
    chosen = sorted(names) if WHOLE else sorted(names)[day().toordinal() // len(CELLS) % SHARE :: SHARE]
    hows = HOWS if WHOLE else (HOWS[day().toordinal() % 2],)
    check_elsewhere({kind: fit}, {kind: chosen}, tmp_path, hows=hows, PYTHONHASHSEED="5")
