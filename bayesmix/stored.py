"""What is on disk, as users hold it: saved fits, and runs that go on."""

from __future__ import annotations

from pathlib import Path

from bayesmix.fit import Estimate, Posterior
from bayesmix.language.arguments import explained
from bayesmix.results.fits.records import EstimateRecord


@explained
def load(path: str | Path) -> Estimate | Posterior:
    """Read a fit that ``save`` wrote; everything works on it as on the fit that was saved.

    Files from strangers are safe to load: they hold arrays and text, and nothing in them is run.

    Parameters
    ----------
    path : of the directory, ``"fit.zarr"``.

    Raises
    ------
    DataError
        If there is no such directory, if it is not a saved fit, is damaged, or was written by a newer bayesmix.
    """
    from bayesmix.results.storage.fit_storage import read_fit

    record, data = read_fit(path)
    if isinstance(record, EstimateRecord):
        return Estimate(record.fitted_model, record.point)
    return Posterior(record.fitted_model, record.draws, record.priors, data)


@explained
def resume(path: str | Path, *, progress: bool = True) -> Posterior:
    """Go on with a run that ``model.sample(checkpoint=)`` began and that was stopped; load it if it is finished.

    The draws are those that the run would have had, to the bit.

    Parameters
    ----------
    path : what ``checkpoint`` was.
    progress : show a progress bar.

    Raises
    ------
    DataError
        If there is no run, it is damaged, or another version of bayesmix began it.
    """
    from bayesmix.results.storage.sampling_run import resume_run

    found = resume_run(path, progress=progress)
    return Posterior(found.fitted_model, found.draws, found.priors)
