"""Names of families and arguments of other packages: what is advised can be followed."""

from __future__ import annotations

import inspect
import re

import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.language.families.registry import FAMILIES as OURS
from bayesmix.language.families.registry import find_family
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.spellings import ARGUMENTS, FAMILIES

# Families as the packages themselves list them: brms 2.18 and later (`.family_*`), glmmTMB 1.1.5 and later
# (`.valid_family`, `family_glmmTMB`), mgcv 1.8-41 (`family.mgcv`), MASS and stats
FAMILIES_OF = {
    "brms": "acat asym_laplace bernoulli beta beta_binomial binomial categorical com_poisson cox cratio cumulative"
    " custom dirichlet dirichlet2 dirichlet_multinomial discrete_weibull exgaussian exponential frechet gamma gaussian"
    " gen_extreme_value geometric hurdle_cumulative hurdle_gamma hurdle_lognormal hurdle_negbinomial hurdle_poisson"
    " inverse.gaussian logistic_normal lognormal mixture multinomial negbinomial negbinomial2 poisson shifted_lognormal"
    " skew_normal sratio student von_mises weibull wiener xbeta zero_inflated_asym_laplace zero_inflated_beta"
    " zero_inflated_beta_binomial zero_inflated_binomial zero_inflated_negbinomial zero_inflated_poisson"
    " zero_one_inflated_beta",
    "glmmTMB": "gaussian binomial betabinomial beta beta_family ordbeta Gamma poisson truncated_poisson genpois compois"
    " truncated_genpois truncated_compois nbinom1 nbinom2 nbinom12 truncated_nbinom1 truncated_nbinom2 t t_family"
    " tweedie lognormal skewnormal bell ziGamma",
    "mgcv": "Tweedie bcg betar clog cnorm cox.ph cpois gammals gaulss gevlss gumbls multinom mvn nb negbin ocat scat"
    " shash tw twlss ziP ziplss",
    "stats and MASS": "binomial gaussian Gamma inverse.gaussian poisson quasi quasibinomial quasipoisson"
    " negative.binomial",
}
# Arguments of the functions that fit
ARGUMENTS_OF = {
    "brms": "formula data family prior autocor data2 cov_ranef sample_prior sparse knots drop_unused_levels stanvars"
    " stan_funs save_pars save_ranef save_mevars save_all_pars init inits chains iter warmup thin cores threads opencl"
    " normalize control algorithm backend future silent seed save_model stan_model_args file file_refit empty rename",
    "glmmTMB": "formula data family ziformula dispformula weights offset contrasts na.action se verbose doFit control"
    " REML start map sparseX",
    "lme4": "formula data REML control start verbose subset weights na.action offset contrasts devFunOnly nAGQ mustart"
    " etastart family",
    "nlme": "fixed data random correlation weights subset method na.action control contrasts keep.data model naPattern",
    "ordinal": "scale nominal start subset contrasts Hess model link doFit control nAGQ threshold",
    "mgcv": "family weights subset na.action offset method optimizer control select knots sp min.sp paraPen in.out"
    " drop.unused.levels drop.intercept discrete",
    "metafor": "yi V mods random struct intercept data slab subset method dfs R Rscale sigma2 tau2 gamma2 sparse",
    "statsmodels": "endog exog exog_re exog_vc groups vc_formula re_formula reml start_params full_output"
    " freq_weights var_weights exposure missing hasconst",
    "bambi": "priors dropna auto_scale noncentered tune draws inference_method random_seed target_accept omit_offsets",
    "PyMC": "draws tune chains cores random_seed progressbar step nuts_sampler initvals init idata_kwargs"
    " discard_tuned_samples compute_convergence_checks return_inferencedata",
    "CmdStanPy": "iter_sampling iter_warmup parallel_chains adapt_delta max_treedepth show_messages",
}
OWN_ARGUMENTS = {
    name for verb in (bmx.Model, bmx.Model.estimate, bmx.Model.sample) for name in inspect.signature(verb).parameters
}

ADVISED = re.compile(r'family="(\w+)"(?:, link="(\w+)")?')


def test_families_that_we_have_are_not_refused() -> None:
    assert not FAMILIES.keys() & OURS.keys()
    assert all(name == name.lower() for name in FAMILIES)  # as they are looked up


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_refused_families_say_what_to_write(name: str) -> None:
    with pytest.raises(SpecError) as raised:
        find_family(name)
    assert FAMILIES[name] in str(raised.value)


@pytest.mark.parametrize(
    ("family", "link"),
    sorted({pair for text in [*FAMILIES.values(), *ARGUMENTS.values()] for pair in ADVISED.findall(text)}),
)
def test_families_that_are_advised_exist(family: str, link: str) -> None:
    assert make_spec("y ~ x + (1 | g)", family, link or None, None).family.name == find_family(family).name


@pytest.mark.parametrize(
    "name", sorted({text for advice in ARGUMENTS.values() for text in re.findall(r"bmx\.(\w+)", advice)})
)
def test_names_that_are_advised_are_public(name: str) -> None:
    assert name in bmx.__all__


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in FAMILIES_OF.items() for name in names.split()]
)
def test_families_of_other_packages_are_ours_or_have_an_answer(package: str, name: str) -> None:
    """A name without one was answered with the family whose letters are most alike: custom with sratio."""
    if name.lower() not in FAMILIES:
        assert find_family(name).name in OURS


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in ARGUMENTS_OF.items() for name in names.split()]
)
def test_arguments_of_other_packages_are_ours_or_have_an_answer(package: str, name: str) -> None:
    key = name.lower().replace(".", "_")
    assert key in ARGUMENTS or name in OWN_ARGUMENTS
    if name not in inspect.signature(bmx.Model).parameters:
        with pytest.raises(SpecError) as raised:
            bmx.Model("y ~ 1", {"y": [1.0, 2.0]}, **{name: 1})
        assert "Did you mean" not in str(raised.value)


def test_names_of_arguments_are_as_they_are_looked_up() -> None:
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in ARGUMENTS)
