"""The learner's file: nothing is lost, nothing in it is believed unseen."""

from __future__ import annotations

import json
import threading

import pytest

from minialex.tutorials import learner
from minialex.tutorials.learner import Record


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    place = tmp_path / "a folder" / "learner.json"
    monkeypatch.setenv("MINIALEX_LEARNER", str(place))
    return place


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIALEX_LEARNER")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert learner.path().name == "tutorials.json" and learner.path().is_absolute()
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: __import__("pathlib").Path("~/data"))
    with pytest.raises(FileNotFoundError, match="set HOME, or MINIALEX_LEARNER"):
        learner.path()


def test_it_grows():
    assert learner.read() == {}
    assert learner.note("10.1", hints=2) == Record(False, 2)
    assert learner.note("2.3", solved=True) == Record(True, 0)
    assert learner.note("10.1", solved=True) == Record(True, 2)
    assert learner.note("10.1", hints=1) == Record(True, 2), "neither gets less"
    assert list(learner.read().items()) == [("2.3", Record(True, 0)), ("10.1", Record(True, 2))]


def test_it_is_replaced_as_a_whole(place, monkeypatch):
    learner.note("1.1", solved=True)
    before = place.read_bytes()

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        learner.note("1.2", solved=True)
    assert place.read_bytes() == before


def test_notebooks_that_write_at_once_lose_nothing():
    names = [f"{lesson}.{number}" for lesson in (1, 2) for number in (1, 2, 3)]
    threads = [threading.Thread(target=learner.note, args=(name, True)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(learner.read()) == sorted(names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"format": 2, "exercises": {}}',
        '{"format": 1, "exercises": []}',
        '{"format": 1, "exercises": {"../x": {"solved": true, "hints": 0}}}',
        '{"format": 1, "exercises": {"1.1": {"solved": 1, "hints": 0}}}',
        '{"format": 1, "exercises": {"1.1": {"solved": true, "hints": 4}}}',
        '{"format": 1, "exercises": {"1.1": {"solved": true, "hints": true}}}',
        '{"format": 1, "exercises": {"1.1": null}}',
        "[" * 100_000,
        " " * (learner.LARGEST + 1),
    ],
    ids=range(13),
)
def test_what_is_no_progress_is_left_alone(place, text):
    place.parent.mkdir()
    place.write_text(text)
    for act in (learner.read, lambda: learner.note("1.1", solved=True), learner.reset):
        with pytest.raises(ValueError, match=r"learner\.json.*(move it away|needs solved)"):
            act()
    assert place.read_text() == text


def test_reset_keeps_the_old_file(place):
    assert learner.reset() == 0
    learner.note("1.1", solved=True)
    learner.note("1.2", hints=3)
    assert learner.reset() == 1 and learner.read() == {}
    assert json.loads(place.with_name("learner.json.old").read_text())["exercises"]["1.1"]["solved"]
