"""The grading of a whole course: resumed, one process for each submission, every row whatever the submissions hold.

Most tests put the workers into this process and let them give points without running anything.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from course_exports import canvas, gradescope, write, zip_of, zipped
from wrong_solutions import own

from minialex import coursework
from minialex.coursework import course, grade_all, points, worker, workers
from minialex.coursework.__main__ import main
from minialex.coursework.grade_all import Options

A1 = coursework.assignment("a1")
RIGHT = {name: source.encode() for name, source in own(A1).items()}
NESTED = {f"my-a1/{name}": data for name, data in RIGHT.items()}
DEEP = b"def tanh(input):\n    return " + b"+".join([b"1"] * 4000) + b"\n"


KEPT: dict = {}
compute = grade_all.similarity.functions


def features(digest, folder):
    """The similarity of equal files is computed once for all tests."""
    if digest not in KEPT:
        KEPT[digest] = json.dumps({name: dict(grams) for name, grams in compute(A1, folder).items()})
    return KEPT[digest]


class Course:
    """The workers of a test: they read as always, and give the points that `points` says, by the student's digest.

    faults: {key: what a worker that grades it says, in turn}.
    """

    def __init__(self):
        self.graded, self.faults, self.stop_after = [], {}, None

    def __call__(self, jobs):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def over(self, requests, seconds):
        for key, request in requests.items():
            place = worker.Path(request["place"])
            if request["do"] == "read":
                read = worker._read(A1, place, request)
                (place / worker.FEATURES).write_text(features(read["digest"], place / worker.SUBMISSION))
                yield key, workers.Ended((read,))
                continue
            if self.stop_after is not None and len(self.graded) >= self.stop_after:
                raise KeyboardInterrupt
            self.graded.append(key)
            fault = self.faults.get(key, []).pop(0) if self.faults.get(key) else ""
            if fault:
                yield key, workers.Ended(fault=fault)
                continue
            present = {path.name for path in (place / worker.SUBMISSION).iterdir()}
            checks = {c.name: {"passed": "tape.py" in present, "message": "tape.py is missing"} for c in A1.checks}
            tests = [{"name": c.name, "score": 0, "max_score": c.points, "output": "x"} for c in A1.checks]
            score = 90 if "tape.py" in present else 0
            report = {"score": score, "output": "a1", "tests": tests, "extra_data": {"checks": checks}}
            (place / worker.GRADING).write_text(json.dumps({"of": request["of"], "report": report}))
            yield key, workers.Ended()


@pytest.fixture
def fake(monkeypatch):
    made, library = Course(), features("the library", None)
    monkeypatch.setattr(grade_all, "Workers", made)
    monkeypatch.setattr(grade_all.similarity, "functions", lambda assignment: worker.counted(library))
    return made


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert rows[0]["submission"] == points.MAXIMUM
    return {row["submission"] or row["name"]: row for row in rows[1:]}


def folders(place, **more):
    return write(place / "all", {f"{who}/{n}": d for who in ("ada", "bob") for n, d in NESTED.items()} | more)


def run(export, out, **options):
    return grade_all.grade_all(A1, export, out, options=Options(**options))


def test_a_second_call_grades_what_is_new_or_changed(fake, tmp_path, monkeypatch):
    export, out = folders(tmp_path), tmp_path / "out"
    first = run(export, out)
    assert fake.graded == ["ada", "bob"] and "graded now" not in first.summary
    assert table(out / "points.csv")["ada"]["score"] == "90"
    again = run(export, out)
    assert fake.graded == ["ada", "bob"] and "graded now: 0; unchanged since the last time: 2" in again.summary
    assert [row["score"] for row in again.rows] == [90, 90]
    write(export, {"bob/my-a1/tape.py": b"x = 1\n", "carol/readme.txt": b"", "ada/my-a1/notes.txt": b"new"})
    run(export, out)
    assert fake.graded[2:] == ["bob", "carol"], "a file that is not graded changes nothing"
    assert table(out / "points.csv")["carol"]["score"] == "0"
    for options in ({"again": True}, {"variant": 1}, {"variant": 1, "secret": "s"}):
        fake.graded.clear()
        run(export, out, **options)
        assert fake.graded == ["ada", "bob", "carol"], options
    fake.graded.clear()
    run(export, out, variant=1, secret="s")
    assert not fake.graded
    monkeypatch.setattr(grade_all, "__version__", "9")
    run(export, out, variant=1, secret="s")
    assert fake.graded == ["ada", "bob", "carol"]
    assert "s" not in {json.loads(path.read_text())["of"] for path in out.rglob("grading.json")}


def test_the_graders_faults_are_graded_again_by_themselves(fake, tmp_path):
    export, out = folders(tmp_path), tmp_path / "out"
    fake.faults = {"ada": ["MemoryError", ""], "bob": ["MemoryError", "its process was ended by SIGKILL"]}
    found = run(export, out)
    assert fake.graded == ["ada", "bob", "ada", "bob"]
    rows = table(out / "points.csv")
    assert rows["ada"]["score"] == "90" and not rows["ada"]["problem"]
    assert rows["bob"]["problem"] == "grade again: its process was ended by SIGKILL"
    assert rows["bob"]["score"] == rows["bob"]["total"] == rows["bob"]["add"] == ""
    assert "bob: grade again: its process" in found.summary and "1 submission, mean 90" in found.summary
    assert "not been graded yet" in (out / "students" / "bob" / "feedback.md").read_text()
    assert not (out / "students" / "bob" / "results.json").exists()
    run(export, out)
    assert fake.graded[4:] == ["bob"] and table(out / "points.csv")["bob"]["score"] == "90"


def test_a_check_that_the_grader_could_not_run_is_graded_again(fake, tmp_path):
    export, out = folders(tmp_path), tmp_path / "out"
    run(export, out)
    for kind in ({"message": "the grader could not run this check (full)"}, {"kind": "grader", "message": "x"}):
        path = out / "students" / "ada" / "grading.json"
        kept = json.loads(path.read_text())
        kept["report"]["extra_data"]["checks"]["add"] |= {"passed": False} | kind
        path.write_text(json.dumps(kept))
        fake.graded.clear()
        run(export, out)
        assert fake.graded == ["ada"]


def test_ctrl_c_keeps_what_is_done(fake, tmp_path):
    export, out = folders(tmp_path), tmp_path / "out"
    fake.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        run(export, out)
    rows = table(out / "points.csv")
    assert rows["ada"]["score"] == "90" and rows["bob"]["problem"] == "not graded yet" and rows["bob"]["total"] == ""
    fake.stop_after = None
    run(export, out)
    assert fake.graded == ["ada", "bob"] and table(out / "points.csv")["bob"]["score"] == "90"


def test_one_process_at_a_time_writes_results(fake, tmp_path):
    export = folders(tmp_path)
    with grade_all.Lock(tmp_path / "out"), pytest.raises(ValueError, match="another process is grading into"):
        run(export, tmp_path / "out")


def test_a_course_with_everything(fake, tmp_path, capsys):
    times = {"Ada Lovelace": "2026-10-12 20:00:00 Z", "Bob Bell": "2026-10-14 22:00:00 Z"}
    people = {"Ada Lovelace": NESTED, "Bob Bell": {"b.zip": zip_of(NESTED)}, "Carol C": {"tape.py": b"#" * 3 * 10**6}}
    people["Bob Bell"]["coursework.json"] = b'{"assignment": "a1", "variant": 4}'
    people["Carol C"]["coursework.json"] = b'{"assignment": "a2", "variant": 3}'
    export = zipped(gradescope(tmp_path, people, times))
    (tmp_path / "course.toml").write_text(
        "variant = 3\n[assignments.a1]\ndue = 2026-10-12T23:59:00+02:00\nwritten = 'w.csv'\n"
        "late = {points_per_day = 5}\nextensions = {3503 = 2026-12-01T00:00:00Z}\n"
    )
    (tmp_path / "w.csv").write_text("student,points\nAda Lovelace,9.5\nBell; Bob,4\nZoe,3\n")
    (tmp_path / "r.csv").write_text("Name,SID,Role\nAda Lovelace,3501,Student\n-Dan,9,Student\nT,8,TA\nCarol C,3503,\n")
    out = tmp_path / "out"
    command = ["grade-all", export, "--assignment", "a1", "--out", out, "--course", tmp_path / "course.toml"]
    main([str(one) for one in [*command, "--roster", tmp_path / "r.csv"]])
    told = capsys.readouterr().out
    rows = table(out / "points.csv")
    ada, bob, carol, dan = (rows[key] for key in ("submission_501", "submission_502", "submission_503", "'-Dan"))
    assert (ada["name"], ada["email"], ada["score"], ada["written"]) == ("Ada Lovelace", "ada@example.edu", "90", "9.5")
    assert (ada["late penalty"], ada["total"], ada["remarks"], ada["cluster"]) == ("0", "99.5", "", "1")
    assert (bob["late penalty"], bob["total"]) == ("15", "79"), "a minute after two days the third day has begun"
    assert "coursework.json says variant 4; it was graded with 3" in bob["remarks"]
    assert "late by" in bob["remarks"] and "not on the list of students" in bob["remarks"]
    assert "its coursework.json is of a2, not a1" in carol["remarks"] and carol["late penalty"] == "0"
    assert "tape.py has 3.0 MB; at most 1 MiB is read" in carol["remarks"]
    assert (dan["score"], dan["total"], dan["problem"]) == ("0", "0", "no submission") and "T" not in rows
    assert "without a submission: 1 (-Dan)" in told and "written points of no submission: Zoe" in told
    assert "Ada Lovelace (submission_501), Bob Bell (submission_502): add 1.00" in told
    page = (out / "students" / "submission_503" / "feedback.md").read_text()
    assert "tape.py has 3.0 MB" in page and "not on the list" not in page
    report = json.loads((out / "students" / "submission_502" / "results.json").read_text())
    assert report["score"] == 90 and "late by" in report["output"]
    assert {path.name for path in out.iterdir()} == {
        "points.csv", "statistics.md", "statistics.csv", "similarity.md", "similarity.csv", "students",
    }  # fmt: skip
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


def test_every_student_of_a_group_is_looked_up(fake, tmp_path):
    export = gradescope(tmp_path, {"Ada Lovelace": NESTED, "Bob Bell": NESTED})
    path = export / "submission_metadata.yml"
    more = "  - :name: Carol C\n    :sid: '3701'\n  - :name: Dan D\n    :sid: '3702'\n"
    path.write_text(path.read_text().replace("  :created_at: 2026", f"{more}  :created_at: 2026", 1))
    (tmp_path / "r.csv").write_text("Name,SID\nAda Lovelace,3501\nBob Bell,3502\nC. Carol,3701\nEve,3703\n")
    found = run(export, tmp_path / "out", rosters=[tmp_path / "r.csv"])
    ada, bob, eve = found.rows
    assert ada["name"] == "Ada Lovelace; Carol C; Dan D" and eve["name"] == "Eve"
    assert ada["remarks"].endswith("not on the list of students: Dan D") and not bob["remarks"]
    path.write_text(path.read_text().replace("'3702'", "'3502'"))
    ada, bob, eve = (again := run(export, tmp_path / "out", rosters=[tmp_path / "r.csv"])).rows
    sentence = "Bob Bell has 2 submissions: submission_501, submission_502"
    assert ada["remarks"] == bob["remarks"] == sentence and sentence in again.summary


def test_times_are_shown_as_the_clock_of_the_course(fake, tmp_path):
    export = gradescope(tmp_path, {"Ada Lovelace": NESTED}, {"Ada Lovelace": "2026-10-12 20:00:00 Z"})
    zone = timezone(timedelta(hours=2))
    assert run(export, tmp_path / "out", zone=zone).rows[0]["submitted"] == "2026-10-12 22:00:00+02:00"
    assert run(export, tmp_path / "out").rows[0]["submitted"] == "2026-10-12 20:00:00+00:00"
    naive = gradescope(tmp_path / "naive", {"Ada Lovelace": NESTED}, {"Ada Lovelace": "2026-10-12 20:00:00"})
    assert run(naive, tmp_path / "out", zone=zone).rows[0]["submitted"] == "2026-10-12 20:00:00+02:00"


def test_results_of_what_is_no_longer_in_the_export_are_named(fake, tmp_path):
    export = folders(tmp_path)
    assert "an earlier one" not in run(export, tmp_path / "out").summary
    (export / "bob").rename(export / "zoe")
    told = run(export, tmp_path / "out").summary
    assert "not in this export, results of an earlier one: bob" in told.splitlines()
    (export / "zoe").rename(tmp_path / "elsewhere")
    (export / "zac").mkdir()
    (export / "ada").rename(tmp_path / "ada")
    assert run(export, tmp_path / "out").summary.startswith("1 submission, mean")


def test_an_extension_of_nobody_is_said(fake, tmp_path):
    when = datetime(2026, 10, 12, tzinfo=UTC)
    due = course.Assigned(when, course.Late(points_per_day=5), extensions=dict.fromkeys(["ADA", "bbo", "zoe"], when))
    (tmp_path / "r.csv").write_text("name\nzoe\n")
    found = run(folders(tmp_path), tmp_path / "out", assigned=due, rosters=[tmp_path / "r.csv"])
    assert "extensions of nobody who is known: bbo" in found.summary.splitlines()


def test_canvas_marks_and_commits(fake, tmp_path):
    due = course.Assigned(datetime(2026, 10, 12, tzinfo=UTC), course.Late(percent_per_day=10))
    export = canvas(tmp_path, {"Lovelace, Ada": RIGHT, "Bell, Bob": RIGHT}, late=["Bell, Bob"])
    found = run(export, tmp_path / "out", assigned=due)
    rows = {row["submission"]: row for row in found.rows}
    assert rows["lovelaceada_1001"]["total"] == 90 and not rows["lovelaceada_1001"]["remarks"]
    assert rows["bellbob_1002"]["total"] == 81 and "penalty is that of one day" in rows["bellbob_1002"]["remarks"]
    plain = run(folders(tmp_path), tmp_path / "plain", assigned=due)
    assert all("no late penalty was taken" in row["remarks"] and row["total"] == 90 for row in plain.rows)


def test_an_earlier_term(fake, tmp_path):
    before = write(tmp_path / "before", {f"old/{name}": data for name, data in RIGHT.items()})
    found = run(folders(tmp_path), tmp_path / "out", before=before)
    assert found.rows[0]["to an earlier term"] == 1 and found.rows[0]["whose then"] == "old"
    assert "ada, bob and old of an earlier term: " in found.summary
    again = run(folders(tmp_path / "next"), tmp_path / "later", before=tmp_path / "out")
    assert again.rows[0]["whose then"] in ("ada", "bob")


def test_the_results_are_no_submission(fake, tmp_path):
    export = folders(tmp_path)
    with pytest.raises(ValueError, match="cannot be written into the export"):
        run(export, export / "out")
    main(["grade-all", str(export), "--assignment", "a1", "--csv", str(export / "points.csv")])
    found = run(export, tmp_path / "out")
    assert [row["submission"] for row in found.rows] == ["ada", "bob"] and "points.csv" not in found.summary
    assert not any("not on the list" in row["remarks"] for row in found.rows)


def test_written_points_of_who_handed_in_nothing(fake, tmp_path):
    (tmp_path / "w.csv").write_text("name,points\nzoe,8\n")
    (tmp_path / "r.csv").write_text("name\nzoe\nada\n")
    found = run(folders(tmp_path), tmp_path / "out", written=tmp_path / "w.csv", rosters=[tmp_path / "r.csv"])
    ada, bob, zoe = found.rows
    assert (zoe["name"], zoe["problem"], zoe["score"], zoe["written"], zoe["total"]) == (
        "zoe",
        "no submission",
        0,
        8,
        8,
    )
    assert "no points of the written part" in ada["remarks"] and ada["written"] == "" and ada["total"] == 90
    assert "not on the list of students" in bob["remarks"] and "not on the list" not in ada["remarks"]
    assert "written points of no submission" not in found.summary


def test_wrong_lists_are_one_sentence(fake, tmp_path):
    (tmp_path / "two.csv").write_text("name,points\nada,1\nada,2\n")
    with pytest.raises(ValueError, match=r"two.csv has different points for ada"):
        run(folders(tmp_path), tmp_path / "out", written=tmp_path / "two.csv")
    (tmp_path / "bad.csv").write_text("name,points\nada,12\n")
    with pytest.raises(ValueError, match=r"bad.csv has '12' in row 1, which is not from 0 to 10 points"):
        run(folders(tmp_path), tmp_path / "out", written=tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"bad.csv is not a list of students"):
        run(folders(tmp_path), tmp_path / "out", rosters=[tmp_path / "bad.csv"])
    with pytest.raises(FileNotFoundError):
        run(folders(tmp_path), tmp_path / "out", rosters=[tmp_path / "none.csv"])
    with pytest.raises(FileNotFoundError):
        run(folders(tmp_path), tmp_path / "out", before=tmp_path / "none")
    with pytest.raises(OSError, match="cannot write"):
        grade_all.grade_all(A1, folders(tmp_path), tmp_path / "out", tmp_path / "none" / "points.csv")
    assert not fake.graded, "it is said before anything is graded"


# ------------------------------------------------------------------------------ real processes


def request(export, key, place):
    place.mkdir(parents=True)
    return {"do": "read", "export": str(export), "key": key, "assignment": "a1", "place": str(place)}


@pytest.mark.heavy
def test_a_worker_that_fails_does_not_affect_the_others(tmp_path):
    export = folders(tmp_path, **{"deep/activation.py": DEEP, "deep/tape.py": b"(" * 10**6})
    requests = {key: request(export, key, tmp_path / key) for key in ("ada", "deep", "nobody")}
    requests["grade"] = {"do": "grade", "assignment": "a1", "place": str(tmp_path / "none")}
    with workers.Workers(2) as pool:
        found = dict(pool.over(requests, 60))
    assert not found["ada"].fault and found["ada"].lines[0]["found"] == [*RIGHT]
    assert worker.features(tmp_path / "ada").keys() == {name for target in A1.targets for name in target.names}
    assert found["deep"].lines[0]["found"] == ["activation.py", "tape.py"], "whatever becomes of its similarity"
    assert found["nobody"].fault.startswith("KeyError") and found["grade"].fault.startswith("KeyError")


@pytest.mark.heavy
def test_a_worker_that_hangs_is_stopped(tmp_path, monkeypatch):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(workers, "_environment", lambda: {"PYTHONPATH": str(tmp_path)})
    monkeypatch.setattr(workers, "__package__", "package")
    (tmp_path / "package").mkdir()
    (tmp_path / "slow.py").rename(tmp_path / "package" / "worker.py")
    start = time.monotonic()
    with workers.Workers(1) as pool:
        ((_, ended),) = pool.over({"x": {}}, 0.5)
    assert ended.fault == "it was stopped after 0 minutes" and time.monotonic() - start < 20
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), workers.Workers(1) as pool:
        [*pool.over({"x": {}}, 60)]
    assert time.monotonic() - start < 30


@pytest.mark.coursework
@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs, and no grading")
def test_no_submission_stops_the_others(tmp_path):
    export = write(tmp_path / "all", {f"ada/{n}": d for n, d in NESTED.items()})
    write(export, {f"deep/{name}": data for name, data in (RIGHT | {"activation.py": DEEP}).items()})
    write(export, {"broken.zip": b"PK\3\4"})
    (export / "hostile").mkdir()
    os.mkfifo(export / "hostile" / "tape.py")
    os.symlink("/dev/zero", export / "hostile" / "arithmetic.py")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "minialex.coursework", "grade-all", str(export), "--assignment", "a1"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, env=workers._environment())
    assert done.returncode == 0, done.stderr
    rows = table(out / "points.csv")
    assert rows["ada"]["score"] == "90" and rows["deep"]["score"] == "0", "Python cannot compile it"
    assert rows["hostile"]["score"] == rows["broken.zip"]["score"] == "0"
    assert (
        "arithmetic.py is a symbolic link; hand in the file itself; tape.py is not a file" in rows["hostile"]["remarks"]
    )
    assert not any(row["problem"] for row in rows.values())
    again = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, env=workers._environment())
    assert "graded now: 0; unchanged since the last time: 4" in again.stdout
