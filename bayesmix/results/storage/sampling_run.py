"""Sampling runs on disk: draws part by part as they come, so that a run that was stopped goes on where it was.

A run is a folder of its settings, its model and the parts that are done, each a store that appears when it is whole.
Parts are of `PART` draws a chain, from seeds that follow from that of the run, and chains of NUTS go on from where the
part before ended: whoever draws them, and whenever, they are the same to the bit. When the last one is done a saved fit
takes the place of the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bayesmix import __version__
from bayesmix.errors import BayesmixError, BayesmixWarning, DataError, SpecError, warn_user
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.inference.sampling.continued import check_continued, seed_after
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.marginal.sampler import Marginal
from bayesmix.inference.sampling.nuts.nuts import Nuts
from bayesmix.inference.sampling.sample import Sampler
from bayesmix.parallel.checkpoint import fingerprint
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.records import PosteriorRecord
from bayesmix.results.fits.refit import one_after_the_other, sample_model
from bayesmix.results.storage.atomic_replacement import as_left, beside, new_folder, put_back, write_whole
from bayesmix.results.storage.fit_storage import (
    RUN_SETTINGS,
    is_saved_fit,
    read_fit,
    read_model,
    read_part,
    run_of,
    save_model,
    save_part,
    write_fit,
)
from bayesmix.results.storage.one_at_a_time import one_at_a_time
from bayesmix.results.storage.store_files import METADATA, Damage, read_metadata

FORMAT = "bayesmix sampling"
MODEL = "model"
PART = 500  # draws a chain: enough to tell whether an engine's draws can be trusted
_SAMPLERS: dict[str, type[Nuts | Marginal]] = {"nuts": Nuts, "marginal": Marginal}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked for."""

    model: str  # fingerprint of the model, its data and priors
    version: str  # of bayesmix: another may draw other numbers
    draws: int
    chains: int
    seed: int
    method: str | None  # None for "auto"
    options: dict[str, Any]  # of the method

    def sampler(self) -> Sampler | None:
        """The record of the method."""
        return None if self.method is None else _SAMPLERS[self.method](**self.options)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A posterior that is asked for."""

    fitted: Fitted
    priors: Priors
    method: Sampler | None
    schedule: Schedule  # whose seed is the user's, or a fresh one
    has_seed: bool = True

    def settings(self) -> Settings:
        """As what is kept of them."""
        name = None if self.method is None else type(self.method).__name__.lower()
        if name is not None:
            check_continued(name)
        model = fingerprint(*parts_of_model(self.fitted.spec, self.fitted.design, self.priors))
        length = (self.schedule.draws, self.schedule.chains, self.schedule.seed)
        return Settings(model, __version__, *length, name, {} if self.method is None else asdict(self.method))


def kept(asked: Asked, *, checkpoint: str | Path | None, cache: str | Path | None) -> PosteriorRecord:
    """The posterior, kept under a name or in a folder of such fits."""
    if checkpoint is not None and cache is not None:
        raise SpecError("Draws are kept under a name, checkpoint=, or in a folder, cache=: not both.")
    if cache is not None:
        return sample_on_disk(asked, _place_in(cache, asked), is_cached=True)
    assert checkpoint is not None
    return sample_on_disk(asked, checkpoint)


def sample_on_disk(asked: Asked, path: str | Path, *, is_cached: bool = False) -> PosteriorRecord:
    """The posterior whose draws are kept in ``path`` as they come; what is there already is not drawn again.

    ``is_cached``: what is there can only be this posterior; it is drawn again where it is damaged.

    Raises
    ------
    DataError
        If ``path`` is something else, the run of another model or request, or damaged.
    """
    settings = asked.settings()
    with one_at_a_time(Path(path)):
        target = as_left(path)
        try:
            found = _there(target, asked, settings)
        except BayesmixError as error:
            if not is_cached:
                raise
            said = str(error).partition(". ")[0].rstrip(".")
            warn_user(f"{said}. It is kept in a cache, and is sampled again.", BayesmixWarning)
            with beside(target) as aside:  # a link itself, not what it leads to
                os.rename(target, aside)
            found = None
        if isinstance(found, PosteriorRecord):
            return found
        if found is None:
            _begin(target, asked.fitted, settings)
            found = settings, {}
        return _go_on(target, asked.fitted, asked.priors, *found, progress=asked.schedule.progress)


Parts = dict[int, PosteriorRecord]  # that are there, by their numbers


def _there(target: Path, asked: Asked, settings: Settings) -> PosteriorRecord | tuple[Settings, Parts] | None:
    """What is there of a posterior that is asked for: all, or the settings and parts of its run, or nothing."""
    if not target.exists():
        return None
    found = _found(target)
    if found is None:
        raise DataError(f"`{target}` exists and is not a run of draws: it is left as it is. Give another name.")
    if others := _differing(found, settings if asked.has_seed else replace(settings, seed=found.seed)):
        raise DataError(
            f"`{target}` is not a run of this model and request: {others}. Give another name, or remove it to begin"
            " anew."
        )
    if is_saved_fit(target):
        return _finished(target)
    return found, _read_parts(target, found.draws, asked.fitted, asked.priors)


def _differing(found: Settings, wanted: Settings) -> str:
    """What another run was asked for, in words; nothing where it is the same."""
    if found.model != wanted.model:
        return "its model, data or priors are others"
    there, here = (asdict(one) | {"method": one.method or "auto"} for one in (found, wanted))
    return ", ".join(f"{name} {there[name]}, not {here[name]}" for name in here if there[name] != here[name])


def _place_in(folder: str | Path, asked: Asked) -> Path:
    """Where a folder keeps a posterior: the same path for the same model, data, priors and settings."""
    settings = asked.settings() if asked.has_seed else replace(asked.settings(), seed=-1)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The folder `{folder}` cannot be made: {error.strerror}.") from None
    return Path(folder) / f"{fingerprint(json.dumps(asdict(settings)))}.zarr"


def resume_run(path: str | Path, *, progress: bool = True) -> PosteriorRecord:
    """Go on with the run in ``path``; one that is finished is loaded.

    Raises
    ------
    DataError
        If there is no run, it is damaged, or was begun by another version of bayesmix.
    """
    with one_at_a_time(Path(path)):
        return _resumed(as_left(path), progress=progress)


def _resumed(target: Path, *, progress: bool) -> PosteriorRecord:
    if is_saved_fit(target):
        return _finished(target)
    settings = _found(target)
    if settings is None:
        raise DataError(f'There is no run to go on with in `{target}`: model.sample(checkpoint="{target}") begins one.')
    fitted = _read_model(target)
    priors = resolve(fitted.spec, fitted.design)
    schedule = Schedule(settings.draws, settings.chains, settings.seed)
    own = Asked(fitted, priors, settings.sampler(), schedule).settings()
    if own != settings:
        raise DataError(
            f"The run in `{target}` was begun by bayesmix {settings.version}; this is {own.version}, and would go on"
            " with other draws. Go on with that version, or begin anew."
        )
    parts = _read_parts(target, settings.draws, fitted, priors)
    return _go_on(target, fitted, priors, settings, parts, progress=progress)


# ---- the folder -------------------------------------------------------------------------------------------------


def _begin(target: Path, fitted: Fitted, settings: Settings) -> None:
    if not target.parent.is_dir():
        raise DataError(f"There is no folder `{target.parent}` to keep draws in.")
    with new_folder(target, through=True) as unfinished:
        unfinished.mkdir()
        save_model(fitted, unfinished / MODEL)
        words = {"format": FORMAT, **asdict(settings)}
        write_whole(unfinished / RUN_SETTINGS, json.dumps(words, indent=1).encode())


def _found(target: Path) -> Settings | None:
    """The settings of a run, or of the run that a saved fit was; None of anything else."""
    try:
        words = run_of(target) if is_saved_fit(target) else read_metadata(target / RUN_SETTINGS)
        if words is None or words.pop("format", None) != FORMAT:
            return None
        return _checked(Settings(**words))
    except (Damage, TypeError, ValueError, AttributeError, SpecError):
        if name := next((name for name, folder in _BESIDE.items() if (target / folder).is_dir()), None):
            raise DataError(
                f"`{target / name}` is damaged, and what the draws beside it are is not known. Copy it again, or remove"
                f" `{target}` to begin anew."
            ) from None
        return None


_BESIDE = {RUN_SETTINGS: MODEL, METADATA: "bayesmix_model"}  # files that say what is there, and what stands beside them


def _checked(found: Settings) -> Settings:
    """Raise where settings have been changed to what no run is asked for."""
    numbers = {"draws": 4, "chains": 1, "seed": 0}
    if any(type(getattr(found, name)) is not int or getattr(found, name) < least for name, least in numbers.items()):
        raise ValueError
    if not isinstance(found.options, dict) or found.method not in {None, *_SAMPLERS}:
        raise ValueError
    found.sampler()
    return found


def _finished(target: Path) -> PosteriorRecord:
    with _or_else(f'Without it, model.sample(checkpoint="{target}") draws it again.'):
        record, _ = read_fit(target)
    if not isinstance(record, PosteriorRecord):
        raise DataError(f"`{target}` is a saved estimate, not a posterior.")
    return record


@contextmanager
def _or_else(advice: str) -> Iterator[None]:
    """What can be done beside what is said of any store that is damaged."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{error} {advice}") from error


# ---- the parts --------------------------------------------------------------------------------------------------


def _read_model(target: Path) -> Fitted:
    with _or_else(f"It is the model of a run: without it, remove `{target}` and begin anew."):
        return read_model(target / MODEL)


def _read_parts(target: Path, draws: int, fitted: Fitted, priors: Priors) -> Parts:
    found = Parts()
    for number in range(len(list(_parts(draws)))):
        put_back(place := target / _name(number))
        if place.exists():
            with _or_else(f'It is a part of a run: without it, bmx.resume("{target}") draws it again, the same.'):
                found[number] = read_part(place, fitted, priors)
    return found


def _go_on(
    target: Path, fitted: Fitted, priors: Priors, settings: Settings, there: Parts, *, progress: bool
) -> PosteriorRecord:
    """Draw the parts that are missing, and put the fit in place of the folder when there are all of them."""
    parts: list[PosteriorRecord] = []
    for number, (start, draws) in enumerate(_parts(settings.draws)):
        if number in there:
            parts.append(there[number])
            continue
        schedule = Schedule(draws, settings.chains, seed_after(settings.seed, start), progress)
        part = _drawn(fitted, priors, settings, schedule, parts)
        if part is None or part.values.lead != (settings.chains, draws):  # the user has had enough
            found = parts if part is None or parts else [part]
            note = f'Sampling was interrupted: bmx.resume("{target}") goes on.'
            return one_after_the_other(found, seed=settings.seed, note=note)
        save_part(part, target / _name(number))
        parts.append(part)
    record = one_after_the_other(parts, seed=settings.seed)
    write_fit(record, target, run={"format": FORMAT, **asdict(settings)})
    return record


def _name(number: int) -> str:
    return f"{number:04d}"


def _parts(draws: int) -> Iterator[tuple[int, int]]:
    """Where parts begin, and how many draws they have; what is left over belongs to the last."""
    whole = max(draws // PART, 1)
    for number in range(whole):
        last = number == whole - 1
        yield number * PART, draws - number * PART if last else PART


def _drawn(
    fitted: Fitted, priors: Priors, settings: Settings, schedule: Schedule, parts: list[PosteriorRecord]
) -> PosteriorRecord | None:
    """One part; None where the user interrupted it and there are others."""
    try:
        return sample_model(fitted, priors, settings.sampler(), schedule, after=parts[-1] if parts else None)
    except KeyboardInterrupt:
        if not parts:
            raise
        return None
