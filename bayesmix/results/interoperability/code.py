"""A model in the words of another package."""

from __future__ import annotations

from collections.abc import Callable

from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.registry import is_known
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.interoperability.bambi_code import bambi_code
from bayesmix.results.interoperability.brms_code import brms_code
from bayesmix.results.interoperability.described import Described, named_data
from bayesmix.results.interoperability.frequentist_code import glmmtmb_code, lme4_code
from bayesmix.results.interoperability.pymc_code import pymc_code

PACKAGES: dict[str, Callable[[Described], str]] = {
    "lme4": lme4_code,
    "glmmTMB": glmmtmb_code,
    "brms": brms_code,
    "bambi": bambi_code,
    "pymc": pymc_code,
}


def model_code(package: str, design: Design, spec: ModelSpec, priors: Priors, data_name: str = "") -> str:
    """The model as code of ``package``, ready to be run.

    Raises
    ------
    SpecError
        Naming what the package has not, or a package that is not known.
    """
    known = {name.lower(): name for name in PACKAGES}
    name = known.get(str(package).lower())
    if name is None:
        raise SpecError(
            f"There is no code for `{package}`.{nearest(str(package), PACKAGES)} Packages: {', '.join(PACKAGES)}."
        )
    custom = next((one.family.name for one in spec.responses if not is_known(one.family)), None)
    if custom is not None:
        raise SpecError(f"`{custom}` is a family of your own: {name} does not know it.")
    monotonic = next((term for one in spec.predictors for term in one.formula.monotonic), None)
    if monotonic is not None:
        advice = f" brms takes the formula as it is, `{spec.text}`." if name == "brms" else ""
        raise SpecError(f"There is no code for {name} of models with monotonic effects, `{monotonic}`.{advice}")
    return PACKAGES[name](Described(spec, design, priors, named_data(data_name)))
