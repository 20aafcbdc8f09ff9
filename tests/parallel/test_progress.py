"""Progress bars: they change nothing, and are drawn only where someone is looking."""

from __future__ import annotations

from bayesmix.parallel.progress import ChainsBar, shown


def test_items_pass_and_nothing_is_drawn_into_a_pipe(capsys):
    assert list(shown(iter("abc"), 3, "Letters")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_label(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(shown(range(3), 3, "Letters")) == [0, 1, 2]
    assert "Letters" in capsys.readouterr().err


def test_the_bar_of_chains_says_what_is_left(capsys):
    bar = ChainsBar("NUTS", 2000, is_shown=True)

    class Chain:
        finished_draws, divergences = 250, 1

    with bar:
        bar.update([Chain()] * 4)
        task = bar.bar.tasks[0]
        assert (task.completed, task.total, task.fields["note"]) == (1000, 2000, "4 divergences")
    assert capsys.readouterr().out == ""
