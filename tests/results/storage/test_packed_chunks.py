"""What chunks unpack to, held against the decoders that unpack them, and chunks of strangers."""

from __future__ import annotations

import gzip
import math
import zlib

import numcodecs
import numpy as np
import pytest

from bayesmix.results.storage.packed_chunks import ZSTANDARD, unpacked_bytes

CODECS = {"zstd": numcodecs.Zstd(3), "blosc": numcodecs.Blosc("zstd", 5), "gzip": numcodecs.GZip(1)}
FLAGS = {"checksum": numcodecs.Zstd(3, checksum=True)}
MOST = 2**40
SKIPPED = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"none"  # RFC 8878, 3.1.2


@pytest.fixture
def chunk(tmp_path):
    """The file of a chunk of these bytes."""

    def make(content):
        (tmp_path / "0").write_bytes(content)
        return tmp_path / "0"

    return make


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 40, 700, 70_000, 5_000_000])
def test_sizes_are_those_of_the_decoders(chunk, codec, count):
    """Zeros and what cannot be packed; sizes in a header of one, two and four bytes, blocks of all kinds."""
    noise = np.random.default_rng(count).bytes(min(count, 400_000))
    for content in (bytes(count), noise, noise + bytes(count)):
        packed = CODECS[codec].encode(content)
        assert len(CODECS[codec].decode(packed)) == len(content)
        assert unpacked_bytes(chunk(packed), ["bytes", codec], MOST) == len(content)
        assert unpacked_bytes(chunk(packed + b"rcrc"), ["bytes", codec, "crc32c"], MOST) == len(content)
        assert unpacked_bytes(chunk(packed), ["bytes", "crc32c", codec], MOST) == len(content)


@pytest.mark.parametrize("count", [1, 5_000_000])
def test_frames_with_a_checksum(chunk, count):
    packed = FLAGS["checksum"].encode(bytes(count))
    assert unpacked_bytes(chunk(packed), ["zstd"], MOST) == count


def test_what_is_not_packed(chunk):
    assert unpacked_bytes(chunk(bytes(80)), ["bytes", "crc32c"], MOST) == 80


def test_frames_behind_frames_are_unpacked_too(chunk):
    """The first says 80 bytes, the decoder gives all of them."""
    small, large = (CODECS["zstd"].encode(bytes(count)) for count in (80, 2**24))
    for packed in (small + large, SKIPPED + large, small + SKIPPED, small + b"x"):
        assert unpacked_bytes(chunk(packed), ["zstd"], MOST) == math.inf
    assert len(CODECS["zstd"].decode(small + large)) > 2**24


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"", 0),
        (bytes(80), math.inf),
        (ZSTANDARD, math.inf),
        (ZSTANDARD + b"\0", math.inf),  # without a size
        (ZSTANDARD + b"\xe0" + b"\xff" * 8, 2**64 - 1),
        (ZSTANDARD + b"\x20\x50" + b"\xff" * 9, 80),  # blocks that go on beyond the file: no decoder gives more
        (CODECS["zstd"].encode(bytes(80))[:-1], 80),
    ],
)
def test_frames_of_strangers(chunk, content, size):
    assert unpacked_bytes(chunk(content), ["zstd"], MOST) == size


def test_deflated_bytes_are_counted_up_to_what_may_be(chunk, monkeypatch):
    member = gzip.compress(bytes(2**18), 9)
    packed = chunk(member * 16)
    assert unpacked_bytes(packed, ["gzip"], MOST) == 2**22  # all members
    read = []
    whole = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size: read.append(size) or whole(self, size))
    assert 1000 < unpacked_bytes(packed, ["gzip"], 1000) <= 1000 + 2**16
    assert read == [2**16]


DEFLATED = gzip.compress(bytes(9), mtime=0)


@pytest.mark.parametrize("content", [b"no", DEFLATED[:-3], DEFLATED + b"more"], ids=["text", "cut off", "longer"])
def test_deflated_bytes_that_are_none(chunk, content):
    with pytest.raises((OSError, EOFError, zlib.error)):
        unpacked_bytes(chunk(content), ["gzip"], MOST)


def test_blosc_cut_off(chunk):
    assert unpacked_bytes(chunk(b"\2\1"), ["blosc"], MOST) == 0  # and the decoder refuses it
