import numpy as np
import pytest
from residuals import model
from test_reparametrised_model import AS_WRITTEN, Both, compare

from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.inference.sampling.nuts.pymc_model import to_pymc
from bayesmix.results.fits.correlated_residuals import normalized_residuals, residual_correlation
from bayesmix.results.fits.linear_predictor import linear_predictor

DEAR = ("trial_unstr", "trial_site_ar", "trial_cosy_strata", "trial_smooth_ar")
SLOW = [pytest.param(case, marks=pytest.mark.slow) for case in DEAR]


@pytest.mark.parametrize("case", ["orthodont_arma", *SLOW])
def test_one_density_in_two_coordinates(case):
    compare(Both(model(case)), points=1)


@pytest.mark.parametrize("case", ["orthodont_ar_strata", *SLOW])
def test_log_density_is_that_of_numpy(case):
    both = Both(model(case))
    x = 0.3 * np.random.default_rng(1).standard_normal((1, both.size))
    values, design = both.parameters(x), both.design
    theirs = to_pymc(design, both.model.spec, both.priors)
    at = {name: value[0] for name, value in both.theirs(x).items()}
    found = float(theirs.compile_logp(mode=AS_WRITTEN, jacobian=False)(at))
    eta = linear_predictor(design.X, design.offset, design.terms, values)
    z = normalized_residuals(design, both.model.spec, values, eta)
    C = residual_correlation(design.data.blocks, values.beta)[0, 0]
    log_det = sum(
        len(rows) * np.linalg.slogdet(C[np.ix_(places[0], places[0])])[1]
        if np.all(places == places[0])
        else sum(np.linalg.slogdet(C[np.ix_(own, own)])[1] for own in places)
        for rows, places in design.data.blocks.by_block()
    )
    expected = -0.5 * np.sum(z**2) - 0.5 * log_det - np.sum(eta[..., design.block(1)])
    expected -= 0.5 * design.n * np.log(2.0 * np.pi)
    gamma = both.priors.contrast @ values.beta[0, 0]
    for j, prior in enumerate(both.priors.fixed):  # of numbers on their natural scale
        is_number = hasattr(prior, "link")
        own = prior.prior.log_density(prior.link.mean(gamma[j])) if is_number else prior.log_density(gamma[j])
        expected += float(own)
    for sd, priors in zip(values.sd, both.priors.sd, strict=True):
        expected += float(priors[0].log_density(sd[0, 0, 0]))
    for z in (value for name, value in at.items() if name.startswith("z_")):
        expected -= 0.5 * np.sum(z**2) + 0.5 * z.size * np.log(2.0 * np.pi)
    assert found == pytest.approx(expected, abs=1e-8)


def test_numbers_are_shown_as_reported():
    both = Both(model("orthodont_arma"))
    x = 0.3 * np.random.default_rng(1).standard_normal((1, both.size))
    theirs = to_pymc(both.design, both.model.spec, both.priors)
    outputs = theirs.replace_rvs_by_values([theirs["ar[1]"], theirs["ma[1]"]])
    function = theirs.compile_fn(outputs, inputs=theirs.value_vars, mode=AS_WRITTEN, on_unused_input="ignore")
    found = function({name: value[0] for name, value in both.theirs(x).items()})
    np.testing.assert_allclose(found, reported(both.design.layout, both.parameters(x).beta[0, 0])[-2:], rtol=1e-10)
