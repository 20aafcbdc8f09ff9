"""Random models against lme4, glmmTMB and ordinal: never above their criterion, the same estimates at the same optimum.

Other models every day, where R is there; what was wrong once is frozen in `reference/peers` and needs no R.
`python tests/random_peers.py glmmTMB 8` shows both sides of one.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from daily import day, repeat
from random_peers import Case, Found, fitted_by_r, frozen, has_package, random_case

from bayesmix.errors import BayesmixError

ABOVE = 1e-6  # of the criterion
SAME = 1e-4  # of a criterion: below that both stopped at one optimum
FROZEN = frozen()
NUMBERS = {"lme4": 60, "glmmTMB": 30, "ordinal": 10}  # a day


def estimated(case: Case):
    """The estimate; None where a model is refused by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return case.fit()
        except BayesmixError:
            return None


def check(case: Case, found: Found) -> bool:
    """Whether both have found one optimum; theirs is nowhere lower."""
    fit = estimated(case)
    assert fit is not None, case
    gap = fit.criterion - found.criterion
    assert gap <= ABOVE * max(abs(found.criterion), 1.0), (gap, fit.problems, case)
    if gap < -SAME or not fit.converged:
        return False
    table = fit.fixef()
    errors, ours = table["std_error"], table["estimate"]
    for name, theirs in found.fixed.items():
        if name in ours.index:
            # on a parabola the criterion rises by the square of the distance in standard errors
            apart = abs(ours[name] - theirs) / errors[name]
            assert apart < 0.01 + 2.0 * np.sqrt(abs(gap)), (name, apart, gap, case)
    return True


@pytest.mark.parametrize("name", FROZEN)
def test_what_was_wrong_once(name):
    """Figures of R: tests/peer_fits.R."""
    case, found = FROZEN[name]
    check(case, found)


@pytest.mark.slow
@pytest.mark.parametrize("package", NUMBERS)
def test_models_of_the_day(package, tmp_path):
    if not has_package(package):
        pytest.skip(f"there is no Rscript with {package} and jsonlite")
    first = 1000 * day().toordinal()
    cases = [random_case(package, seed) for seed in range(first, first + NUMBERS[package])]
    pairs = [(case, found) for case, found in zip(cases, fitted_by_r(cases, tmp_path), strict=True) if found]
    failures, same = [], 0
    for case, found in pairs:
        try:
            same += check(case, found)
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join([*failures, repeat(f"tests/test_random_peers.py -k {package}")])
    assert same > 0.5 * len(pairs)
