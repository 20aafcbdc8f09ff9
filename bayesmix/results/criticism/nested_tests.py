"""F tests of nested linear models that differ in their fixed effects, as in pbkrtest."""

from __future__ import annotations

from bayesmix.errors import SpecError
from bayesmix.inference.estimation.fixed_tests import FTest
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.restriction import restriction
from bayesmix.results.criticism.nested_fits import has_same_random_effects, is_nested
from bayesmix.results.criticism.term_tests import joint
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.fixed_inference import fixed_inference
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import estimate_again


def f_test_of_nested(small: EstimateRecord, large: EstimateRecord, df: str) -> FTest:
    """Test of the fixed effects that the larger model has more, in its REML estimate.

    Raises
    ------
    SpecError
        If they are no linear mixed models, or differ in more than fixed effects.
    """
    if not (is_linear(small) and is_linear(large)):
        raise SpecError(f'df="{df}" is for linear mixed models; of others bmx.anova(a, b, test="bootstrap").')
    if not is_nested(small, large) or not has_same_random_effects(small, large):
        raise SpecError(
            f'df="{df}" tests fixed effects: the models must have the same random effects, weights and offsets, and the'
            f" fixed effects of `{small.spec.text}` must be special ones of `{large.spec.text}`."
        )
    L = restriction(large.design.X, small.design.X)
    if not len(L):
        raise SpecError(f"`{small.spec.text}` and `{large.spec.text}` have the same fixed effects: nothing to test.")
    by_reml = estimate_again(large, Reml())
    return joint(by_reml, fixed_inference(by_reml, df), L)
