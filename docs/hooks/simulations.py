"""The page of calibration and coverage, made of what the scripts in `benchmarks` have kept."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"
LEVEL = 0.95  # of the intervals
FAMILYWISE = 0.05  # probability of a false alarm among all cells

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
    return ABOUT + "\n".join(calibration()) + "\n" + INTERVALS + "\n".join(coverage()) + "\n"


def calibration() -> Iterator[str]:
    """What all cells say together, and each."""
    rows = rows_of("calibration")
    judged = [row for row in rows if row["p"] != "nan"]
    small = sum(float(row["p"]) < 0.05 for row in judged)
    wrong, sets = rejected([float(row["p"]) for row in judged]), sum(int(row["replicates"]) for row in rows)
    yield (
        f"{len(rows)} cells, {sets} data sets. Of {len(judged)} p-values {small} are below 0.05; Holm's rule at 5 % for"
        f" all cells together rejects {wrong}."
    )
    yield ""
    yield "| family | engine | structure | data sets | converged | not fitted | p | least uniform | day | version |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: (row["family"], row["engine"], row["structure"])):
        own = [row[name] for name in ("family", "engine", "structure", "replicates", "converged", "failed", "p")]
        yield f"| {' | '.join(own)} | `{row['worst']}` | {row['date']} | {row['version']} |"


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
