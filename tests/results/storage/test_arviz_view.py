"""ArviZ's functions take a posterior as they take its data."""

from __future__ import annotations

import pickle
import subprocess
import sys

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmix as bmx


@pytest.fixture(scope="module")
def post(posterior_of):
    return posterior_of("sleepstudy", chains=2, draws=50, spread=0.05)


FEW = ["fixef", "sd_Subject", "sigma"]


def test_draws_are_those_of_the_data(post):
    xr.testing.assert_identical(az.extract(post, var_names=FEW), az.extract(post.data, var_names=FEW))


@pytest.mark.slow
def test_tables_are_those_of_the_data(post):
    own = az.summary(post, var_names=FEW)
    pd.testing.assert_frame_equal(own, az.summary(post.data, var_names=FEW))
    assert list(own.index) == ["fixef[Intercept]", "fixef[Days]", "sd_Subject[Intercept]", "sd_Subject[Days]", "sigma"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rhat", "ess", "mcse", "hdi", "eti"])
def test_diagnostics_are_those_of_the_data(post, name):
    xr.testing.assert_identical(getattr(az, name)(post), getattr(az, name)(post.data))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plot_trace", "plot_forest", "plot_rank", "plot_dist"])
def test_figures_take_a_posterior(post, name):
    figures = [getattr(az, name)(own, var_names=FEW, backend="none").viz for own in (post, post.data)]
    assert set(figures[0].children) == set(figures[1].children)


def test_groups_are_attributes(post):
    assert post.posterior["fixef"].dims == ("chain", "draw", "fixed")
    assert post.posterior.identical(post["posterior"])
    assert set(post.children) == set(post.data.children)


def test_verbs_stay_verbs_and_what_is_not_there_has_a_message(post):
    """`log_likelihood` is a group, too: `post.data` has it."""
    assert post.log_likelihood().shape == (2, 50, 180)
    with pytest.raises(AttributeError, match=r"A Posterior has no `sumary`\. Did you mean `summary`\?"):
        _ = post.sumary
    assert not hasattr(post, "_repr_mimebundle_")
    assert "children" not in dir(post)  # what tab completion offers is ours


def test_a_posterior_is_one_thing_to_others(post):
    """A DataTree is a mapping of groups: what takes fits by label takes none for one."""
    assert bmx.compare(post, causes=False).labels == ("posterior",)
    assert pd.Series([post, post]).map(type).tolist() == [bmx.Posterior] * 2
    assert np.array([post, post], dtype=object).shape == (2,)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(post)).values.beta, post.values.beta)


LATE = """
import sys
import bayesmix as bmx
post = bmx.Model("strength ~ 1 + (1 | batch)", bmx.load_dataset("Pastes")).sample(draws=10, seed=1, progress=False)
str(post.summary())
assert "xarray" not in sys.modules  # which takes longer to load than the draws
import arviz as az
print(len(az.summary(post, var_names=["fixef"])))
"""


@pytest.mark.slow  # in a process of its own
def test_arviz_may_be_imported_after_sampling():
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", LATE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"
