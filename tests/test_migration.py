"""Tables for those who come from another package: every row is executed there, and its numbers are ours."""

from __future__ import annotations

from importlib.util import find_spec

import migrated
import numpy as np
import pytest
from migrated import migration
from r_code import R, run_r

PACKAGES = migration.packages()
IN_R = tuple(migrated.ATTACHED)
KEPT = [own for own in PACKAGES if own != "bambi"]  # which is always there
WITHIN = 1e-3


@pytest.mark.parametrize("package", [pytest.param(own, marks=pytest.mark.slow) for own in KEPT])
def test_every_row_was_executed_there(package: str) -> None:
    """A row that is changed has to be executed again: `migrated.py`."""
    assert {migrated.code_of(row, package) for _, row in migrated.rows(package)} == set(migrated.kept(package)["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("package", KEPT)
@pytest.mark.filterwarnings("default")
def test_numbers_are_those_of_the_other_package(package: str) -> None:
    kept, names, compared = migrated.kept(package)["rows"], migration.Names(), 0
    for table, row in migrated.rows(package):
        theirs = np.array(kept[migrated.code_of(row, package)])
        ours = migrated.ours(row, package, table, names)
        if ours is None:
            continue
        compared += 1
        if table == "models" and "same" not in row:  # optimisers stop within a hundredth of a standard error
            fit = eval(row["ours"], {}, names)
            fit = fit if hasattr(fit, "loglik") else fit.estimate()
            assert abs(ours[0] - theirs[0]) < WITHIN, row["ours"]
            error = np.abs(np.array(ours) - theirs)[1:] / fit.fixef()["std_error"].to_numpy()
            assert error.max() < 0.01, row["ours"]
        else:
            np.testing.assert_allclose(ours, theirs, rtol=row.get("within", WITHIN), atol=1e-6, err_msg=row["ours"])
    assert compared > 5 or package == "brms"  # whose posteriors are other draws


def is_there(package: str) -> bool:
    if package not in IN_R:
        return find_spec(package) is not None
    wanted = ", ".join(f'"{name}"' for name in migrated.ATTACHED[package])
    return R is not None and run_r(f"cat(all(sapply(c({wanted}), requireNamespace, quietly = TRUE)))").endswith("TRUE")


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.filterwarnings("ignore")
def test_rows_run_there(package: str) -> None:
    if not is_there(package):
        pytest.skip(f"{package} is not there")
    found = migrated.found(package)
    kept = migrated.kept(package)["rows"] if package in KEPT else {code: [] for code in found}
    assert found.keys() == kept.keys()
    for code, numbers in found.items():
        np.testing.assert_allclose(numbers, kept[code], rtol=0.01, atol=1e-4, err_msg=code)
