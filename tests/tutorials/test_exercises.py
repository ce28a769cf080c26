"""What `check` answers: right or not, which part, what probably happened, one hint after the other; and no number."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"


@pytest.fixture
def machinery(monkeypatch, tmp_path):
    """The module of the exercises, with a learner who begins."""
    monkeypatch.syspath_prepend(str(TUTORIALS))
    monkeypatch.setenv("MINIALEX_LEARNER", str(tmp_path / "learner.json"))
    with matplotlib.rc_context():
        import exercises

        monkeypatch.setattr(exercises, "_last", {})
        monkeypatch.setattr(exercises, "_shown", {})
        yield exercises


@pytest.fixture
def judge(machinery, monkeypatch):
    """judge(answer, expected, **of the Exercise): the verdict."""

    def ask(answer, expected, mistakes=(), **options):
        exercise = machinery.Exercise(expected, mistakes, **options)
        monkeypatch.setattr(machinery, "find", lambda name: exercise)
        return machinery.judge("0.1", answer)

    return ask


def test_a_number_is_compared_but_not_given_away(judge):
    assert judge(2.0, 2).right and judge([1, 2], np.array([1.0, 2.0])).right
    verdict = judge(3.0, 1.7)
    assert verdict.right is False and "order of magnitude is right" in verdict.text and "1.7" not in verdict.text
    assert judge(2 + 1e-5, 2).right is False and judge(2 + 1e-7, 2).right
    assert judge(float("nan"), 2.0).right is False and judge(0.0, 2.0).right is False


def test_the_first_difference_is_named(judge):
    verdict = judge([[1, 2], [3, 9]], np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert verdict.right is False and "[1, 1]" in verdict.text
    verdict = judge(lambda x: x, lambda x: x * np.array([1, 1, 2]), cases=((np.ones(3),),))
    assert "[2]" in verdict.text and "2 is expected" in verdict.text


def test_a_shape_is_told_first(judge):
    verdict = judge([[1.0, 2.0]], np.array([1.0, 2.0]))
    assert verdict.right is False and "(2,)" in verdict.text and "(1, 2)" in verdict.text
    assert "different lengths" in judge([[1], [1, 2]], np.ones((2, 2))).text


def test_a_known_mistake_is_recognised_by_what_it_gives(judge):
    mistakes = ((lambda x: x + 1, "Added."), (lambda x: x * x, "Squared."))
    cases = ((3.0,), (2.0,))
    assert judge(lambda x: x**2, lambda x: 2 * x, mistakes, cases=cases).text.endswith("Squared.")
    assert "Squared" not in judge(lambda x: -x, lambda x: 2 * x, mistakes, cases=cases).text


def test_what_is_no_answer_yet(judge):
    assert judge(..., 1).right is None
    assert judge(lambda x: None, lambda x: x, cases=((1.0,),)).right is None
    assert judge(1.0, lambda x: x, cases=((1.0,),)).right is False


def test_a_function_that_stops_or_returns_too_little(judge):
    verdict = judge(lambda x: 1 / (x - 2), lambda x: x, cases=((1.0,), (2.0,)))
    assert verdict.right is False and "for 2.0 your function stopped with ZeroDivisionError" in verdict.text
    assert "2 results" in judge(lambda x: x, lambda x: (x, x), cases=((1.0,),)).text


def test_an_answer_cannot_spoil_the_cases(judge):
    case = np.ones(3)

    def greedy(x):
        x *= 2
        return x

    assert judge(greedy, lambda x: 2 * x, cases=((case,),)).right and (case == 1).all()


def test_a_wrong_form_takes_no_hint(judge):
    """The sentence says what is asked for; a hint would be about something else."""
    for answer, expected in (("2", 2.0), ([2.0], 2.0), (2.0, "C"), ([1.0], np.ones(2)), (["C"], "C")):
        verdict = judge(answer, expected)
        assert verdict.right is False and verdict.known and "asked for" in verdict.text
    assert judge(lambda x: x, lambda x: (x, x), cases=((1.0,),)).known
    assert judge(lambda x: x or None, lambda x: x, cases=((1.0,), (0.0,))).known
    assert not judge(lambda x: x[:1], lambda x: x, cases=((np.ones(2),),)).known, "which axis is lost is a question"
    assert "one number is asked for" in judge([2.0], 2.0).text
    assert "None of the 2" in judge([1.0, 2.0], np.array([3.0, 4.0])).text


def test_what_is_counted_can_stand_in_a_set(machinery):
    """As the Value of lesson 1 can: exercise 1.4 is often solved with a set of Values."""

    def count(root, seen):
        seen.add(root)
        return seen | {value for parent in root.parents for value in count(parent, seen)}

    assert machinery.judge("1.4", lambda root: len(count(root, set()))).right
    assert "For Value(Value(), Value())" in machinery.judge("1.4", lambda root: 1).text


def test_texts_are_compared_as_texts(judge):
    assert judge("b", "b").right and judge("c", "b").right is False
    assert judge("c ", "C").right and judge("Conv1", "conv1").right and judge("conv 1", "conv1").right is False
    assert "numbers" in judge("b", 1.0).text and "text" in judge(1.0, "b").text


@pytest.mark.parametrize(
    ("expected", "answer", "said"),
    [
        (2 / 3, 0.67, "more of them"),
        (2 / 3, 0.666, "more of them"),  # cut off, not rounded
        (51_380_224, 51_380_000, "more of them"),
        (4097, 4096, "order of magnitude is right"),  # off by one is not rounded
        (2 / 3, 0.7, "order of magnitude is right"),  # one digit may be a guess
        (2 / 3, 0.68, "order of magnitude is right"),
        (8, 2, "power of two"),
        (8, 0.5, "power of two"),
        (8, -8, "sign is not"),
        (8, -3, "other sign"),
        (8, 80.5, "magnitude is not right"),
        (8, 0, "not 0"),
        (8, float("inf"), "not inf"),
    ],
)
def test_how_far_a_number_is_off(judge, expected, answer, said):
    verdict = judge(answer, expected)
    assert verdict.right is False and said in verdict.text


def test_answers_do_not_lead_to_the_number(judge):
    """Whatever is tried, no text differs from that for another expected number of this size, sign and digits."""
    tried = [1.0, 3.0, 7.1, 9.99, -5.0, 1e3, 1e-3, 123.0]
    assert [judge(x, 5.3).text for x in tried] == [judge(x, 5.9).text for x in tried]


def test_more_digits_where_rounding_is_the_only_fault(judge):
    expected = np.array([2 / 3, -1 / 3, -1 / 3])
    assert "more of them" in judge([0.667, -0.333, -0.333], expected).text
    assert "more of them" not in judge([0.667, -0.333, 0.333], expected).text


def test_which_part_of_a_pair_is_wrong(judge):
    expected, cases = lambda x: (x, 2 * x, 3 * x), ((2.0,),)
    text = judge(lambda x: (x, 5.0, 3 * x), expected, cases=cases).text
    assert "result 1 is right" in text and "result 2 is not: 4 is expected" in text and "result 3 is right" in text


def test_lists_and_tuples_stand_for_each_other(judge):
    pair, cases = lambda x: (x, 2 * x), ((2.0,),)
    assert judge(lambda x: [x, 2 * x], pair, cases=cases).right
    assert judge(lambda x: np.array([x, 2 * x]), pair, cases=cases).right
    assert judge(lambda x: [x, 2 * x, 0], pair, cases=cases).right is False
    assert judge((1, 2), np.array([1.0, 2.0])).right
    assert "2 results are asked for, there is 1." in judge(lambda x: x, pair, cases=cases).text


# ------------------------------------------------------------------------------ hints, and what is noted


@pytest.fixture
def asked(machinery, monkeypatch, capsys):
    """asked(answer): what check prints about an exercise with three hints, whose answer is 8."""
    exercise = machinery.Exercise(8.0, ((5.0, "Five is a known mistake."),), hints=("nudge", "idea", "nearly"))
    monkeypatch.setattr(machinery, "find", lambda name: exercise)

    def ask(answer):
        machinery.check("0.1", answer)
        return capsys.readouterr().out

    return ask


def noted(machinery):
    place = machinery.learner.path()
    return json.loads(place.read_text())["exercises"].get("0.1") if place.exists() else None


def test_wrong_answers_get_one_hint_after_the_other(asked, machinery):
    assert "Hint 1 of 3: nudge" in asked(3.0)
    assert "Hint 1 of 3: nudge" in asked(3.0), "the same answer again earns no further hint"
    assert "Hint 2 of 3: idea" in asked(3.5)
    assert "Hint 3 of 3: nearly" in asked(90.0)
    assert "Hint 3 of 3: nearly" in asked(3.0)
    assert noted(machinery) == {"solved": False, "hints": 3}


def test_a_known_mistake_gets_its_own_words(asked, machinery):
    text = asked(5.0)
    assert "Five is a known mistake." in text and "Hint" not in text and noted(machinery) is None


def test_nothing_is_noted_before_an_answer(asked, machinery):
    assert "Hint" not in asked(...) and noted(machinery) is None


def test_a_hint_can_be_asked_for(asked, machinery, capsys):
    machinery.hint("0.1")
    machinery.hint("0.1")
    assert [line.split(": ")[1].split("   ")[0] for line in capsys.readouterr().out.splitlines()] == ["nudge", "idea"]
    assert "Hint 3 of 3: nearly" in asked(3.0)


def test_hints_go_on_where_the_last_notebook_left_off(asked, machinery):
    machinery.learner.note("0.1", hints=2)
    assert "Hint 3 of 3" in asked(3.0)


def test_what_is_solved_stays_solved(asked, machinery):
    asked(3.0)
    assert "right" in asked(8.0) and noted(machinery) == {"solved": True, "hints": 1}
    asked(3.0)
    assert noted(machinery)["solved"] is True


def test_progress_that_cannot_be_noted_does_not_stop_a_lesson(asked, machinery):
    machinery.learner.path().write_text("no JSON")
    text = asked(8.0)
    assert "right" in text and "is not noted in your progress" in text
    assert machinery.learner.path().read_text() == "no JSON"


# ------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("shown", [True, False])
def test_without_a_prediction_nothing_is_given_away(machinery, monkeypatch, capsys, shown):
    monkeypatch.setenv("MINIALEX_OUTCOMES", "1" if shown else "")
    machinery.compare(..., 4711)
    assert ("4,711" in capsys.readouterr().out) == shown
    machinery.compare(12, 4711, " GB")
    assert capsys.readouterr().out == "it is 4,711 GB; you predicted 12 GB\n"
