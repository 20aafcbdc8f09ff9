"""Hierarchical models from an lme4 formula: the posterior and the point estimate, side by side.

>>> import bayesmix as bmx
>>> model = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", bmx.load_dataset("esoph"))
>>> reml = model.estimate()
>>> post = model.sample(seed=1)
>>> print(bmx.compare(post, reml))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> module that defines it; loaded on first use (PEP 562), so that `import bayesmix` stays light
_PUBLIC = {
    "Model": "bayesmix.model",
    "load_model": "bayesmix.model",
    "compare": "bayesmix.comparison",
    "anova": "bayesmix.results.criticism.anova",
    "loo_compare": "bayesmix.results.criticism.cross_validation",
    "bayes_factor": "bayesmix.results.criticism.cross_validation",
    "pooling": "bayesmix.results.comparison.pooling",
    "Comparison": "bayesmix.comparison",
    "Estimate": "bayesmix.fit",
    "Posterior": "bayesmix.fit",
    "load": "bayesmix.stored",
    "resume": "bayesmix.stored",
    "plots": "bayesmix.present.plots",
    "studies": "bayesmix.studies",
    "report": "bayesmix.present.report.report",
    "load_dataset": "bayesmix.data.datasets",
    "read_data": "bayesmix.data.files",
    "dataset_names": "bayesmix.data.datasets",
    "pedigree": "bayesmix.data.pedigree",
    "phylogeny": "bayesmix.data.phylogeny",
    "Reml": "bayesmix.inference.estimation.methods",
    "Ml": "bayesmix.inference.estimation.methods",
    "Laplace": "bayesmix.inference.estimation.methods",
    "Agq": "bayesmix.inference.estimation.methods",
    "Nuts": "bayesmix.inference.sampling.nuts.nuts",
    "Marginal": "bayesmix.inference.sampling.marginal.sampler",
    "Advi": "bayesmix.inference.sampling.variational",
    "Pathfinder": "bayesmix.inference.sampling.variational",
    "Prior": "bayesmix.language.priors.prior",
    "BayesmixError": "bayesmix.errors",
    "FormulaError": "bayesmix.errors",
    "SpecError": "bayesmix.errors",
    "DataError": "bayesmix.errors",
    "DesignError": "bayesmix.errors",
    "FitError": "bayesmix.errors",
    "BayesmixWarning": "bayesmix.errors",
    "ConvergenceWarning": "bayesmix.errors",
    "DroppedWarning": "bayesmix.errors",
    "PredictionWarning": "bayesmix.errors",
    "PriorWarning": "bayesmix.errors",
    "SourceWarning": "bayesmix.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 (the keys are strings)

if TYPE_CHECKING:
    from bayesmix import studies as studies
    from bayesmix.comparison import Comparison as Comparison
    from bayesmix.comparison import compare as compare
    from bayesmix.data.datasets import dataset_names as dataset_names
    from bayesmix.data.datasets import load_dataset as load_dataset
    from bayesmix.data.files import read_data as read_data
    from bayesmix.data.pedigree import pedigree as pedigree
    from bayesmix.data.phylogeny import phylogeny as phylogeny
    from bayesmix.errors import BayesmixError as BayesmixError
    from bayesmix.errors import BayesmixWarning as BayesmixWarning
    from bayesmix.errors import ConvergenceWarning as ConvergenceWarning
    from bayesmix.errors import DataError as DataError
    from bayesmix.errors import DesignError as DesignError
    from bayesmix.errors import DroppedWarning as DroppedWarning
    from bayesmix.errors import FitError as FitError
    from bayesmix.errors import FormulaError as FormulaError
    from bayesmix.errors import PredictionWarning as PredictionWarning
    from bayesmix.errors import PriorWarning as PriorWarning
    from bayesmix.errors import SourceWarning as SourceWarning
    from bayesmix.errors import SpecError as SpecError
    from bayesmix.fit import Estimate as Estimate
    from bayesmix.fit import Posterior as Posterior
    from bayesmix.inference.estimation.methods import Agq as Agq
    from bayesmix.inference.estimation.methods import Laplace as Laplace
    from bayesmix.inference.estimation.methods import Ml as Ml
    from bayesmix.inference.estimation.methods import Reml as Reml
    from bayesmix.inference.sampling.marginal.sampler import Marginal as Marginal
    from bayesmix.inference.sampling.nuts.nuts import Nuts as Nuts
    from bayesmix.inference.sampling.variational import Advi as Advi
    from bayesmix.inference.sampling.variational import Pathfinder as Pathfinder
    from bayesmix.language.priors.prior import Prior as Prior
    from bayesmix.model import Model as Model
    from bayesmix.model import load_model as load_model
    from bayesmix.present import plots as plots
    from bayesmix.present.report.report import report as report
    from bayesmix.results.comparison.pooling import pooling as pooling
    from bayesmix.results.criticism.anova import anova as anova
    from bayesmix.results.criticism.cross_validation import bayes_factor as bayes_factor
    from bayesmix.results.criticism.cross_validation import loo_compare as loo_compare
    from bayesmix.stored import load as load
    from bayesmix.stored import resume as resume


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        from bayesmix.errors import nearest

        raise AttributeError(f"bayesmix has no attribute `{name}`.{nearest(name, _PUBLIC)}")
    module = import_module(_PUBLIC[name])
    return module if name in {"plots", "studies"} else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
