"""course.toml, late penalties, the table of points, statistics, feedback and clusters."""

from __future__ import annotations

import csv
import io
import random
import zoneinfo
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from minialex import cli, coursework
from minialex.coursework import clusters, course, exports, feedback, points, rubric, statistics
from minialex.coursework.__main__ import main
from minialex.coursework.grade_all import safe_names

A1 = coursework.assignment("a1")
COURSE = """\
term = "Autumn 2026"
variant = 2026
secret_variable = "A_SECRET"
time_zone = "Europe/Berlin"

[assignments.a1]
due = 2026-10-12T23:59:00
written = "written.csv"
late = { points_per_day = 5, most = 12, grace_minutes = 15 }

[assignments.a1.extensions]
ada = 2026-10-19T23:59:00

[assignments.a2]
due = 2026-11-02T12:00:00-08:00
variant = 7
late = { percent_per_day = 10 }
"""


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    pytest.importorskip("zoneinfo").ZoneInfo("Europe/Berlin")
    monkeypatch.setenv("A_SECRET", "s3")
    (tmp_path / "course.toml").write_text(COURSE)
    return course.load(tmp_path / "course.toml")


def test_course_toml(loaded, tmp_path):
    assert (loaded.term, loaded.variant, loaded.secret) == ("Autumn 2026", 2026, "s3")
    a1 = loaded.assignments["a1"]
    assert a1.due == datetime(2026, 10, 12, 21, 59, tzinfo=UTC) and a1.written == str(tmp_path / "written.csv")
    assert loaded.assignments["a2"].due == datetime(2026, 11, 2, 20, tzinfo=UTC)
    assert course.settings(loaded, "a1") == (2026, "s3", a1)
    assert course.settings(loaded, "a2")[0] == 7 == course.settings(loaded, "a2", variant=7)[0]
    assert course.settings(loaded, "a3")[::2] == (2026, course.Assigned())
    assert course.settings(None, "a1", 3, "x") == (3, "x", course.Assigned())
    with pytest.raises(ValueError, match="variant 3 contradicts course.toml, which pins 2026 for a1"):
        course.settings(loaded, "a1", variant=3)
    with pytest.raises(ValueError, match="the secret that was given contradicts"):
        course.settings(loaded, "a1", secret="other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("term = 'x", "is not TOML"),
        ("terms = 'x'", "unknown field terms"),
        ("variant = -1", "variant should be at least 0"),
        ("variant = true", "variant should be"),
        ("[assignments.a9]", "there is no assignment 'a9'"),
        ("[assignments.a1]\ndue = 2026-10-12T23:59:00", "assignments.a1.due has no time zone"),
        ("[assignments.a1]\ndue = 2026-10-12", "a1.due has no time of day: write 2026-10-12T23:59:00"),
        ("[assignments.a1]\ndue = '2026-10-12'", "assignments.a1.due should be a datetime"),
        ("[assignments.a1.extensions]\nada = 2026-10-13", "a1.extensions.ada has no time of day"),
        ("[assignments]\na1 = 3", "assignments.a1 should be"),
        ("[assignments.a1]\nlate = { points_per_day = 5 }", "not when it is due"),
        ("[assignments.a1]\ndue = 2026-10-12T23:59:00Z\nlate = { most = 5 }", "either points_per_day or percent"),
        ("[assignments.a1]\ndue = 2026-10-12T23:59:00Z\nlate = { points_per_day = nan }", "should be"),
        ("time_zone = 'Berlin/Europe'", "time zone 'Berlin/Europe' is not known"),
        ("time_zone = '../../etc/passwd'", "is not known"),
        ("secret = 'a'\nsecret_variable = 'B'", "leave one out"),
        ("secret_variable = 'NOT_SET_ANYWHERE'", "NOT_SET_ANYWHERE, its secret_variable, is not set"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_course_toml_is_one_sentence(text, message, tmp_path):
    path = tmp_path / "course.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        course.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


DUE = datetime(2026, 10, 12, 23, 59, tzinfo=timezone(timedelta(hours=2)))
LATE = course.Late(points_per_day=5, most=12, grace_minutes=15)


def lateness(submitted, late=None, zone=None, **more):
    submission = exports.Submission("ada_1", "Ada", ids=["17"], submitted=submitted, late=late)
    return course.lateness(submission, course.Assigned(DUE, LATE, **more), zone)


@pytest.mark.parametrize(
    ("after", "days"),
    [
        (timedelta(days=-3), 0),
        (timedelta(0), 0),
        (timedelta(minutes=15), 0),
        (timedelta(minutes=15, seconds=1), 1),
        (timedelta(days=1), 1),
        (timedelta(days=1, seconds=1), 2),
        (timedelta(days=30), 30),
    ],
)
def test_days_that_have_begun(after, days):
    found = lateness((DUE + after).astimezone(UTC))
    assert found.days == days and bool(found.sentence) == bool(days)


def test_days_are_counted_by_the_clock_when_its_hour_changes():
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    due = course.Assigned(datetime(2026, 10, 24, 23, 59, tzinfo=zone), course.Late(points_per_day=5))
    for at in (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), datetime(2026, 10, 25, 23, 59)):
        found = course.lateness(exports.Submission("ada", "ada", submitted=at), due, zone)
        assert found.days == 1 and "2026-10-25 23:59 CET" in found.sentence


def test_what_the_export_says_about_the_time():
    assert lateness(None) == course.Lateness(
        0, "the export does not say when it was submitted: no late penalty was taken"
    )
    assert lateness(None, late=False) == course.Lateness()
    assert lateness(None, late=True).days == 1 and "one day" in lateness(None, late=True).sentence
    naive = datetime(2026, 10, 13, 0, 30)
    assert lateness(naive).days == 0 and "time_zone" in lateness(naive).sentence
    assert lateness(naive, zone=DUE.tzinfo).days == 1 and lateness(naive, zone=UTC).days == 1
    assert lateness(datetime(2026, 10, 12, 23, 0), zone=DUE.tzinfo).days == 0
    assert lateness(datetime(2026, 10, 12, 23, 0), zone=UTC).days == 1
    week = {"17": DUE + timedelta(days=7)}
    assert lateness(DUE + timedelta(days=6), extensions=week).days == 0
    assert lateness(DUE + timedelta(days=8), extensions=week) == course.Lateness(
        1, "late by 1 day (with an extension): submitted 2026-10-20 23:59 UTC+02:00"
    )
    assert course.lateness(exports.Submission("a", "a", submitted=DUE), course.Assigned()) == course.Lateness()


def test_penalties():
    assert [LATE.penalty(days, 80) for days in (0, 1, 2, 3, 9)] == [0, 5, 10, 12, 12]
    assert LATE.penalty(2, 7) == 7, "a total is not negative"
    percent = course.Late(percent_per_day=10, most=25)
    assert [percent.penalty(days, 80) for days in (1, 2, 3)] == [8, 16, 20]
    assert course.Late(percent_per_day=60).penalty(3, 50) == 50


def rows_of(text):
    return [*csv.DictReader(io.StringIO(text))]


def test_the_table_has_maxima_and_no_formulas():
    names = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\n=1", "ada"]
    rows = [{"submission": name, "score": 10, "total": 12.5} for name in names]
    first, *others = rows_of(points.text(A1, rows))
    assert first["submission"] == points.MAXIMUM and (first["score"], first["written"], first["total"]) == (
        "90",
        "10",
        "100",
    )
    assert sum(int(first[points.column(check.name)]) for check in A1.checks) == 90
    assert [row["submission"] for row in others] == [f"'{name}" for name in names[:-1]] + ["ada"]
    assert others[0]["total"] == "12.5" and others[0]["written"] == ""
    assert points.column("total") == "total (check)"


def test_written_points():
    given = points.Written("Student;Points\nAda Lovelace;7,5\nbob@x.edu;10\n3003;0\nlast;\n")
    assert given.of([], ["Lovelace, Ada"]) == 7.5 and given.of(["BOB@x.edu"], ["Bob"]) == 10
    assert given.of(["3003"], []) == 0 and given.of(["last"], []) is None
    assert given.unused == []
    assert points.Written("name,score\nx,1\ny,2\n").unused == ["x", "y"]
    for text, message in [
        ("name,sum\nx,1\n", 'no column called "points"'),
        ("name,points\nx,11\n", "has '11' in row 1"),
        ("name,points\nx,nan\n", "has 'nan' in row 1"),
        ("name,points\nx,-1\n", "from 0 to 10"),
        ("name,points\nx,1\n,2\n", "row 2 whose"),
        ("", "no column"),
    ]:
        with pytest.raises(ValueError, match=message):
            points.Written(text)
    with pytest.raises(ValueError, match="different points for ada"):
        points.Written("name,points\nada,1\nAda,2\n").of([], ["ada"])


def report(passed, message="", hidden_message=""):
    checks, tests = {}, []
    for number, check in enumerate(A1.checks):
        good = check.name in passed
        checks[check.name] = {"passed": good, "message": "" if good else message if check.public else hidden_message}
        text = "passed" if good else message if check.public else "failed"
        name = check.name if check.public else f"hidden {number}"
        tests.append({"name": name, "score": check.points * good, "max_score": check.points, "output": text})
    score = sum(test["score"] for test in tests)
    return {"score": score, "output": "a1", "tests": tests, "extra_data": {"checks": checks}}


def test_statistics_group_messages_that_differ_in_numbers():
    messages = [
        "ga[0, 1] is 0.5, expected -1e-3; 3 of 12 numbers are wrong",
        "ga[2] is nan, expected 7; 1 of 4 numbers are wrong",
    ]
    reports = [report(set(), message) for message in messages] + [report({"add"}, "not written yet (tape.py, line 3)")]
    found = {one.name: one for one in statistics.lost(A1, reports)}
    assert (found["add"].lost, found["add"].graded) == (2, 3) and found["add"].messages == [(2, messages[0])]
    assert found["mul"].messages == [(2, messages[0])] and found["mul"].unwritten == 1
    table = {row["check"]: row for row in rows_of(statistics.table([*found.values()]))}
    assert (
        table["mul"]["not written"] == "1"
        and table["add"]["lost"] == "2"
        and table["mul"]["count 1"] == "2"
        and table["mul"]["kind"] == "public"
    )
    page = statistics.markdown(A1, [*found.values()], [0, 0, 6])
    assert (
        "| add |  | 6 | 2 of 3 | 67 % | 0 |" in page
        and "3 submissions, mean 2.0 points, median 0, from 0 to 6." in page
    )
    assert statistics.distribution([]) == "No submission has been graded."
    assert "half of them from 1.75 to 3.25" in statistics.distribution([1, 2, 3, 4])


def test_feedback_says_no_more_than_gradescope_and_cannot_be_broken_out_of():
    row = {"name": "Ada <b>", "submission": "x", "written": 7.5, "late penalty": 5, "total": 8.5}
    printed = "wrong\nyour code printed:\n````\n# 90 points\n<script>"
    text = feedback.markdown(A1, row, report({"add"}, printed, "SECRET hidden message"), ["late by *1* day"])
    assert "SECRET" not in text and "# A1, Automatic differentiation: Ada \\<b\\>" in text
    assert "* automatic checks: 6 of 90 points\n* written part: 7.5 of 10 points\n" in text
    assert "* late penalty: 5 points\n* total: 8.5 of 100 points\n\n* late by \\*1\\* day\n" in text
    assert "## Passed\n\n* add: 6 of 6 points\n\n## " in text
    others = "; ".join(f"{c.name}: 0 of {c.points} points" for c in A1.checks if c.public and c.name != "add")
    assert f"\n## {others}\n\n`````text\nwrong\nyour code printed:\n````\n# 90 points\n<script>\n`````\n" in text
    assert text.count("<script>") == 1, "what is the same is said once"
    waiting = feedback.markdown(A1, row, None, [])
    assert "has not been graded yet" in waiting and "points" not in waiting


def solution(seed, length=300):
    drawn = random.Random(seed)
    return Counter(drawn.randrange(10**9) for _ in range(length))


def nearly(solution, seed, changed=10):
    drawn = random.Random(seed)
    kept = [gram for gram in solution][changed:]
    return Counter(kept) + Counter(drawn.randrange(10**9) for _ in range(changed))


def test_a_ring_is_one_cluster_and_not_pairs():
    copied, other = solution(0), solution(1)
    solutions = {f"s{n:02}": {"matmul": copied} for n in range(20)}
    solutions |= {"x": {"matmul": other}, "y": {"matmul": nearly(other, 5)}, "z": {"matmul": solution(2)}, "empty": {}}
    found = clusters.compare(
        solutions, {"matmul": nearly(solution(2), 6), "tanh": solution(9)}, {"old": {"matmul": other}}
    )
    ring, pair = found.clusters
    assert ring == clusters.Cluster("matmul", tuple(f"s{n:02}" for n in range(20)), 1.0, 1.0)
    assert pair.members == ("x", "y") and 0.8 <= pair.lowest == pair.highest < 1
    assert [found.cluster_of(key) for key in ("s07", "y", "z")] == [1, 2, 0]
    assert found.to_another["x"].whose == "y" and found.to_another["z"].value < 0.1
    assert found.to_before["x"] == (1.0, "old", "matmul") and found.to_before["y"].whose == "old"
    told = clusters.lines(found, {"z": "Zoe"})
    assert told[0].startswith("20 submissions, s00, s01, ") and told[0].endswith(", s19: matmul 1.00")
    assert told[1].startswith("x, y: matmul 0.9") and told[2].startswith("Zoe and the library: matmul 0.9")
    assert next(line for line in told if "earlier term" in line) == "x and old of an earlier term: matmul 1.00"
    brief = clusters.lines(found, most=3)
    assert brief[0] == "20 submissions, s00, s01, s02, 17 more: matmul 1.00" and brief[3:] == ["2 more"]
    table = rows_of(clusters.table(found))
    assert table[0]["members"] == "20" and table[0]["submissions"].startswith("s00; s01")
    assert {row["kind"] for row in table} == {"among themselves", "library", "earlier term"}


def test_of_an_earlier_term_the_one_that_most_functions_resemble():
    common, mine = solution(0), {"add": solution(0), "matmul": solution(1), "backward": solution(2)}
    before = {"other": {"add": common, "matmul": solution(3)}, "copied": {**mine}, "zoe": {"add": common}}
    before["copied"]["matmul"] = nearly(solution(1), 4, 5)
    found = clusters.compare({"x": mine}, {}, before)
    assert {like.whose for like in found.of_before["x"]} == {"copied"} and len(found.of_before["x"]) == 3
    assert found.to_before["x"][:2] == (1.0, "copied")
    assert clusters.compare({"x": {"f": solution(5)}}, {}, {"y": {"f": solution(6)}}).of_before == {"x": []}


def test_a_chain_is_one_cluster_with_its_range():
    first = solution(0)
    second = nearly(first, 1, 15)
    third = Counter([*second][:-25]) + solution(7, 25)
    found = clusters.compare({"a": {"f": first}, "b": {"f": second}, "c": {"f": third}}, {})
    (chain,) = found.clusters
    assert chain.members == ("a", "b", "c") and chain.lowest < chain.highest < 1


def test_pruning_loses_no_likeness():
    drawn = random.Random(3)
    grams = {f"{n}": {"f": Counter(drawn.randrange(40) for _ in range(drawn.randrange(100, 900)))} for n in range(12)}
    found = clusters.compare(grams, {})
    for key in grams:
        best = max(clusters.similarity(grams[key]["f"], grams[other]["f"]) for other in grams if other != key)
        assert found.to_another[key].value == pytest.approx(best)


def test_the_rubric_as_a_table(tmp_path, capsys):
    main(["rubric", "a1", "--csv", str(tmp_path / "a1.csv")])
    rows = rows_of((tmp_path / "a1.csv").read_text())
    assert sum(int(row["points"]) for row in rows) == 10 and all(row["criterion"] and row["text"] for row in rows)
    assert {int(row["question"]) for row in rows} == {*range(1, len(A1.written) + 1)}
    assert rows_of(rubric.table(A1)) == rows


def test_names_of_folders():
    keys = ["ada", "Ada", "con", "../x", "a/b", "..", "x" * 300, "Ünal Öz_12", "\udcff\n", "a b", "a-b"]
    made = safe_names(keys)
    assert len({name.casefold() for name in made}) == len(keys)
    assert all(name not in (".", "..") and "/" not in name and len(name) < 80 and name.isprintable() for name in made)
    assert made[10] == "a-b" and made == safe_names(keys)


def test_what_contradicts_is_said_before_anything_is_graded(tmp_path, capsys):
    (tmp_path / "course.toml").write_text("variant = 3\nsecret = 'a'\n")
    (tmp_path / "all").mkdir()
    for more, message in [
        (["--variant", "4"], "variant 4 contradicts course.toml, which pins 3"),
        (["--secret", "b"], "the secret that was given contradicts"),
    ]:
        command = ["grade-all", tmp_path / "all", "--assignment", "a1", "--out", tmp_path / "out"]
        assert cli.run(main, [str(one) for one in [*command, "--course", tmp_path / "course.toml", *more]]) == 2
        assert message in capsys.readouterr().err
    assert cli.run(main, ["grade-all", str(tmp_path), "--assignment", "a1"]) == 2
    assert "give --out" in capsys.readouterr().err and not (tmp_path / "out").exists()
