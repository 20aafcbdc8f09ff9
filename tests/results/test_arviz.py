"""ArviZ's functions take `post.data` as it is, with readable labels."""

from __future__ import annotations

import warnings

import arviz as az
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

LABELS = ["fixef[Days]", "sd_Subject[Intercept]", "corr_Subject[Intercept, Days]", "ranef_Subject[308, Days]", "sigma"]


@pytest.fixture
def post(posterior_of):
    return posterior_of("sleepstudy", 2, 60, 0.1)


@pytest.fixture
def quiet():
    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what ArviZ says of a posterior made by hand
        yield
    plt.close("all")


def test_tables(post, quiet):
    assert set(LABELS) <= set(az.summary(post.data).index)
    assert az.loo(post.data).n_data_points == 180
    assert len(az.compare({"one": post.data, "other": post.data})) == 2
    assert set(LABELS) <= set(az.psense_summary(post.data).index)


@pytest.mark.slow
@pytest.mark.parametrize("plot", ["plot_trace_dist", "plot_forest", "plot_ppc_dist", "plot_rank", "plot_psense_dist"])
def test_figures(post, quiet, plot):
    options = {} if plot == "plot_ppc_dist" else {"var_names": ["fixef", "sd_Subject", "sigma"]}
    assert getattr(az, plot)(post.data, **options) is not None


@pytest.mark.slow
@pytest.mark.parametrize("plot", ["plot_trace", "plot_dist", "plot_forest", "plot_rank"])
def test_plots_take_the_posterior_itself(post, quiet, plot):
    assert getattr(az, plot)(post, var_names=["fixef", "sd_Subject"]) is not None


def test_groups_are_asked_for_by_name(post):
    assert post["posterior"]["sigma"].shape == (2, 60)
    with pytest.raises(TypeError, match="not iterable"):
        iter(post)
