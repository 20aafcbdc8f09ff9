"""Progress bars: they change nothing, and are drawn only where someone is looking."""

from __future__ import annotations

from bayesmix.parallel.progress import shown


def test_items_pass_and_nothing_is_drawn_into_a_pipe(capsys):
    assert list(shown(iter("abc"), 3, "Letters")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_label(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(shown(range(3), 3, "Letters")) == [0, 1, 2]
    assert "Letters" in capsys.readouterr().err
