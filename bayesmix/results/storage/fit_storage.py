"""Fits on disk: a Zarr directory of arrays and JSON, safe to load whoever wrote it.

Nothing in the file is run: formulas and expressions go through the parser that reads the user's own, families, links
and priors are names, and the design is built again from the stored columns. The groups of a posterior are those of
`Posterior.data`, so that ``xarray.open_datatree(path)`` and ArviZ read the file without bayesmix.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import BayesmixError, BayesmixWarning, DataError, warn_user
from bayesmix.inference.estimation.estimate import working_coordinates
from bayesmix.inference.estimation.methods import Agq, Laplace, Method, Ml, Reml
from bayesmix.inference.estimation.optimise import Optimum, Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord
from bayesmix.results.storage.atomic_replacement import as_left, new_folder
from bayesmix.results.storage.datatree import drawn, numbers_of, parameters_of, posterior_dataset, to_datatree
from bayesmix.results.storage.model_storage import from_dataset, to_dataset
from bayesmix.results.storage.store_files import METADATA, Damage, check_files, checksums, read_metadata, verify
from bayesmix.results.storage.stored_shapes import check_draws, check_estimate

if TYPE_CHECKING:
    import xarray as xr


VERSION = 1  # of the format; raised when older versions of bayesmix could not read it
MARK = "bayesmix_format"
RUN = "bayesmix_run"  # of the root: settings of the run that draws are of
RUN_SETTINGS = "run.json"  # of a folder of draws that are not all there yet
CHECKSUMS = "bayesmix_checksums"  # beside it: of every file but the one that they are in
ESTIMATE = "bayesmix_estimate"
LINKED = "numbers"  # of the draws: parameters that are one number for all rows of several predictors
OWN = ("bayesmix_model", "bayesmix_draws", "bayesmix_thinned")  # groups beside those of ArviZ
NUMBERS = (*OWN, ESTIMATE, "posterior", "log_likelihood", "observed_data", "constant_data")  # groups without NaN ...
MAY_BE_NAN = ("column_", "beta_cov", "b_cov", "optimum_")  # ... but for arrays with these names


def save(fit: FitRecord, path: str | Path, *, data: xr.DataTree | None = None, overwrite: bool = False) -> None:
    """Write a fit as a Zarr directory; it appears under its name only when it is whole.

    ``data`` are the groups of a posterior for ArviZ, with what the user has added.

    Raises
    ------
    DataError
        If the path exists, unless it is a saved fit and ``overwrite=True``; if its folder does not exist, or the disk
        is full. A fit that was saved there before is there still.
    """
    target = as_left(path)
    check_target(target, overwrite=overwrite)
    write_fit(fit, target, data=data)


def write_fit(
    fit: FitRecord, target: Path, *, data: xr.DataTree | None = None, run: Mapping[str, Any] | None = None
) -> None:
    """Write a fit in the place of whatever is there; ``run`` are the settings of the run that its draws are of."""
    groups: dict[str, Any] = {"bayesmix_model": to_dataset(fit.fitted_model)}
    match fit:
        case PosteriorRecord():
            groups |= _posterior_groups(fit, data)
        case EstimateRecord():
            groups |= _estimate_groups(fit)
        case _:
            raise TypeError(type(fit))  # records of fits are of these two kinds
    _write(groups, target, {} if run is None else {RUN: json.dumps(run)})


def save_model(fitted: Fitted, target: Path) -> None:
    """Write a model on its data, without a fit."""
    _write({"bayesmix_model": to_dataset(fitted)}, target, through=True)


def save_part(fit: PosteriorRecord, target: Path) -> None:
    """Write draws without the model, and without what can be computed from both."""
    import xarray as xr

    _write(_posterior_groups(fit, xr.DataTree.from_dict(drawn(fit))), target, through=True)


def _write(
    groups: Mapping[str, Any], target: Path, attributes: Mapping[str, Any] | None = None, *, through: bool = False
) -> None:
    import xarray as xr

    root = xr.Dataset(attrs={MARK: VERSION, **(attributes or {})})
    with new_folder(target, through=through) as unfinished, _quiet():
        tree = xr.DataTree.from_dict({"/": root, **groups})
        tree.to_zarr(unfinished, mode="w-", consolidated=False, zarr_format=3)
        _seal(unfinished)


def read_fit(path: str | Path) -> tuple[EstimateRecord, None] | tuple[PosteriorRecord, xr.DataTree]:
    """Read a fit that `save` wrote, and of a posterior the groups for ArviZ with what the user had added.

    Raises
    ------
    DataError
        If there is no such directory, if it is not a saved fit, is damaged, or was written by a newer bayesmix.
    """
    return _checked(as_left(path), _read)


def read_model(source: Path) -> Fitted:
    """Read what `save_model` wrote; errors as those of `read_fit`."""
    return _checked(source, lambda path: from_dataset(_open(path)["bayesmix_model"].to_dataset()))


def read_part(source: Path, fitted: Fitted, priors: Priors) -> PosteriorRecord:
    """Read what `save_part` wrote; errors as those of `read_fit`."""
    return PosteriorRecord(fitted, _checked(source, lambda path: _draws(_open(path), fitted, priors)), priors)


def _checked[Found](source: Path, read: Callable[[Path], Found]) -> Found:
    """What is read of a store that is whole, or one message."""
    _check_version(source)
    with _one_message(f"`{source}` is damaged and cannot be loaded", "Copy it again, or fit and save again"):
        sealed = _check_files(source)
    what = (
        f"`{source}` cannot be loaded, though its files are as they were saved"
        if sealed
        else (f"`{source}` cannot be loaded, it may be damaged")
    )
    with _one_message(what, f"This is {_readers()}: update what is old, or load it with the versions that saved it"):
        return read(source)


@contextmanager
def _one_message(what: str, advice: str) -> Iterator[None]:
    """Whatever a damaged or hostile store leads to, in one message."""
    try:
        yield
    except (BayesmixError, BayesmixWarning):  # a warning where the user makes errors of them
        raise
    except Exception as error:
        reason = error if isinstance(error, Damage) else f"{type(error).__name__}: {error}"
        raise DataError(f"{what}: {reason}. {advice}.") from error


def _readers() -> str:
    from importlib.metadata import version

    return " and ".join(f"{package} {version(package)}" for package in ("xarray", "zarr"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Zarr's warnings of text, which the versions allowed read all the same, and of files it does not know."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The data type .* does not have a Zarr V3 specification")
        warnings.filterwarnings("ignore", message="Object at .* is not recognized")  # of file managers
        yield


def _open(source: Path) -> xr.DataTree:
    import xarray as xr

    with _quiet():
        return xr.open_datatree(source, engine="zarr", consolidated=False, zarr_format=3, decode_timedelta=False).load()


def _read(source: Path) -> tuple[EstimateRecord, None] | tuple[PosteriorRecord, xr.DataTree]:
    tree = _open(source)
    fitted = from_dataset(tree["bayesmix_model"].to_dataset())
    if "bayesmix_draws" not in tree:
        return _estimate(tree, fitted), None
    data = tree.drop_nodes(OWN, errors="ignore")
    data.attrs.clear()
    return _posterior(tree, fitted), data


def _seal(store: Path) -> None:
    """Write the checksums of a store's files into the metadata of its root."""
    root = read_metadata(store / METADATA)
    root["attributes"][CHECKSUMS] = checksums(store)
    (store / METADATA).write_text(json.dumps(root), encoding="utf-8")


def _check_files(store: Path) -> bool:
    """Raise `Damage` if files of a store are missing, have changed, or are what saved fits do not have.

    True where checksums say so, false for stores from before there were any.
    """
    files = check_files(store)
    expected = read_metadata(store / METADATA)["attributes"].get(CHECKSUMS)
    if expected is not None:
        verify(store, files, expected)
        return True
    for array in sorted(files.unfilled):
        group, _, name = array.partition("/")
        if group in NUMBERS and not name.startswith(MAY_BE_NAN):
            raise Damage(f"files of `{array}` are missing")
    return False


def _marked(path: Path) -> Any:
    """The format's version that a directory names, None if it is no saved fit."""
    try:
        return read_metadata(path / METADATA)["attributes"][MARK]
    except (Damage, KeyError, TypeError):
        return None


def is_saved_fit(path: Path) -> bool:
    """Whether a directory is one that `save` wrote."""
    return _marked(path) is not None


def run_of(path: Path) -> dict[str, Any] | None:
    """Settings of the run that the draws of a saved fit are of."""
    words = read_metadata(path / METADATA)["attributes"].get(RUN)
    return None if words is None else dict(json.loads(words))


def check_target(target: Path, *, overwrite: bool = False) -> None:
    """Raise `DataError` if a fit cannot be saved there."""
    if not target.parent.is_dir():
        raise DataError(f"There is no folder `{target.parent}` to save `{target.name}` in.")
    if not target.exists():
        return
    if _marked(target) is None:
        raise DataError(f"`{target}` exists and is not a saved fit: it is left as it is. Choose another name.")
    if not overwrite:
        raise DataError(
            f"`{target}` exists. Replace it with fit.save({str(target)!r}, overwrite=True), or --overwrite."
        )


def _check_version(source: Path) -> None:
    if not source.exists():
        raise DataError(f"There is no saved fit `{source}`.")
    version = _marked(source)
    if version is None and (source / RUN_SETTINGS).is_file():
        raise DataError(f'`{source}` is not a saved fit yet, but a run: bmx.resume("{source}") goes on with it.')
    if version is None:
        raise DataError(f"`{source}` is not a saved fit of bayesmix: those are directories that fit.save() wrote.")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise DataError(
            f"`{source}` has format {version}; this bayesmix reads formats up to {VERSION}. Update bayesmix to load it."
        )


# ---- posteriors -------------------------------------------------------------------------------------------------


def _posterior_groups(fit: PosteriorRecord, data: xr.DataTree | None) -> dict[str, Any]:
    tree = to_datatree(fit) if data is None else data
    groups: dict[str, Any] = {name: node.to_dataset() for name, node in tree.children.items()}
    draws = fit.draws
    words: dict[str, Any] = {
        "method": draws.method,
        "notes": draws.notes,
        "certificate": dict(draws.certificate),
        "seed": draws.seed,
    }
    words["priors"] = _stated(fit.priors)
    own = _exact(fit.design, fit.values)
    if draws.state is not None:
        own["state"] = (("chain", "free"), draws.state)
    groups["bayesmix_draws"] = own.assign_attrs(draws=json.dumps(words))
    if draws.thinned is not None:
        kept = posterior_dataset(fit.design, fit.with_effects, fit.spec.dispersion)
        groups["bayesmix_thinned"] = kept.merge(_exact(fit.design, fit.with_effects))
    return groups


def _exact(design: Design, values: Parameters) -> xr.Dataset:
    """What the posterior group has otherwise: whole correlation matrices, and numbers through their links."""
    import xarray as xr

    lead = ("chain", "draw")
    found: dict[str, Any] = {f"matrix_{t}": ((*lead, f"i_{t}", f"j_{t}"), m) for t, m in enumerate(values.corr)}
    if design.layout.numbers:
        found[LINKED] = ((*lead, "number"), values.beta[..., numbers_of(design)])
    return xr.Dataset(found)


def _posterior(tree: xr.DataTree, fitted: Fitted) -> PosteriorRecord:
    priors = resolve(fitted.spec, fitted.design)
    return PosteriorRecord(fitted, _draws(tree, fitted, priors), priors)


def _draws(tree: xr.DataTree, fitted: Fitted, priors: Priors) -> Draws:
    """Draws as they were stored; a warning where the priors have changed since."""
    own = tree["bayesmix_draws"].to_dataset()
    words = json.loads(own.attrs["draws"])
    parameters = _parameters(tree["posterior"].to_dataset(), own, fitted)
    thinned = None
    if "bayesmix_thinned" in tree:
        kept = tree["bayesmix_thinned"].to_dataset()
        thinned = _parameters(kept, kept, fitted)
    stats = {str(name): values.values for name, values in tree["sample_stats"].to_dataset().data_vars.items()}
    draws = Draws(
        parameters,
        stats,
        words["method"],
        tuple(words["notes"]),
        words["certificate"],
        thinned,
        words.get("seed"),
        own["state"].values if "state" in own else None,
    )
    check_draws(parameters, stats, draws.state, fitted.design)
    if thinned is not None:
        check_draws(thinned, {}, None, fitted.design)
    _check_priors(words.get("priors"), _stated(priors))
    return draws


def _stated(priors: Priors) -> dict[str, str]:
    return {name: str(prior) for name, prior, _ in priors.rows()}


def _check_priors(then: dict[str, str] | None, now: dict[str, str]) -> None:
    """Warn where defaults have changed since a fit was saved; stores from before they were written say nothing."""
    if then is None or then == now:
        return
    name = next(name for name in (*then, *now) if then.get(name) != now.get(name))
    warn_user(
        f"The default priors are not those that the loaded fit was sampled with: `{name}` was"
        f" {then.get(name, 'not there')} and is {now.get(name, 'not there')}. What is said of priors is of the new.",
        BayesmixWarning,
    )


def _parameters(posterior: xr.Dataset, exact: xr.Dataset, fitted: Fitted) -> Parameters:
    corr = tuple(exact[f"matrix_{t}"].values for t in range(len(fitted.design.terms)))
    numbers = exact[LINKED].values if fitted.design.layout.numbers else None
    return parameters_of(posterior, fitted.design, fitted.spec.dispersion, corr, numbers)


# ---- estimates --------------------------------------------------------------------------------------------------

_METHODS: dict[str, type[Method]] = {kind.__name__: kind for kind in (Reml, Ml, Laplace, Agq)}
_SINGLE = ("beta", "beta_cov", "theta")
_PER_TERM = ("covariances", "b", "b_cov")
_OPTIMUM = ("x", "gradient", "hessian")


def _estimate_groups(fit: EstimateRecord) -> dict[str, Any]:
    import xarray as xr

    point = fit.point
    arrays: dict[str, Array] = {name: getattr(point, name) for name in _SINGLE}
    arrays |= {f"{name}_{t}": array for name in _PER_TERM for t, array in enumerate(getattr(point, name))}
    arrays |= {f"optimum_{name}": getattr(point.optimum, name) for name in _OPTIMUM}
    words = {
        "method": type(point.method).__name__,
        "points": point.method.points if isinstance(point.method, Agq) else None,
        "dispersion": point.dispersion,
        "criterion": point.criterion,
        "df": point.df,
        "singular": point.singular,
        "optimum": {"value": point.optimum.value, "evaluations": point.optimum.evaluations},
        "status": point.optimum.status.name,
    }
    variables = {name: ([f"{name}_{axis}" for axis in range(a.ndim)], a) for name, a in arrays.items()}
    return {ESTIMATE: xr.Dataset(variables, attrs={"estimate": json.dumps(words)})}


def _estimate(tree: xr.DataTree, fitted: Fitted) -> EstimateRecord:
    node = tree[ESTIMATE].to_dataset()
    words = json.loads(node.attrs["estimate"])
    terms = range(len(fitted.design.terms))
    single: dict[str, Any] = {name: node[name].values for name in _SINGLE}
    per_term: dict[str, Any] = {name: tuple(node[f"{name}_{t}"].values for t in terms) for name in _PER_TERM}
    derivatives: dict[str, Any] = {name: node[f"optimum_{name}"].values for name in _OPTIMUM}
    method = _METHODS[words["method"]]
    point = PointEstimate(
        **single,
        **per_term,
        method=Agq(words["points"]) if method is Agq else method(),
        dispersion=words["dispersion"],
        criterion=words["criterion"],
        df=words["df"],
        singular=tuple(words["singular"]),
        optimum=Optimum(**derivatives, **words["optimum"], status=Status[words["status"]]),
        coordinates=working_coordinates(fitted.design, fitted.spec),
    )
    check_estimate(point, fitted.design, fitted.spec)
    return EstimateRecord(fitted, point)
