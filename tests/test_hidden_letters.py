"""Letters that are not seen."""

from __future__ import annotations

import pytest

from bayesmix.hidden_letters import SPELT_OUT, has_hidden


@pytest.mark.parametrize("text", ["\x1b[31m", "a\x00", "good\u202edab", "\u2066x", "\x9b2J", "\r"])
def test_what_hides_is_found_and_spelt_out(text):
    assert has_hidden(text)
    assert text.translate(SPELT_OUT).isprintable()


@pytest.mark.parametrize("text", ["two\nlines\tof text", "Größe", "יום", "年龄", "👍"])
def test_what_is_read_is_left(text):
    assert not has_hidden(text)
