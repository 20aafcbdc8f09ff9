"""The page of calibration and coverage, made of what the scripts in `benchmarks` have kept."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bayesmix.language.families.registry import FAMILIES
from bayesmix.studies.uniformity import detectable_shift, deviation, p_value

FOLDER = Path(__file__).parents[2] / "benchmarks"
LEVEL = 0.95  # of the intervals
FAMILYWISE = 0.05  # probability of a false alarm among all cells
RANKS = 39  # draws that a rank is among

ABOUT = """# Calibration and coverage

What a certificate or an interval promises is tried out on simulated data, whose truth is known.

## Is the posterior right?

Simulation-based calibration (Talts et al. 2018; Modrák et al. 2023): parameters are drawn from the priors, data
from the parameters, and the posterior of these data is sampled. If all is right, the rank of the true value
among its draws is uniform, for every parameter, the effects of a level and the log-likelihood. A *cell* is a
family, an engine and a structure on 48 rows in 8 levels, with informative priors. Ranks are among 39 nearly
independent draws; runs whose draws are worth fewer are made longer. `p` is exact: the law of the largest
standardised distance of the ranks from uniform, by Bonferroni over the parameters of a cell. Of many cells some
have a small `p` by chance: where it is below 0.02 a cell is run again on new data, twice as many, and that `p`
stands here. `converged` is the share of data sets whose sampler says that its draws can be used; only these are
judged.

Few data sets show little: of one parameter {few} find posteriors that lie {large:.1f} standard deviations off in four
of five studies, {many} those {small:.1f} off, and nothing less for sure. Ranks of many cells are uniform together, too.
Those of one slope, one standard deviation, one effect of a level and of the log-likelihood are therefore put
together for each engine, structure and family, where they were kept. `finds` is the shift that so many ranks would
find in four of five studies if all cells had it.

"""
INTERVALS = """
## Do intervals hold the truth?

Data of small designs with known parameters, fitted again and again. Each interval is of 95 %; the error beside
a share is the Monte Carlo error at that level. Designs: five groups, `balanced` and `unbalanced`; 40 (`many
groups`); groups that do not differ (`boundary`); `crossed` factors; `binary` and `poisson` responses; a curve
(`smooth`). `x` varies within groups, `w` between them. `wald` takes variances as known and is too narrow for
`w` where groups are few, and so are profiles there; `satterthwaite`, `kenward-roger` and `posterior` are not.
Percentiles of a bootstrap inherit that an estimated standard deviation of few groups is too small. Single
contrasts need not hold together; those of `tukey` and `mvt` have to.

"""


def rows_of(name: str) -> list[dict[str, str]]:
    """Of a file that a script keeps."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page() -> str:
    """Markdown."""
    few, many = 5, 40
    large, small = (detectable_shift(FAMILYWISE, n, RANKS) for n in (few, many))
    about = ABOUT.format(few=few, many=many, large=large, small=small)
    return about + "\n".join(calibration()) + "\n" + INTERVALS + "\n".join(coverage()) + "\n"


def calibration() -> Iterator[str]:
    """What all cells say together, and each."""
    rows = rows_of("calibration")
    judged = [row for row in rows if row["p"] != "nan"]
    small = sum(float(row["p"]) < 0.05 for row in judged)
    wrong, sets = rejected([float(row["p"]) for row in judged]), sum(int(row["replicates"]) for row in rows)
    yield (
        f"{len(rows)} of {number_of_cells()} cells, {sets} data sets. Of {len(judged)} p-values {small} are below 0.05;"
        f" Holm's rule at 5 % for all cells together rejects {wrong}."
    )
    left = sorted(set(FAMILIES) - {row["family"] for row in rows})
    if left:
        yield f"Not looked at yet: {', '.join(left)}."
    yield ""
    yield from together(rows)
    yield ""
    yield "| family | engine | structure | data sets | converged | not fitted | p | least uniform | day | version |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: (row["family"], row["engine"], row["structure"])):
        own = [row[name] for name in ("family", "engine", "structure", "replicates", "converged", "failed", "p")]
        yield f"| {' | '.join(own)} | `{row['worst']}` | {row['date']} | {row['version']} |"


def together(rows: list[dict[str, str]]) -> Iterator[str]:
    """What the ranks of many cells say of each engine, structure and family."""
    yield "| of | cells | ranks of each | p | finds |"
    yield "|---|---|---|---|---|"
    for what in ("engine", "structure", "family"):
        for name in sorted({row[what] for row in rows if row["ranks"]}):
            own = [row for row in rows if row[what] == name and row["ranks"]]
            found = defaultdict[str, list[int]](list)
            for part in ", ".join(row["ranks"] for row in own).split(", "):
                kind, *ranks = part.split()
                found[kind] += map(int, ranks)
            sizes = [len(ranks) for ranks in found.values()]
            p = min(p_value(deviation(np.array(ranks), RANKS), len(ranks), RANKS) for ranks in found.values())
            shift = detectable_shift(FAMILYWISE / len(found), max(sizes), RANKS)
            finds = "nothing" if math.isinf(shift) else f"{shift:.1f}"
            yield f"| {name} | {len(own)} | {max(sizes)} | {min(1.0, len(found) * p):.2g} | {finds} |"


def number_of_cells() -> int:
    """All that the script knows."""
    spec = importlib.util.spec_from_file_location("calibration_cells", FOLDER / "calibration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return len(module.cells())


def rejected(values: list[float]) -> int:
    """How many of several p-values Holm's step-down rule rejects."""
    for place, value in enumerate(sorted(values)):
        if value > FAMILYWISE / (len(values) - place):
            return place
    return len(values)


def coverage() -> Iterator[str]:
    """One line a design, kind and target."""
    yield "| design | interval | of | intervals | hold the truth |"
    yield "|---|---|---|---|---|"
    for row in rows_of("interval_coverage"):
        n, held = int(row["intervals"]), int(row["held"])
        error = 100.0 * math.sqrt(LEVEL * (1.0 - LEVEL) / n)
        yield f"| {row['design']} | {row['kind']} | {row['of']} | {n} | {100.0 * held / n:.1f} ± {error:.1f} % |"
