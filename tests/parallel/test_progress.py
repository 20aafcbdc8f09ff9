"""Progress bars: they change nothing, and are drawn only where someone is looking and the work takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import bayesmix as bmx
from bayesmix.parallel import progress
from bayesmix.parallel.progress import ChainsBar, shown, working


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard error is a terminal of 80 columns, and what takes any time is drawn."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "AFTER", 0.0)
    return


def test_items_pass_and_nothing_is_drawn_into_a_pipe(capsys):
    assert list(shown(iter("abc"), 3, "Letters")) == ["a", "b", "c"]
    with working("Waiting"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_the_label(capsys):
    found = []
    for item in shown(range(3), 3, "Letters"):
        time.sleep(0.01)
        found.append(item)
    assert found == [0, 1, 2]
    with working("Waiting"):
        time.sleep(0.01)
    out, err = capsys.readouterr()
    assert "Letters" in err
    assert "Waiting ..." in err
    assert not out


def test_what_is_quick_draws_nothing(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(shown(range(3), 3, "Letters")) == [0, 1, 2]
    with working("Waiting"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_nothing_is_drawn_where_nobody_asks(capsys):
    assert list(shown(range(3), 3, "Letters", is_shown=False)) == [0, 1, 2]
    with working("Waiting", is_shown=False):
        time.sleep(0.01)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_what_is_printed_meanwhile_goes_where_it_would(capsys):
    for item in shown("ab", 2, "Letters"):
        time.sleep(0.01)
        print(item)
    assert capsys.readouterr().out == "a\nb\n"


@pytest.mark.usefixtures("terminal")
def test_inside_a_bar_of_the_callers_no_second_one_is_drawn(capsys):
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as own:
        own.add_task("Mine", total=None)
        with working("Waiting"):
            time.sleep(0.05)
        assert own.live.is_started
    out, err = capsys.readouterr()
    assert "Mine" in err
    assert "Traceback" not in out + err


@pytest.mark.usefixtures("terminal")
def test_estimates_say_that_they_are_being_looked_for(capsys, monkeypatch, model):
    found = bmx.model.estimated

    def slow(*given):
        time.sleep(0.05)
        return found(*given)

    monkeypatch.setattr(bmx.model, "estimated", slow)
    model("dyestuff").estimate(progress=False)
    assert "Estimating" not in capsys.readouterr().err
    model("dyestuff").estimate()
    assert "Estimating ..." in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_an_error_takes_the_bar_away():
    def fails() -> None:
        with working("Dividing"):
            time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert list(shown(range(2), 2, "Again")) == [0, 1]  # a second bar at a time is an error of rich's


def test_the_bar_of_chains_says_what_is_left(capsys):
    bar = ChainsBar("NUTS", 2000, is_shown=True)

    class Chain:
        finished_draws, divergences = 250, 1

    with bar:
        bar.update([Chain()] * 4)
        task = bar.bar.tasks[0]
        assert (task.completed, task.total, task.fields["note"]) == (1000, 2000, "4 divergences")
    assert capsys.readouterr().out == ""


LONG = {  # verbs that fit many times, and what they show
    "Profiling": lambda fits: fits[0].confint(method="profile"),
    "Bootstrap": lambda fits: fits[0].bootstrap(400),
    "Folds": lambda fits: fits[1].kfold(2),
    "Fitting without levels": lambda fits: fits[1].logo(refit="all"),
    "Simulating": lambda fits: bmx.studies.power(fits[0], effect={"Days": 5.0}, replicates=20),
    "Calibrating": lambda fits: bmx.studies.calibrate(
        bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")), 2
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("words", LONG)
@pytest.mark.usefixtures("terminal")
def test_verbs_that_fit_many_times_say_what_is_left(words, capsys):
    data = bmx.load_dataset("sleepstudy")
    model = bmx.Model("Reaction ~ Days + (1 | Subject)", data[data["Subject"].isin(["308", "309", "310", "330"])])
    fits = model.estimate(), model.sample(draws=100, seed=1, progress=False)
    capsys.readouterr()
    LONG[words](fits)
    assert words in capsys.readouterr().err
