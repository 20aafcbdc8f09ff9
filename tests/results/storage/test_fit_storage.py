"""Saved fits: what comes back, what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numcodecs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zarr
from distributional import estimate_of
from distributional import posterior_of as several

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.fit import Posterior
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.storage.fit_storage import CHECKSUMS, MARK, _seal
from tests.conftest import thinned


def data(n=60, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 10.0, n)
    g = np.array(["b", "a", "d", "c", "f", "e"])[np.arange(n) % 6]
    f = np.array(["low", "mid", "high"])[rng.integers(3, size=n)]
    y = 1.0 + 0.3 * x + rng.normal(size=6)[np.arange(n) % 6] + rng.normal(size=n)
    return pd.DataFrame({"x": x, "g": g, "f": f, "y": y, "count": rng.poisson(2.0, n), "flag": rng.random(n) < 0.5})


def of_polars(frame):
    """Without Polars, an Arrow table: another dataframe all the same."""
    polars = find_spec("polars")
    return pa.Table.from_pandas(frame) if polars is None else import_module("polars").from_pandas(frame)


def models():
    frame = data()
    gaps = frame.assign(x=frame["x"].where(frame.index % 7 > 0), left=np.where(frame.index % 5 > 0, frame["f"], None))
    ordered = frame.assign(f=pd.Categorical(frame["f"], ["low", "mid", "high"], ordered=True))
    rng = np.random.default_rng(0)
    offset, weights = rng.normal(size=len(frame)), rng.uniform(0.5, 2.0, len(frame))
    return {
        "splines": bmx.Model("y ~ bs(x, df=4) + (scale(x) | g)", frame),
        "arrays": bmx.Model("y ~ x + (x | g)", frame, weights=weights, offset=offset, priors={"sd": "HalfNormal(0.1)"}),
        "expressions": bmx.Model("y ~ x + offset(x / 3) + (1 | g)", frame, weights="x + 1", offset="log(x)"),
        "categories": bmx.Model(
            "y ~ f * x + flag + (x || g) + (1 | f:g)", ordered, priors="flat", contrasts={"f": "sum"}
        ),
        "one correlation": bmx.Model("y ~ x + cs(x | g)", frame),
        "no groups": bmx.Model("y ~ x + f", frame),
        "polars": bmx.Model("count ~ x + f + (1 | g)", of_polars(frame), family="poisson"),
        "gaps": bmx.Model(
            "y ~ . - left - count - flag - f - g + (1 | g)", gaps[["left", "x", "g", "y", "count", "flag", "f"]]
        ),
        "trials": bmx.Model("cbind(count, flag + 15) ~ log(x) + (1 | g)", frame, family="binomial", link="probit"),
    }


with pytest.warns(bmx.DroppedWarning):  # once, not again in loading
    DROPPED = bmx.Model("y ~ x + I(2 * x) + (1 | g)", data())
with pytest.warns(bmx.DroppedWarning, match=r"19 of 60 rows were left out: missing values in `x` \(9\), `left` \(12\)"):
    MODELS = {"dropped": DROPPED, **models()}
NEW = pd.DataFrame({"x": [0.5, 7.0], "g": ["a", "zz"], "f": ["high", "low"], "flag": [True, False], "count": [1, 2]})


def posterior(name):
    """Draws of the right shapes."""
    model, rng, lead = MODELS[name], np.random.default_rng(2), (2, 5)
    corr = []
    for term in model.design.terms:
        k = len(term.effects)
        root = np.linalg.qr(rng.normal(size=(*lead, k, k)))[0] * rng.uniform(0.5, 1.0, (*lead, k, 1))
        cov = root @ np.swapaxes(root, -1, -2) + 0.2 * rng.normal(size=(*lead, k, 1)) ** 2 * np.eye(k)
        sd = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
        corr.append(
            np.eye(k) * np.ones((*lead, 1, 1)) if term.structure == "diag" else cov / (sd[..., None] * sd[..., None, :])
        )
    values = Parameters(
        rng.normal(size=(*lead, len(model.design.fixed))),
        tuple(rng.exponential(size=(*lead, len(term.effects))) for term in model.design.terms),
        tuple(corr),
        tuple(
            rng.normal(size=(*lead, *term.codes.max(initial=0, keepdims=True) + 1, len(term.effects)))
            for term in model.design.terms
        ),
        rng.exponential(size=lead) if model.spec.family.dispersion else None,
    )
    fitted_model = Fitted(model.spec, model.design, "my data", {"Intercept": 1.5})
    stats = {"diverging": np.zeros(lead, bool), "lp": rng.normal(size=lead)}
    state = rng.normal(size=(lead[0], 7))
    draws = Draws(values, stats, "marginal", ("A note.",), {"pareto_k": 0.1}, seed=11, state=state)
    return Posterior(fitted_model, draws, model.priors)


def same_design(first, second):
    assert first.fixed == second.fixed
    assert first.dropped == second.dropped
    for name in ("y", "X", "weights", "offset", "rows", "trials"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for one, other in zip(first.terms, second.terms, strict=True):
        assert (one.group, one.levels, one.effects, one.structure) == (
            other.group,
            other.levels,
            other.effects,
            other.structure,
        )
        np.testing.assert_array_equal(one.z, other.z)
        np.testing.assert_array_equal(one.codes, other.codes)


QUICK = {"splines", "arrays", "categories", "polars", "trials"}


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MODELS])
def test_posteriors_come_back(name, tmp_path):
    fit = posterior(name)
    fit.data["predictions"] = fit.data["posterior"].to_dataset()[["fixef"]]  # what users add stays
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    assert isinstance(back, bmx.Posterior)
    same_design(back.design, fit.design)
    assert back.spec == fit.spec
    assert back.spec.formula.text == fit.spec.formula.text
    pd.testing.assert_frame_equal(back.parameters(), fit.parameters(), check_exact=True)
    new = {"offset": [0.0, 1.0]} if name == "arrays" else {}
    for groups in ("new", "zero"):
        pd.testing.assert_frame_equal(back.predict(NEW, groups=groups, **new), fit.predict(NEW, groups=groups, **new))
    assert str(back.summary()) == str(fit.summary())
    assert back.diagnose() == fit.diagnose()
    assert set(back.data.children) == set(fit.data.children)
    for group in fit.data.children:
        assert back.data[group].to_dataset().identical(fit.data[group].to_dataset()), group
    assert back.fitted_model.data_name == "my data"
    assert list(back.priors.rows()) == list(fit.priors.rows())  # centred ones too
    assert back.draws.seed == 11
    np.testing.assert_array_equal(back.draws.state, fit.draws.state)


def test_loaded_posteriors_compare_with_estimates(posterior_of, fitted, stores):
    fit = posterior_of("sleepstudy", spread=0.1)
    table = bmx.compare(bmx.load(stores / "posterior"), fitted("sleepstudy"), causes=False).table
    pd.testing.assert_frame_equal(table, bmx.compare(fit, fitted("sleepstudy"), causes=False).table)


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp", "pastes"])
@pytest.mark.parametrize("method", ["auto", "other"])
def test_estimates_come_back(name, method, fitted, tmp_path):
    other = bmx.Agq(points=5) if name == "cbpp" else "ml"
    fit = fitted(name, method if method == "auto" else other)
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(str(tmp_path / "fit.zarr"))
    assert isinstance(back, bmx.Estimate)
    assert str(back.summary()) == str(fit.summary())
    pd.testing.assert_frame_equal(back.parameters(), fit.parameters(), check_exact=True)
    for group, table in fit.ranef_sd().items():
        pd.testing.assert_frame_equal(back.ranef_sd()[group], table, check_exact=True)
    assert back.point.method == fit.point.method
    assert (back.converged, back.singular, back.criterion) == (fit.converged, fit.singular, fit.criterion)
    if name == "sleepstudy" and method == "auto":
        pd.testing.assert_frame_equal(back.satterthwaite(), fit.satterthwaite())


def test_big_models_keep_their_thinned_effects(posterior_of, tmp_path):
    fit = thinned(posterior_of("sleepstudy", spread=0.1))
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    assert back.values.b == ()
    assert back.with_effects.lead == (2, 5)
    np.testing.assert_array_equal(back.ranef()["Subject"], fit.ranef()["Subject"])
    np.testing.assert_array_equal(back.with_effects.corr[0], fit.with_effects.corr[0])


def test_default_priors_that_have_changed_since_are_named(stores, tmp_path):
    shutil.copytree(stores / "posterior", tmp_path / "fit.zarr")

    def plant(attributes):
        words = json.loads(attributes["draws"])
        words["priors"]["sigma"] = "Exponential(9)"
        attributes["draws"] = json.dumps(words)

    edit(tmp_path / "fit.zarr" / "bayesmix_draws", plant)
    _seal(tmp_path / "fit.zarr")
    with pytest.warns(bmx.BayesmixWarning, match=r"`sigma` was Exponential\(9\) and is Exponential\(0\.0"):
        bmx.load(tmp_path / "fit.zarr")


def test_documented_figures_come_back(tmp_path):
    fit = bmx.load_model("esoph_lmm").estimate()
    fit.save(tmp_path / "fit.zarr")
    assert bmx.load(tmp_path / "fit.zarr").fitted_model.documented == fit.fitted_model.documented
    assert fit.fitted_model.documented


def test_existing_files_are_safe(fitted, tmp_path):
    fit, target = fitted("sleepstudy"), tmp_path / "fit.zarr"
    fit.save(target)
    with pytest.raises(DataError, match="overwrite=True"):
        fit.save(target)
    fitted("sleepstudy", "ml").save(target, overwrite=True)
    assert bmx.load(target).method == "ML"
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter").write_text("years of work")
    with pytest.raises(DataError, match="not a saved fit"):
        fit.save(mine, overwrite=True)
    assert (mine / "chapter").exists()
    with pytest.raises(DataError, match="no folder"):
        fit.save(tmp_path / "nowhere" / "fit.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.zarr", "thesis"]


def test_a_save_that_fails_leaves_nothing(fitted, tmp_path, monkeypatch):
    import xarray as xr

    fitted("sleepstudy").save(tmp_path / "fit.zarr")

    def fail(self, store, **options):
        Path(store).mkdir()
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_zarr", fail)
    with pytest.raises(DataError, match=r"fit.zarr` cannot be written: disk full\.$"):
        fitted("sleepstudy", "ml").save(tmp_path / "fit.zarr", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]
    assert bmx.load(tmp_path / "fit.zarr").method == "REML"


def test_what_is_no_saved_fit(tmp_path):
    with pytest.raises(DataError, match="There is no saved fit"):
        bmx.load(tmp_path / "nothing.zarr")
    (tmp_path / "file.zarr").write_text("text")
    zarr.create_group(tmp_path / "other.zarr")
    for name in ("file.zarr", "other.zarr"):
        with pytest.raises(DataError, match="is not a saved fit"):
            bmx.load(tmp_path / name)


def edit(path, change):
    """Change the attributes of a group on disk."""
    file = path / "zarr.json"
    content = json.loads(file.read_text())
    change(content["attributes"])
    file.write_text(json.dumps(content))


@pytest.fixture
def saved(stores, tmp_path):
    return Path(shutil.copytree(stores / "estimate", tmp_path / "fit.zarr"))


def test_newer_formats_are_refused(saved):
    edit(saved, lambda attributes: attributes.update({MARK: 99}))
    with pytest.raises(DataError, match="format 99; this bayesmix reads formats up to 1"):
        bmx.load(saved)


def test_changed_data_are_found_out(saved):
    column = zarr.open_array(saved / "bayesmix_model" / "column_1", mode="r+")
    column[3] = column[3] + 1e-3
    with pytest.raises(DataError, match="`bayesmix_model/column_1/c/0` is not as it was saved"):
        bmx.load(saved)
    _seal(saved)  # as somebody would who knows how
    with pytest.raises(DataError, match="is not the one that was fitted: X differ"):
        bmx.load(saved)


# ---- damage -----------------------------------------------------------------------------------------------------

CHUNK = {"estimate": "bayesmix_estimate/beta/c/0", "posterior": "posterior/fixef/c/0/0/0"}


@pytest.fixture(scope="module")
def stores(fitted, posterior_of, tmp_path_factory):
    """A saved estimate and a saved posterior, to be copied."""
    folder = tmp_path_factory.mktemp("stores")
    fitted("sleepstudy").save(folder / "estimate")
    posterior_of("sleepstudy", spread=0.1).save(folder / "posterior")
    return folder


def array_of(name):
    return name.partition("/c/")[0]


def text(size):
    return {"name": "fixed_length_utf32", "configuration": {"length_bytes": size}}


def unseal(store):
    """What versions without checksums wrote."""
    edit(store, lambda attributes: attributes.pop(CHECKSUMS))


def remove(store, name):
    path = store / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def truncate(store, name):
    path = store / name
    path.write_bytes(path.read_bytes()[:-4])


def flip(store, name):
    content = bytearray((store / name).read_bytes())
    content[-3] ^= 1
    (store / name).write_bytes(content)


def pipe(store, name):
    remove(store, name)
    os.mkfifo(store / name)


def link(target):
    def make(store, name):
        remove(store, name)
        (store / name).symlink_to(target)

    return make


def sparse(size):
    def make(store, name):
        with (store / name).open("wb") as file:
            file.truncate(size)

    return make


def zeros(size):
    """A bomb: next to nothing, as Zstandard packs it."""

    def make(store, name):
        (store / name).write_bytes(numcodecs.Zstd(1).encode(bytes(size)))

    return make


def behind_a_frame(size):
    """A bomb behind what its first bytes say."""

    def make(store, name):
        with (store / name).open("ab") as file:
            file.write(numcodecs.Zstd(1).encode(bytes(size)))

    return make


def deflated(size):
    def make(store, name):
        declare(codecs=[{"name": "bytes"}, {"name": "gzip", "configuration": {"level": 9}}])(store, name)
        (store / name).write_bytes(numcodecs.GZip(9).encode(bytes(size)))

    return make


def longer(store, name):
    """An array of other numbers than the model has, nothing but its fill value."""
    shape = json.loads((store / array_of(name) / "zarr.json").read_text())["shape"]
    remove(store, name)
    declare(**grid(*shape[:-1], shape[-1] + 7), fill_value=0.0)(store, name)


def declare(**changes):
    def make(store, name):
        path = store / array_of(name) / "zarr.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return make


def grid(*shape):
    return {"shape": shape, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}}}


def many_groups(store, name):
    for j in range(1100):
        (store / f"g{j}").mkdir()
        (store / f"g{j}" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')


def add_chunk(store, name):
    shutil.copy(store / name, store / f"{name}9")


# kind -> how the store is damaged at its fixed effects, and what the message says: of stores with checksums where
# these tell, and of stores whose checksums are right or that have none
DAMAGE = {
    "lost chunk": (remove, "is missing", r"files of `.*(beta|fixef)` are missing"),
    "lost array": (lambda store, name: remove(store, array_of(name)), "is missing", "cannot be loaded"),
    "truncated chunk": (truncate, "is not as it was saved", "cannot be loaded"),
    "empty chunk": (sparse(0), "is not as it was saved", "cannot be loaded"),
    "changed chunk": (flip, "is not as it was saved", None),
    "added chunk": (add_chunk, "was added after", None),
    "pipe": (pipe, "is neither a file nor a folder"),
    "device": (link("/dev/zero"), "is a link"),
    "link out": (link("/etc/hostname"), "is a link"),
    "link within": (link("../../zarr.json"), "is a link"),
    "link to itself": (link("."), "is a link"),
    "huge chunk": (sparse(1 << 40), r"declares .* bytes and has"),
    "bomb": (zeros(1 << 28), r"unpacks to 2.68e\+08 bytes, where"),
    "bomb behind a frame": (behind_a_frame(1 << 28), "is not packed as its array says"),
    "deflated bomb": (deflated(60 << 20), "unpacks to .* bytes, where"),
    "other shape": (longer, "is missing", r"`beta` has the shape \(9,\), .* \(2,\)|length 2 on .* and length 9"),
    "huge shape": (declare(**grid(10**12)), r"declares 8e\+12 bytes"),
    "huger shape": (declare(**grid(*[10**18] * 60)), r"declares 9.22e\+18 bytes"),
    "huge text": (declare(data_type=text(10**13)), r"declares 2e\+13 bytes"),
    "no shape": (declare(shape="all"), "has no shape: 'all'"),
    "negative shape": (declare(shape=[-2]), "has no shape"),
    "foreign type": (declare(data_type="r8000000"), "holds r8000000"),
    "foreign codec": (declare(codecs=[{"name": "pickle"}]), "is coded by pickle"),
    "no JSON": (lambda store, name: truncate(store, f"{array_of(name)}/zarr.json"), "is not metadata of Zarr"),
    "deep JSON": (lambda store, _: (store / "zarr.json").write_text("[" * 10**6), "is not a saved fit"),
    "root a pipe": (lambda store, _: pipe(store, "zarr.json"), "is not a saved fit"),
    "root a device": (lambda store, _: link("/dev/zero")(store, "zarr.json"), "is not a saved fit"),
    "root huge": (lambda store, _: sparse(1 << 40)(store, "zarr.json"), "is not a saved fit"),
    "many groups": (many_groups, "groups"),
}


CASES = [
    (kind, fit, sealed, match)
    for kind, (_, *matches) in DAMAGE.items()
    for fit in CHUNK
    for sealed, match in zip((True, False), (*matches, None)[:2], strict=True)
    if match is not None and (len(matches) > 1 or fit == "estimate")
]


@pytest.mark.parametrize(("kind", "fit", "sealed", "match"), CASES)
def test_damage_is_one_clear_error_at_once(kind, fit, sealed, match, stores, tmp_path):
    store = shutil.copytree(stores / fit, tmp_path / "fit.zarr")
    if not sealed:
        unseal(store)
    damage = DAMAGE[kind][0]
    damage(store, CHUNK[fit])
    start = time.process_time()
    with pytest.raises(DataError, match=match) as error:
        bmx.load(store)
    assert time.process_time() - start < 1.0
    assert str(store) in str(error.value)


@pytest.mark.parametrize("fit", CHUNK)
def test_stores_without_checksums_still_load(fit, stores, tmp_path):
    store = shutil.copytree(stores / fit, tmp_path / "fit.zarr")
    unseal(store)
    assert str(bmx.load(store).summary()) == str(bmx.load(stores / fit).summary())


def test_every_file_has_a_checksum(stores, tmp_path):
    for fit in CHUNK:
        expected = json.loads((stores / fit / "zarr.json").read_text())["attributes"][CHECKSUMS]
        files = {path.relative_to(stores / fit).as_posix() for path in (stores / fit).rglob("*") if path.is_file()}
        assert files == {*expected, "zarr.json"}


def test_what_others_put_beside_a_fit_does_no_harm(stores, tmp_path):
    import xarray as xr

    store = shutil.copytree(stores / "posterior", tmp_path / "fit.zarr")
    (store / ".DS_Store").write_bytes(b"\0")
    (store / "posterior" / "fixef" / "._c").write_bytes(b"\0")
    notes = xr.Dataset({"mine": ("i", [1.0, np.nan])})
    notes.to_zarr(store / "notes", zarr_format=3, consolidated=False)
    assert bmx.load(store).data["notes"]["mine"].values[0] == 1.0


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ __import__('os').system('touch {mark}') + (Days | Subject)",
        "Reaction ~ Days.__class__ + (Days | Subject)",
        "Reaction ~ eval('1') + (Days | Subject)",
    ],
)
def test_formulas_of_strangers_run_nothing(saved, formula, tmp_path):
    mark = tmp_path / "ran"

    def plant(attributes):
        words = json.loads(attributes["model"])
        attributes["model"] = json.dumps(words | {"formula": formula.format(mark=mark)})

    edit(saved / "bayesmix_model", plant)
    _seal(saved)
    with pytest.raises(bmx.BayesmixError):
        bmx.load(saved)
    assert not mark.exists()


class Bomb:
    """Unpickling it touches a file."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


def test_pickles_of_strangers_are_not_read(saved, tmp_path):
    mark = tmp_path / "ran"
    for target in (saved / "bayesmix_model" / "column_0", saved / "bayesmix_estimate" / "beta"):
        shutil.rmtree(target)
        target.mkdir()
        payload = pickle.dumps(np.array([Bomb(mark)], object))
        for chunk in ("0", "c0"):
            (target / chunk).write_bytes(payload)
        described = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None}
        described |= {"fill_value": None, "order": "C", "filters": [{"id": "pickle", "protocol": 5}]}
        (target / ".zarray").write_text(json.dumps(described))
        (target / ".zattrs").write_text("{}")
    _seal(saved)
    with pytest.raises(DataError, match="cannot be loaded"):
        bmx.load(saved)
    assert not mark.exists()


def test_what_has_code_is_not_saved(model, tmp_path):
    from dataclasses import replace

    from bayesmix.language.families.registry import find_family

    own = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    own.spec = replace(own.spec, family=replace(find_family("gaussian")))  # one like it
    with pytest.raises(SpecError, match="cannot be saved"):
        own.estimate().save(tmp_path / "fit.zarr")
    assert not list(tmp_path.iterdir())


# ---- several linear predictors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sleepstudy_locscale", "two_gaussian_rescor", "gaussian_offsets_reml"])
def test_estimates_with_several_predictors_come_back(name, tmp_path):
    fit = estimate_of(name)
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    assert back.spec == fit.spec
    assert str(back.summary()) == str(fit.summary())
    pd.testing.assert_frame_equal(back.parameters(), fit.parameters(), check_exact=True)
    np.testing.assert_array_equal(back.values.beta, fit.values.beta)
    for one, other in zip(back.design.outcomes, fit.design.outcomes, strict=True):
        np.testing.assert_array_equal(one.y, other.y)
    assert back.method == fit.method
    assert (back.converged, back.criterion) == (fit.converged, fit.criterion)


@pytest.mark.parametrize("name", ["sleepstudy_locscale", "two_gaussian_rescor"])
def test_posteriors_with_several_predictors_come_back(name, tmp_path):
    """To the bit, though numbers are stored on their own scale for people and through their links for us."""
    fit = several(name)
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    pd.testing.assert_frame_equal(back.parameters(), fit.parameters(), check_exact=True)
    np.testing.assert_array_equal(back.values.beta, fit.values.beta)
    np.testing.assert_array_equal(back.values.b[0], fit.values.b[0])
    assert str(back.summary()) == str(fit.summary())
    assert list(back.priors.rows()) == list(fit.priors.rows())
    for group in fit.data.children:
        assert back.data[group].to_dataset().identical(fit.data[group].to_dataset()), group


def test_big_models_with_several_predictors_keep_their_thinned_effects(tmp_path):
    fit = thinned(several("two_gaussian"))
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(back.with_effects.beta, fit.with_effects.beta)
    np.testing.assert_array_equal(back.ranef()["g"], fit.ranef()["g"])
