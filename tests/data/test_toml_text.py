"""TOML of strangers ends in a message at once, whatever its keys are."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from bayesmix.data.toml_text import LARGEST, read_toml
from bayesmix.errors import SpecError

MANY = 60_000
DEEP = {
    "a key": "a" + ".a" * MANY + " = 1",
    "of one letter": "\n".join("a.b." * 70 + f"x{k} = 1" for k in range(300)),
    "blanks": "a" + " . a" * MANY + " = 1",
    "quoted": '"a"' + '."\\"a"' * MANY + " = 1",
    "literal": "''" + ".'a'" * MANY + " = 1",
    "a table": "[a" + ".a" * MANY + "]",
    "tables": "[[a" + ".a" * MANY + "]]",
    "inside": "x = { a" + ".a" * MANY + " = 1 }",
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_keys_are_refused_at_once(kind, tmp_path):
    """Python's reader took 20 seconds and 6 GB for the first."""
    path = tmp_path / "m.toml"
    path.write_text(DEEP[kind], encoding="utf-8")
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(SpecError, match=r"m\.toml is not TOML: nested too deeply"):
            read_toml(path)
        assert tracemalloc.get_traced_memory()[1] < 5e7
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    "text", ["a" * 900_000, '"' * 900_000, "a." * 40 + "\n" * 900_000, "'a" * 400_000, "a-" * 450_000]
)
def test_what_is_no_deep_key_is_looked_through_at_once(text, tmp_path):
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    start = time.process_time()
    with pytest.raises(SpecError, match="is not TOML"):
        read_toml(tmp_path / "m.toml")
    assert time.process_time() - start < 1.0


def test_what_people_write_is_read(tmp_path):
    path = tmp_path / "m.toml"
    numbers = ", ".join(f"{k}.5" for k in range(200))
    path.write_text(f'a.b."c.d" = [{numbers}]\ntext = "{"One word. " * 150}{"..." * 200}"\n', encoding="utf-8")
    found = read_toml(path)
    assert [float(number) for number in found["a"]["b"]["c.d"]] == [k + 0.5 for k in range(200)]
    assert len(found["text"]) == 2_100
    path.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(SpecError, match=f"more than {LARGEST} bytes"):
        read_toml(path)
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_toml(tmp_path / "none.toml")
