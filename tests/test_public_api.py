"""Public names and signatures: a change here is a change for every user."""

from __future__ import annotations

import inspect

import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixError, BayesmixWarning

# names and signatures of the first release
NAMES = {
    "Model",
    "load_model",
    "compare",
    "Comparison",
    "plots",
    "studies",
    "report",
    "Estimate",
    "Posterior",
    "load",
    "resume",
    "load_dataset",
    "read_data",
    "dataset_names",
    "pedigree",
    "phylogeny",
    "Reml",
    "Ml",
    "Laplace",
    "Agq",
    "Nuts",
    "Marginal",
    "Advi",
    "Pathfinder",
    "Prior",
    "anova",
    "loo_compare",
    "bayes_factor",
    "pooling",
    "BayesmixError",
    "FormulaError",
    "SpecError",
    "DataError",
    "DesignError",
    "FitError",
    "BayesmixWarning",
    "ConvergenceWarning",
    "DroppedWarning",
    "PredictionWarning",
    "PriorWarning",
    "SourceWarning",
    "__version__",
}

PREDICT = (
    "(self, newdata=None, *, kind='mean', groups='fitted', interval=0.95, offset=None, df=None, vcov=None, seed=0, "
    "parameter=None, response=None, to=None)"
)
UPDATE = (
    "(self, formula=None, *, data=kept, family=kept, link=kept, priors=kept, weights=kept, offset=kept, "
    "contrasts=kept, data2=kept, seed=None, progress=True)"
)
SIGNATURES = {
    "Model": (
        "(formula, data, family='gaussian', link=None, priors=None, weights=None, offset=None, *, rescor=False, "
        "start=None, contrasts=None, data2=None, where='memory', data_name=None, documented=None, "
        "units=None)"
    ),
    "Model.estimate": "(self, method='auto', *, progress=True)",
    "Model.sample": (
        "(self, draws=1000, chains=4, seed=None, method='auto', *, checkpoint=None, cache=None, progress=True)"
    ),
    "Posterior.extend": "(self, draws=1000, *, progress=True)",
    "resume": "(path, *, progress=True)",
    "Model.to_pymc": "(self)",
    "Model.to_bambi": "(self)",
    "Model.from_bambi": "(model)",
    "Model.code": "(self, package)",
    "Model.prior_table": "(self, estimate=None)",
    "load": "(path)",
    "load_model": "(name, *, outside=False)",
    "load_dataset": "(name)",
    "dataset_names": "()",
    "phylogeny": "(tree, *, correlation=False)",
    "pedigree": "(data, id='id', sire='sire', dam='dam')",
    "compare": "(*fits, labels=None, documented=None, causes=None, groups=False, intervals=False, centre='mean',"
    " **by_label)",
    "Comparison.intervals": "(self, level=0.95, *, methods=None)",
    "Comparison.coverage": (
        "(self, n=500, *, methods=None, level=0.95, seed=0, executor=None, progress=True, checkpoint=None)"
    ),
    "Comparison.pooling": "(self, group=None)",
    "Comparison.to_markdown": "(self)",
    "Comparison.to_html": "(self)",
    "Comparison.plot": "(self, kind='forest', **options)",
    "plots.forest": "(*fits, documented=None, parameters=None, interval=0.95, method=None)",
    "report": "(comparison, path, *, title=None, verdict=None, units=None)",
    "Agq": "(points=9)",
    "Reml": "()",
    "Ml": "()",
    "Laplace": "()",
    "anova": (
        "(*fits, labels=None, type=None, df=None, vcov=None, test=None, replicates=None, seed=0, executor=None, "
        "progress=True, checkpoint=None)"
    ),
    "loo_compare": "(*fits, labels=None, method='stacking')",
    "bayes_factor": "(first, second)",
    "Posterior.loo": "(self, *, refit=None, seed=0, progress=True, checkpoint=None)",
    "Posterior.logo": "(self, group=None, *, refit=None, seed=0, progress=True, checkpoint=None)",
    "Posterior.kfold": "(self, k=10, group=None, *, seed=0, executor=None, progress=True, checkpoint=None)",
    "Posterior.r2": "(self, definition='nakagawa', *, response=None)",
    "Posterior.icc": "(self, *, response=None)",
    "Estimate.conditional_effects": (
        "(self, variable, by=None, *, at=None, kind='mean', groups='average', points=50, interval=0.95, df=None, "
        "vcov=None, parameter=None, response=None)"
    ),
    "Estimate.marginal_means": (
        "(self, *variables, by=None, at=None, kind='mean', groups='average', interval=0.95, df=None, "
        "vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Estimate.contrasts": (
        "(self, variable, by=None, *, method='pairwise', at=None, kind='mean', groups='average', interval=0.95, "
        "df=None, vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Estimate.slopes": (
        "(self, variable, by=None, *, kind='mean', groups='average', interval=0.95, df=None, "
        "vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Estimate.hypothesis": "(self, *texts, interval=0.95, df=None, vcov=None, adjust='none', joint=False, rope=None)",
    "Posterior.conditional_effects": (
        "(self, variable, by=None, *, at=None, kind='mean', groups='average', points=50, interval=0.95, df=None, "
        "vcov=None, parameter=None, response=None)"
    ),
    "Posterior.marginal_means": (
        "(self, *variables, by=None, at=None, kind='mean', groups='average', interval=0.95, df=None, "
        "vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Posterior.contrasts": (
        "(self, variable, by=None, *, method='pairwise', at=None, kind='mean', groups='average', interval=0.95, "
        "df=None, vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Posterior.slopes": (
        "(self, variable, by=None, *, kind='mean', groups='average', interval=0.95, df=None, "
        "vcov=None, adjust='none', rope=None, parameter=None, response=None)"
    ),
    "Posterior.hypothesis": "(self, *texts, interval=0.95, df=None, vcov=None, adjust='none', joint=False, rope=None)",
    "Estimate.r2": "(self, definition='nakagawa', *, response=None)",
    "Estimate.icc": "(self, *, response=None)",
    "pooling": "(*fits, labels=None, group=None)",
    "read_data": "(path, *, sep=None, decimal=None, encoding=None, na=())",
    "Marginal": "(thin=None)",
    "Nuts": "(tune=500, target_accept=0.9, backend='nutpie')",
    "Prior": "(kind, arguments=())",
    "Estimate.tidy": "(self, effects=('fixed', 'ran_pars'), *, interval=0.95, df=None, vcov=None)",
    "Estimate.fixef": "(self)",
    "Estimate.save": "(self, path, *, overwrite=False)",
    "Estimate.ranef": "(self)",
    "Estimate.coef": "(self)",
    "Estimate.varcorr": "(self)",
    "Estimate.summary": "(self, *, df=None, vcov=None)",
    "Estimate.fitted": "(self, parameter=None, response=None)",
    "Estimate.residuals": "(self, kind='response', *, seed=0, response=None)",
    "Estimate.imputed": "(self, response=None, *, n=None, interval=0.95, seed=0)",
    "Estimate.simulate": "(self, n=1, newdata=None, *, groups='new', offset=None, seed=0, response=None)",
    "Estimate.influence": "(self, group=None)",
    "Estimate.predict": PREDICT,
    "Estimate.parameters": "(self)",
    "Estimate.ranef_sd": "(self)",
    "Estimate.satterthwaite": "(self)",
    "Estimate.confint": (
        "(self, parameters=None, *, level=0.95, method='profile', replicates=1000, kind='percentile', seed=1,"
        " executor=None, progress=True, checkpoint=None, vcov=None)"
    ),
    "Estimate.bootstrap": "(self, replicates=1000, *, seed=1, executor=None, progress=True, checkpoint=None)",
    "Model.prior_predictive": "(self, draws=500, seed=None)",
    "Estimate.update": UPDATE,
    "Estimate.ranova": "(self, *, test='lrt', replicates=None, seed=0, executor=None, progress=True, checkpoint=None)",
    "Estimate.test_group": "(self, group, *, replicates=None, seed=0, executor=None, progress=True, checkpoint=None)",
    "Posterior.test_group": "(self, group, *, seed=0, progress=True)",
    "Estimate.drop1": (
        "(self, *, test=None, df=None, vcov=None, replicates=1000, seed=0, executor=None, progress=True,"
        " checkpoint=None)"
    ),
    "Posterior.update": UPDATE,
    "Estimate.refit": "(self, y, *, seed=None, progress=True)",
    "Posterior.refit": "(self, y, *, seed=None, progress=True)",
    "Posterior.diagnose": "(self)",
    "Posterior.prior_sensitivity": "(self)",
    "Estimate.diagnose": "(self)",
    "Posterior.save": "(self, path, *, overwrite=False)",
    "Posterior.tidy": "(self, effects=('fixed', 'ran_pars'), *, interval=0.95)",
    "Posterior.fixef": "(self)",
    "Posterior.ranef": "(self)",
    "Posterior.coef": "(self)",
    "Posterior.varcorr": "(self)",
    "Posterior.summary": "(self)",
    "Posterior.fitted": "(self, parameter=None, response=None)",
    "Posterior.residuals": "(self, kind='response', *, seed=0, response=None)",
    "Posterior.imputed": "(self, response=None, *, n=None, interval=0.95, seed=0)",
    "Posterior.simulate": "(self, n=1, newdata=None, *, groups='new', offset=None, seed=0, response=None)",
    "Posterior.influence": "(self, group=None)",
    "Posterior.posterior_predictive": "(self, *, groups='fitted', seed=0)",
    "Posterior.ppc": "(self, statistics=None, *, groups='fitted', interval=0.95, seed=0, response=None)",
    "Posterior.predict": PREDICT,
    "Posterior.parameters": "(self, interval=0.95)",
}
PROPERTIES = {
    "Model": {"priors"},
    "Estimate": {"criterion", "loglik", "aic", "bic", "df", "df_resid", "singular", "converged", "vcov", "method"},
    "Posterior": {"data", "convergence", "converged", "divergences", "method", "log_evidence"},
}


def find(path):
    thing = bmx
    for name in path.split("."):
        thing = getattr(thing, name)
    return thing


def plain(signature):
    """Names, kinds and defaults, without annotations."""
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(bare))


def test_public_names():
    assert set(bmx.__all__) == NAMES
    assert set(dir(bmx)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_resolves(name):
    assert getattr(bmx, name) is not None
    if name != "__version__":
        assert getattr(bmx, name).__doc__


@pytest.mark.parametrize("path", SIGNATURES)
def test_signatures(path):
    assert plain(inspect.signature(find(path))) == SIGNATURES[path]


@pytest.mark.parametrize("path", SIGNATURES)
def test_every_public_function_has_a_docstring_and_annotations(path):
    thing = find(path)
    assert inspect.getdoc(thing)
    parameters = inspect.signature(thing).parameters.values()
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters if p.name != "self")


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties(name):
    cls = getattr(bmx, name)
    for attribute in PROPERTIES[name]:
        assert isinstance(inspect.getattr_static(cls, attribute), property) or hasattr(
            inspect.getattr_static(cls, attribute), "func"
        )
        assert inspect.getdoc(inspect.getattr_static(cls, attribute))


def test_both_kinds_of_fit_have_the_same_accessors():
    def public(cls):
        return {name for name, value in inspect.getmembers(cls, callable) if not name.startswith("_")}

    shared = {
        "fixef",
        "ranef",
        "coef",
        "varcorr",
        "summary",
        "fitted",
        "residuals",
        "predict",
        "parameters",
        "save",
        "tidy",
    }
    assert shared <= public(bmx.Estimate) & public(bmx.Posterior)


def test_the_documented_example(fitted, posterior_of, tmp_path):
    """The example of the documentation, name by name, on fits made before."""
    reml, post = fitted("esoph"), posterior_of("esoph", chains=4, draws=250, spread=0.1)
    assert (reml.criterion, reml.loglik, reml.aic, reml.bic, reml.singular) == (
        pytest.approx(388.6, abs=0.05),
        pytest.approx(-194.3, abs=0.03),
        pytest.approx(388.6 + 2 * 6, abs=0.05),
        pytest.approx(388.6 + 6 * 4.47734, abs=0.05),
        False,
    )
    assert reml.parameters().columns.tolist() == ["estimate", "std_error"]
    columns = ["mean", "sd", "median", "mode", "lower", "upper", "ess_bulk", "ess_tail", "r_hat"]
    assert post.parameters().columns.tolist() == columns
    names = ["Intercept", "ncontrols", "sd(agegp, Intercept)", "sd(agegp, ncontrols)"]
    names += ["corr(agegp, Intercept, ncontrols)", "sigma"]
    for fit in (reml, post):
        assert fit.parameters().index.tolist() == names
    assert {"fixef", "sd_agegp", "corr_agegp", "ranef_agegp", "sigma"} == set(post.data["posterior"].data_vars)
    groups = {"posterior", "sample_stats", "log_likelihood", "log_prior", "observed_data", "constant_data"}
    assert groups <= set(post.data.children)
    cmp = bmx.compare(post, reml, causes=False)
    assert cmp.table.index.tolist() == names
    post.save(tmp_path / "fit.zarr")
    assert bmx.load(tmp_path / "fit.zarr").parameters().equals(post.parameters())
    assert bmx.load_model("esoph_lmm").documented["ncontrols"] == 0.04972


def test_unknown_names_get_the_nearest():
    with pytest.raises(AttributeError, match=r"has no attribute `Modl`\. Did you mean `Model`"):
        _ = bmx.Modl


def test_errors_have_one_base():
    errors = {name for name in NAMES if name.endswith("Error")}
    assert errors == {"BayesmixError", "FormulaError", "SpecError", "DataError", "DesignError", "FitError"}
    assert all(issubclass(getattr(bmx, name), BayesmixError) for name in errors)
    warnings = {name for name in NAMES if name.endswith("Warning")}
    assert all(issubclass(getattr(bmx, name), BayesmixWarning) for name in warnings)
    assert issubclass(BayesmixWarning, UserWarning)


def test_records_are_frozen():
    for record in (bmx.Agq(), bmx.Reml(), bmx.Nuts(), bmx.Prior("Normal", (0.0, 1.0))):
        name = next(iter(record.__dataclass_fields__), None)
        if name is not None:
            with pytest.raises(AttributeError):
                setattr(record, name, 3)
    assert bmx.Agq(points=9) == bmx.Agq()


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert bmx.__version__ == version("bayesmix")
