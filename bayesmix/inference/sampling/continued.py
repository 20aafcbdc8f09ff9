"""Continued sampling: draws of several runs of one engine, one after the other, as one posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Draws

ENGINES = ("nuts", "marginal")  # whose runs can be continued


def seed_after(seed: int, drawn: int) -> int:
    """The seed of a run that begins after ``drawn`` draws a chain: the same whether or not the process is."""
    return seed if not drawn else int(np.random.SeedSequence([seed, drawn]).generate_state(1)[0] >> 1)


def check_continued(method: str) -> None:
    """Raise `SpecError` where an engine has no more draws to give than a new run of it."""
    if method not in ENGINES:
        raise SpecError(
            f"Draws of {method} are those of an approximation, made in one go: sample again with draws= as many as you"
            ' need, or with method="auto", whose runs can be continued.'
        )


def joined(runs: Sequence[Draws]) -> Draws:
    """Draws of runs that continue each other, chain by chain; the certificate is that of the worst."""
    first, last = runs[0], runs[-1]
    thinned = [run.with_effects for run in runs if run.thinned is not None]
    values = [run.parameters for run in runs]
    if 0 < len(thinned) < len(runs):  # an engine thins by the size of the model and the run: take what all have
        thinned, values = [run.with_effects for run in runs], [replace(one, b=()) for one in values]
    return replace(
        first,
        parameters=_along_draws(values),
        stats={name: np.concatenate([run.stats[name] for run in runs], axis=1) for name in _common(runs)},
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
        certificate=_worst([run.certificate for run in runs], [run.parameters.lead[1] for run in runs]),
        thinned=_along_draws(thinned) if thinned else None,
        state=last.state,
    )


def _common(runs: Sequence[Draws]) -> list[str]:
    return [name for name in runs[0].stats if all(name in run.stats for run in runs)]


def _along_draws(parts: Sequence[Parameters]) -> Parameters:
    """Parameters ``(chain, draw, ...)``, one after the other."""
    dispersions = [part.dispersion for part in parts if part.dispersion is not None]
    return Parameters(
        beta=np.concatenate([part.beta for part in parts], axis=1),
        sd=_by_term([part.sd for part in parts]),
        corr=_by_term([part.corr for part in parts]),
        b=_by_term([part.b for part in parts]),
        dispersion=np.concatenate(dispersions, axis=1) if dispersions else None,
        df={group: np.concatenate([part.df[group] for part in parts], axis=1) for group in parts[0].df},
    )


def _by_term(parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    return tuple(np.concatenate(own, axis=1) for own in zip(*parts, strict=True))


_SUMS = ("evaluations", "divergences")
_LOWEST = ("acceptance", "level_acceptance", "end_acceptance")


def _worst(certificates: Sequence[Mapping[str, float]], draws: Sequence[int]) -> dict[str, float]:
    """Of each number that all certificates have its sum, its lowest or highest; of the evidence the average."""
    names = [name for name in certificates[0] if all(name in one for one in certificates)]
    found = {name: _combined(name, [one[name] for one in certificates]) for name in names}
    if "log_evidence" in found:
        weights = np.asarray(draws) / np.sum(draws)
        found["log_evidence"] = float(weights @ [one["log_evidence"] for one in certificates])
        errors = weights * [one["log_evidence_error"] for one in certificates]
        found["log_evidence_error"] = float(np.sqrt(np.sum(errors**2)))
    return found


def _combined(name: str, values: Sequence[float]) -> float:
    if name in _SUMS:
        return float(np.sum(values))
    return float(min(values) if name in _LOWEST else max(values))
