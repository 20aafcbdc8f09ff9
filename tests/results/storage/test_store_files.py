"""Files of a store made by hand: sizes against what metadata declare, checksums, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os

import pytest

from bayesmix.results.storage import store_files
from bayesmix.results.storage.store_files import Damage, check_files, checksums, read_metadata, verify

NUMBERS = b"\0" * 80  # ten numbers of eight bytes


def array(shape, chunks=None, data_type="float64", **changes):
    grid = {"name": "regular", "configuration": {"chunk_shape": list(chunks or shape)}}
    return {
        "zarr_format": 3, "node_type": "array", "shape": list(shape), "data_type": data_type, "chunk_grid": grid,
        "codecs": [{"name": "bytes"}], "fill_value": "NaN", **changes,
    }  # fmt: skip


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.fixture
def store(tmp_path):
    """A group with an array of one chunk, and one of two chunks of which one is there."""
    write(tmp_path / "zarr.json", {"zarr_format": 3, "node_type": "group"})
    write(tmp_path / "x" / "zarr.json", array([10]))
    write(tmp_path / "x" / "c" / "0", NUMBERS)
    write(tmp_path / "part" / "y" / "zarr.json", array([20], [10]))
    write(tmp_path / "part" / "y" / "c" / "0", NUMBERS)
    return tmp_path


def test_files_are_listed_with_their_sizes(store):
    write(store / ".DS_Store", b"hidden")
    files = check_files(store)
    expected = {p.relative_to(store).as_posix(): p.stat().st_size for p in store.rglob("*")
                if p.is_file() and not p.name.startswith(".")}  # fmt: skip
    assert dict(files.sizes) == expected
    assert files.arrays == {"x", "part/y"}
    assert files.unfilled == {"part/y"}


@pytest.mark.parametrize(
    ("shape", "chunks", "present", "fill", "lacks"),
    [
        ([20], [10], 2, "NaN", False),
        ([21], [10], 2, "NaN", True),  # the last chunk is not full, and there
        ([4, 5], [2, 2], 6, "NaN", False),
        ([4, 5], [2, 2], 5, "NaN", True),
        ([20], [10], 1, 0, False),  # zeros are what was stored
        ([0], [10], 0, "NaN", False),
    ],
)
def test_arrays_that_lack_chunks(store, shape, chunks, present, fill, lacks):
    write(store / "z" / "zarr.json", array(shape, chunks, fill_value=fill))
    for j in range(present):
        write(store / "z" / "c" / str(j), NUMBERS)
    assert ("z" in check_files(store).unfilled) == lacks


def test_checksums_are_those_of_hashlib(store):
    found = checksums(store)
    assert set(found) == {"x/zarr.json", "x/c/0", "part/y/zarr.json", "part/y/c/0"}  # not that of the root
    for name, digest in found.items():
        assert digest == hashlib.sha256((store / name).read_bytes()).hexdigest()


def change(store, name):
    write(store / name, b"\1" * 80)


def remove(store, name):
    (store / name).unlink()


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (change, "x/c/0", "`x/c/0` is not as it was saved"),
        (remove, "part/y/c/0", "`part/y/c/0` is missing"),
        (change, "x/c/1", "`x/c/1` was added after"),
        (change, "notes/c", None),  # groups of others are left alone
        (change, "x.txt", None),
    ],
)
def test_files_are_held_against_their_checksums(store, damage, name, message):
    expected = checksums(store)
    verify(store, check_files(store), expected)
    damage(store, name)
    if message is None:
        verify(store, check_files(store), expected)
    else:
        with pytest.raises(Damage, match=message):
            verify(store, check_files(store), expected)


def test_an_array_of_another_program_may_grow(store):
    expected = {name: digest for name, digest in checksums(store).items() if not name.startswith("x/")}
    change(store, "x/c/1")
    verify(store, check_files(store), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "`zarr.json` is not metadata of Zarr"),
        (b"{", "is not metadata of Zarr: "),
        (b"\xff\xfe", "is not metadata of Zarr: "),
        (b"[" * 100_000, "is not metadata of Zarr: "),
    ],
)
def test_metadata_that_are_none(tmp_path, content, message):
    write(tmp_path / "zarr.json", content)
    with pytest.raises(Damage, match=message):
        read_metadata(tmp_path / "zarr.json")


def test_metadata_are_read(tmp_path, monkeypatch):
    write(tmp_path / "zarr.json", {"a": 1})
    assert read_metadata(tmp_path / "zarr.json") == {"a": 1}
    with pytest.raises(Damage, match="is not metadata of Zarr"):
        read_metadata(tmp_path / "gone.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Damage, match="`folder` is not a file"):
        read_metadata(tmp_path / "folder")
    monkeypatch.setattr(store_files, "LARGEST_METADATA", 7)
    with pytest.raises(Damage, match="has 8 bytes"):
        read_metadata(tmp_path / "zarr.json")
    monkeypatch.setattr(store_files, "LARGEST_METADATA", 8)
    assert read_metadata(tmp_path / "zarr.json") == {"a": 1}


BIG = store_files.EMPTY  # bytes of an array of fill values


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (array([10], data_type="r64"), "`z` holds r64"),
        (array([10], codecs=[{"name": "zstd"}, "pickle", {"name": "evil"}]), "`z` is coded by evil, pickle"),
        (array("all"), "has no shape: "),
        (array([-1]), "has no shape: "),
        (array([True]), "has no shape: "),
        (array([10], [2.5]), "has no shape: "),
        (array([BIG // 8 + 1]), "declares 2.68e\\+08 bytes and has 0 in its files"),
        (array([10], [BIG // 8 + 1]), "declares"),  # chunks are filled whole
        (
            array([BIG // 40 + 1], data_type={"name": "fixed_length_utf32", "configuration": {"length_bytes": 40}}),
            "declares",
        ),
        (array([10**18] * 60), "declares 9.22e\\+18 bytes"),
        (array([BIG // 8]), None),
        (array([BIG // 2], data_type="float16"), None),
        (array([BIG // 16], data_type={"name": "complex128"}), None),
        (array([BIG // 16 + 1], data_type="complex128"), "declares"),
        (array([BIG // 40], data_type={"name": "fixed_length_utf32", "configuration": {"length_bytes": 40}}), None),
        (array([10], codecs=["bytes", {"name": "zstd"}, "crc32c"]), None),
    ],
)
def test_arrays_are_no_larger_than_their_files_can_hold(store, declared, message, monkeypatch):
    monkeypatch.setattr(store_files, "WHOLE", (0, BIG + 1000))
    write(store / "z" / "zarr.json", declared)
    if message is None:
        assert "z" in check_files(store).arrays
    else:
        with pytest.raises(Damage, match=message):
            check_files(store)


def test_compressed_files_may_hold_many_times_their_size(store, monkeypatch):
    monkeypatch.setattr(store_files, "EMPTY", 0)
    monkeypatch.setattr(store_files, "COMPRESSION", 10)
    write(store / "z" / "zarr.json", array([100]))
    write(store / "z" / "c" / "0", b"\0" * 80)
    assert "z" in check_files(store).arrays  # 800 bytes in 80
    write(store / "z" / "c" / "0", b"\0" * 79)
    with pytest.raises(Damage, match="declares 800 bytes and has 79"):
        check_files(store)


@pytest.mark.parametrize(("data_type", "holds"), [("float64", False), ("string", True)])
def test_files_larger_than_their_arrays(store, data_type, holds):
    """Four times the numbers and a little: beyond, something else is in them. The length of texts is not declared."""
    write(store / "z" / "zarr.json", array([10], data_type=data_type))
    most = 4 * 80 + store_files.OVERHEAD
    write(store / "z" / "c" / "0", b"\0" * most)
    check_files(store)
    write(store / "z" / "c" / "0", b"\0" * (most + 1))
    if holds:
        check_files(store)
    else:
        with pytest.raises(Damage, match=f"has {most + 1} in its files"):
            check_files(store)


@pytest.mark.parametrize(("memory", "fits"), [(240, False), (2000, True), (None, True)])
def test_arrays_that_memory_cannot_hold(store, monkeypatch, memory, fits):
    """Declared: 80 and 160 bytes; the files, metadata with them, take a little more."""
    total = sum(check_files(store).sizes.values())
    assert 240 < total < 2000
    monkeypatch.setattr(store_files, "_memory", lambda: memory)
    if fits:
        check_files(store)
    else:
        with pytest.raises(Damage, match="and the memory has 240"):
            check_files(store)


def test_the_memory_is_the_machines():
    assert store_files._memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_too_many_files_and_groups(store, monkeypatch):
    entries = len(list(store.rglob("*")))
    monkeypatch.setattr(store_files, "MOST_FILES", entries)
    check_files(store)
    monkeypatch.setattr(store_files, "MOST_FILES", entries - 1)
    with pytest.raises(Damage, match=f"more than {entries - 1} files"):
        check_files(store)
    monkeypatch.setattr(store_files, "MOST_FILES", 1000)
    monkeypatch.setattr(store_files, "MOST_GROUPS", 2)
    write(store / "part" / "zarr.json", {"node_type": "group"})
    check_files(store)
    write(store / "more" / "zarr.json", {"node_type": "group"})
    with pytest.raises(Damage, match="it has 3 groups"):
        check_files(store)


def test_links_and_pipes_are_refused(store):
    (store / "x" / "c" / "1").symlink_to(store / "x" / "c" / "0")
    with pytest.raises(Damage, match="`x/c/1` is a link"):
        check_files(store)
    (store / "x" / "c" / "1").unlink()
    os.mkfifo(store / "x" / "c" / "1")
    with pytest.raises(Damage, match="`x/c/1` is neither a file nor a folder"):
        check_files(store)


@pytest.mark.parametrize(
    ("data_type", "count", "most"),
    [("float64", 10, 80), ("float64", 100_000, 800_000), ("string", 10, 10 * 9 + 7_000)],
)
def test_chunks_unpack_to_what_their_array_declares(store, data_type, count, most, monkeypatch):
    """And a little; texts, whose length nothing declares, to as many letters as there could be."""
    monkeypatch.setattr(store_files, "LETTERS", (9, 7_000))
    most += store_files.OVERHEAD
    write(store / "z" / "zarr.json", array([count], data_type=data_type, codecs=[{"name": "bytes"}, {"name": "gzip"}]))
    write(store / "z" / "c" / "0", gzip.compress(bytes(most)))
    check_files(store)
    write(store / "z" / "c" / "0", gzip.compress(bytes(most + 1)))
    with pytest.raises(Damage, match=r"`z/c/0` unpacks to .* bytes, where .* were declared"):
        check_files(store)


def test_files_that_are_not_packed_are_as_large_as_they_are(store):
    write(store / "x" / "c" / "0", bytes(4 * 80 + store_files.OVERHEAD))
    check_files(store)


def test_chunks_that_do_not_say_their_size(store):
    write(store / "z" / "zarr.json", array([10], codecs=["bytes", "zstd"]))
    write(store / "z" / "c" / "0", NUMBERS)
    with pytest.raises(Damage, match="`z/c/0` is not packed as its array says"):
        check_files(store)


@pytest.mark.parametrize("codecs", [("gzip", "gzip"), ("zstd", "blosc"), ("gzip", "crc32c", "zstd")])
def test_what_is_packed_twice_is_refused(store, codecs):
    """The size of the outer bytes bounds nothing but the inner ones."""
    write(store / "z" / "zarr.json", array([10], codecs=["bytes", *({"name": name} for name in codecs)]))
    with pytest.raises(Damage, match=f"`z` is packed by {codecs[0]} in {codecs[-1]}"):
        check_files(store)


def test_stores_stand_for_no_more_than_their_files_could_hold(store, monkeypatch):
    """Together, too: of an array that only has its fill value there may be any number."""
    stored = sum(check_files(store).sizes.values())
    monkeypatch.setattr(store_files, "WHOLE", (0, 240))  # of the fixture
    check_files(store)
    monkeypatch.setattr(store_files, "WHOLE", (0, 239))
    with pytest.raises(Damage, match=f"its arrays take 240 bytes, of {stored} in its files"):
        check_files(store)
    monkeypatch.setattr(store_files, "WHOLE", (1, 240 - stored))
    check_files(store)


def test_texts_take_more_than_pointers(store, monkeypatch):
    """Objects in memory, fill values as often as there are texts, and letters, in copies."""
    monkeypatch.setattr(store_files, "WHOLE", (0, 240 + 10 * (8 + 64 + 5) + 4 * 300))
    write(store / "z" / "zarr.json", array([10], data_type="string", fill_value="empty"))
    write(store / "z" / "c" / "0", bytes(300))
    check_files(store)
    write(store / "z" / "c" / "0", bytes(301))
    with pytest.raises(Damage, match="its arrays take"):
        check_files(store)


@pytest.mark.parametrize("name", store_files.ITEM_SIZES)
def test_sizes_of_numbers_are_those_of_numpy(name):
    import numpy as np

    own = {
        "string": np.uintp,
        "variable_length_utf8": np.uintp,
        "numpy.datetime64": "M8[ns]",
        "numpy.timedelta64": "m8[ns]",
    }
    assert store_files.ITEM_SIZES[name] == np.dtype(own.get(name, name)).itemsize
    assert math.log2(store_files.ITEM_SIZES[name]).is_integer()
