"""Files of a saved fit: which there may be, how large they may be, and their checksums.

A store may come from a stranger, or be what is left of a copy that broke off. Everything here is decided from names,
sizes and metadata, before an array is read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bayesmix.results.storage.packed_chunks import CRC, PACKERS, unpacked_bytes

METADATA = "zarr.json"
LARGEST_METADATA = 1 << 28  # bytes: levels of factors are in them
LARGEST_ARRAY = 1 << 63  # bytes: as good as infinite
MOST_FILES = 200_000
MOST_GROUPS = 1_000
COMPRESSION = 40_000  # bytes that one byte of Zstandard may stand for: blocks of 128 KiB in four bytes
EMPTY = 1 << 28  # bytes of an array without files: Zarr leaves out chunks that hold nothing but the fill value
WHOLE = (1_000, 1 << 27)  # bytes that one byte of a store stands for at most, and bytes that any store may stand for
OVERHEAD = 1 << 16  # bytes of a chunk beside its numbers
TEXT = ("string", "variable_length_utf8")
LETTERS = (1 << 10, 1 << 24)  # bytes of a text at most, on average, and of any chunk of texts
TEXT_OBJECT = 64  # bytes of a text in memory beside its letters, of which there are several copies while it is read
COPIES = 4
ITEM_SIZES = {
    "bool": 1,
    **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": bits // 8 for bits in (16, 32, 64)},
    **{f"complex{bits}": bits // 8 for bits in (64, 128)},
    **dict.fromkeys(TEXT, 8),  # pointers
    "numpy.datetime64": 8,
    "numpy.timedelta64": 8,
}
CODECS = {"bytes", "vlen-utf8", CRC, "transpose", *PACKERS}


class Damage(Exception):  # noqa: N818 - `load` makes a DataError of it, that names the store
    """What is wrong with the files of a store."""


@dataclass(frozen=True, slots=True)
class Files:
    """Regular files of a store."""

    sizes: Mapping[str, int]  # by their path inside it
    arrays: frozenset[str]  # folders
    unfilled: frozenset[str]  # arrays with chunks that have no file, which Zarr takes for NaN


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON of a ``zarr.json``.

    Raises
    ------
    Damage
        If it is no file, too large, or no JSON object.
    """
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise Damage(f"`{path.name}` is not a file")
        if found.st_size > LARGEST_METADATA:
            raise Damage(f"`{path.name}` has {found.st_size} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Damage(f"`{path.name}` is not metadata of Zarr: {error}") from None
    if not isinstance(content, dict):
        raise Damage(f"`{path.name}` is not metadata of Zarr")
    return content


def check_files(store: Path) -> Files:
    """List the files of a store after their sizes have been held against the arrays that the store declares.

    Raises
    ------
    Damage
        If there are links, pipes or devices; too many files; arrays larger or smaller than their files can hold, or
        than memory.
    """
    sizes = dict(_regular_files(store))
    nodes = {name.removesuffix(METADATA).rstrip("/") for name in sizes if PurePosixPath(name).name == METADATA}
    described = {node: read_metadata(store / node / METADATA) for node in sorted(nodes)}
    arrays = {node: content for node, content in described.items() if content.get("node_type") == "array"}
    if len(described) - len(arrays) > MOST_GROUPS:
        raise Damage(f"it has {len(described) - len(arrays)} groups")
    chunks: dict[str, list[str]] = {node: [] for node in arrays}
    for name in sizes:
        if (array := _array_of(name, arrays)) is not None:
            chunks[array].append(name)
    stored = sum(sizes.values())
    total: float = sum(
        _declared(node, content, sum(sizes[name] for name in chunks[node])) for node, content in arrays.items()
    )
    for node, names in chunks.items():
        unpacked = sum(_unpacked(store / name, name, arrays[node]) for name in names)
        total += COPIES * unpacked if _is_text(arrays[node]) else 0
    if (most := _memory()) is not None and max(total, stored) > most:
        raise Damage(f"its arrays take {max(total, stored):.3g} bytes, and the memory has {most:.3g}")
    if total > WHOLE[0] * stored + WHOLE[1]:
        raise Damage(f"its arrays take {total:.3g} bytes, of {stored} in its files")
    unfilled = (node for node, content in arrays.items() if _lacks_chunks(content, len(chunks[node])))
    return Files(sizes, frozenset(arrays), frozenset(unfilled))


def checksums(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store but the metadata of its root, which is where they go."""
    return {name: _digest(store / name) for name in sorted(dict(_regular_files(store))) if name != METADATA}


def verify(store: Path, files: Files, expected: Mapping[str, str]) -> None:
    """Hold the files against their checksums.

    Files that were not there when the fit was saved are left alone, groups of another program say, unless they are
    parts of an array that was.

    Raises
    ------
    Damage
        If a file is missing, has changed, or was added to an array.
    """
    for name, digest in expected.items():
        if name not in files.sizes:
            raise Damage(f"`{name}` is missing")
        if _digest(store / name) != digest:
            raise Damage(f"`{name}` is not as it was saved")
    ours = {array for array in files.arrays if f"{array}/{METADATA}" in expected}
    for name in sorted(files.sizes.keys() - expected.keys()):
        if _array_of(name, ours) is not None:
            raise Damage(f"`{name}` was added after the fit had been saved")


def _regular_files(store: Path) -> Iterator[tuple[str, int]]:
    """Paths inside a store and sizes; hidden files are those of the file system and its tools, and left out."""
    pending, count = [""], 0
    while pending:
        folder = pending.pop()
        with os.scandir(store / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                count += 1
                if count > MOST_FILES:
                    raise Damage(f"it has more than {MOST_FILES} files")
                if entry.is_symlink():
                    raise Damage(f"`{name}` is a link; copy the store with the files themselves, `cp -rL`")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                elif not entry.is_file(follow_symlinks=False):
                    raise Damage(f"`{name}` is neither a file nor a folder")
                elif not entry.name.startswith("."):
                    yield name, entry.stat(follow_symlinks=False).st_size


def _array_of(name: str, arrays: Mapping[str, Any] | set[str]) -> str | None:
    """The array that a file is a chunk of."""
    path = PurePosixPath(name)
    if path.name == METADATA:
        return None
    return next((str(parent) for parent in path.parents if str(parent) in arrays), None)


def _declared(node: str, content: Mapping[str, Any], stored: int) -> int:
    """Bytes of an array in memory, after they have been held against those of its files."""
    kind, options = _named(content.get("data_type"))
    size = options["length_bytes"] if "length_bytes" in options else ITEM_SIZES.get(kind)
    if size is None:
        raise Damage(f"`{node}` holds {kind}, which saved fits do not")
    if unknown := {*map(_codec, content.get("codecs", []))} - CODECS:
        raise Damage(f"`{node}` is coded by {', '.join(sorted(unknown))}, which saved fits are not")
    if len(packed := [name for name in map(_codec, content.get("codecs", [])) if name in PACKERS]) > 1:
        raise Damage(f"`{node}` is packed by {' in '.join(packed)}")
    if kind in TEXT:
        size += TEXT_OBJECT + len(str(content.get("fill_value")))
    _, grid = _named(content.get("chunk_grid"))
    shapes = (content.get("shape"), grid.get("chunk_shape"))
    most = max(math.prod([*_lengths(node, shape), *_lengths(node, [size])]) for shape in shapes)
    most = min(most, LARGEST_ARRAY)
    too_small = kind not in TEXT and stored > 4 * most + OVERHEAD
    if most > COMPRESSION * stored + EMPTY or too_small:
        raise Damage(f"`{node}` declares {most:.3g} bytes and has {stored} in its files")
    return most


def _unpacked(path: Path, name: str, content: Mapping[str, Any]) -> float:
    """Bytes that a chunk unpacks to, after they have been held against what its array declares."""
    (kind, options), (_, grid) = _named(content.get("data_type")), _named(content.get("chunk_grid"))
    count = math.prod(grid["chunk_shape"])
    declared = count * LETTERS[0] + LETTERS[1]
    if not _is_text(content):
        declared = count * options.get("length_bytes", ITEM_SIZES.get(kind))
    most = max(declared + OVERHEAD, path.stat().st_size)
    unpacked = unpacked_bytes(path, [*map(_codec, content.get("codecs", []))], most)
    if unpacked == math.inf:
        raise Damage(f"`{name}` is not packed as its array says, in one frame of a size")
    if unpacked > most:
        raise Damage(f"`{name}` unpacks to {unpacked:.3g} bytes, where {declared} were declared")
    return unpacked


def _is_text(content: Mapping[str, Any]) -> bool:
    return _named(content.get("data_type"))[0] in TEXT


def _codec(given: object) -> str:
    return _named(given)[0]


def _lacks_chunks(content: Mapping[str, Any], files: int) -> bool:
    """Whether an array has fewer files than chunks, and NaN for what is in none."""
    shape, (_, grid) = content["shape"], _named(content.get("chunk_grid"))
    chunks = math.prod(-(-length // max(step, 1)) for length, step in zip(shape, grid["chunk_shape"], strict=True))
    return files < chunks and content.get("fill_value") == "NaN"


def _named(given: object) -> tuple[str, Mapping[str, Any]]:
    """Name and options of a type, a codec or a grid, which may be a name alone."""
    if not isinstance(given, dict):
        return str(given), {}
    options = given.get("configuration")
    return str(given.get("name")), options if isinstance(options, dict) else {}


def _lengths(node: str, given: object) -> list[int]:
    if not isinstance(given, list) or not all(type(length) is int and length >= 0 for length in given):
        raise Damage(f"`{node}` has no shape: {given!r:.60}")
    return given


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _memory() -> int | None:
    """Bytes of the machine's memory, None where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
