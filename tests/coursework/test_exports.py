"""Exports of Gradescope, Canvas, Moodle and GitHub Classroom as they really are, and lists of students."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime

import pytest
from course_exports import canvas, classroom, gradescope, moodle, write, zip_of, zipped

from minialex.coursework import archives, exports, git_dates, rosters
from minialex.coursework import gradescope_metadata as metadata
from minialex.coursework.submissions import find

WANTED = ("arithmetic.py", "tape.py")
FILES = {"arithmetic.py": b"a", "tape.py": b"t"}
NESTED = {f"my-a1/{name}": data for name, data in FILES.items()}
ZIPPED = {"a1.zip": zip_of(NESTED)}


def contents(path):
    """{key: the files that are found} of an export."""
    with exports.opened(path) as export:
        return {one.key: find(one.entries(), WANTED).files for one in export.submissions}


def both(folder):
    return pytest.mark.parametrize("form", [folder, lambda place: zipped(folder(place))], ids=["folder", "zip"])


@both(lambda place: gradescope(place, {"Ada Lovelace": NESTED, "Bob Müller": ZIPPED, "Carol: 'C'": {}}))
def test_gradescope(form, tmp_path):
    path = form(tmp_path)
    assert contents(path) == {"submission_501": FILES, "submission_502": FILES} | (
        {"submission_503": {}}  # Gradescope lists it, but an empty folder is in no archive
    )
    with exports.opened(path) as export:
        assert export.form == "Gradescope" and not export.notes
        ada, bob, carol = export.submissions
    assert (ada.name, ada.email, ada.ids[-2:]) == ("Ada Lovelace", "ada@example.edu", ["3501", "ada@example.edu"])
    assert bob.name == "Bob Müller" and carol.name == "Carol: 'C'"
    assert ada.submitted == datetime(2026, 10, 12, 17, 34, tzinfo=UTC) and ada.told_by == "Gradescope"


def test_gradescopes_metadata_is_read_whatever_programs_printed():
    text = (
        b"""submission_1:
  :submitters:
  - :name: "D\\xE9sir\\u00e9e \\"D\\""
    :sid: 333
  - :email: 'o''brien@example.edu'
    :name: O'Brien
  :created_at: 2026-10-12 23:34:00 -07:00
  :results: !ruby/object:Thing
    output: |-
"""
        + b"x" * 200_000
        + b"""
      submission_7:
        :submitters:
  :history:
  - :id: 12
    :name: no submitter
submission_2:
  :submitters: []
"""
    )
    found = metadata.metadata(io.BytesIO(text))
    assert {*found} == {"submission_1", "submission_2"} and found["submission_2"].created_at is None
    first, second = found["submission_1"].submitters
    assert first == {"name": 'Désirée "D"', "sid": "333"}
    assert second == {"email": "o'brien@example.edu", "name": "O'Brien"}
    assert found["submission_1"].created_at == datetime(2026, 10, 13, 6, 34, tzinfo=UTC)


def test_gradescopes_metadata_breaks_escapes_and_repeats_values():
    text = rb"""submission_1:
  :submitters:
  - :name: Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior of the Very Long
      Family Name
    :sid: &1 '7001'
    :email: "zo\xEB \
      \U0001F98A \uD83E\uDD8A\
      \ at \"\\\U99999999\""
  - :name: 'O''Brien, of the
      Bogs'
    :sid: *1
    :email: *9
  :created_at: &2 2026-10-12 17:34:00.861687000 Z
submission_2:
  :submitters: []
  :created_at: *2
"""
    found = metadata.metadata(io.BytesIO(text))
    first, second = found["submission_1"].submitters
    assert first["name"].endswith(" of the Very Long Family Name") and first["sid"] == "7001"
    assert first["email"] == 'zo\u00eb \U0001f98a \U0001f98a at "\\\ufffd"'
    assert second == {"name": "O'Brien, of the Bogs", "sid": "7001", "email": ""}
    assert found["submission_2"].created_at == datetime(2026, 10, 12, 17, 34, tzinfo=UTC)


def test_of_endless_metadata_only_so_much_is_read(monkeypatch):
    class Endless(io.RawIOBase):
        read_so_far = 0

        def readline(self, size):
            self.read_so_far += size
            return b"x" * size

    monkeypatch.setattr(metadata, "MOST", 2**20)
    file = Endless()
    assert metadata.metadata(file) == {} and file.read_so_far == 2**20


PEOPLE = {
    "Lovelace, Ada": FILES,
    "Babbage, Bob": ZIPPED,
    "Müller, Carol": {"arithmetic-1.py": b"a", "tape-12.py": b"t"},
}


@both(lambda place: canvas(place, PEOPLE, late=["Babbage, Bob"]))
def test_canvas(form, tmp_path):
    path = form(tmp_path)
    assert contents(path) == {"lovelaceada_1001": FILES, "babbagebob_1002": FILES, "müllercarol_1003": FILES}
    with exports.opened(path) as export:
        assert export.form == "Canvas"
        late = {one.key: (one.late, one.ids, one.submitted) for one in export.submissions}
    assert late["babbagebob_1002"] == (True, ["1002"], None) and late["lovelaceada_1001"][0] is False


def test_canvas_without_names_and_with_texts(tmp_path):
    names = ["anon_x1Y2z_17_tape.py", "LATE_anon_abc12_18_tape.py", "adalovelace_LATE_7_text.html"]
    with exports.opened(write(tmp_path, {name: b"t" for name in names})) as export:
        found = {one.key: (one.late, [entry.name for entry in one.entries()]) for one in export.submissions}
    assert found == {
        "anon_x1Y2z": (False, ["tape.py"]),
        "anon_abc12": (True, ["tape.py"]),
        "adalovelace_7": (True, ["text.html"]),
    }


def test_what_students_call_a_list_is_none(tmp_path):
    roster = b"name\nzoe\n"
    files = {"lovelaceada_1001_2001_roster.csv": roster, "lovelaceada_1001_2002_submission_metadata.yml": b"x:\n"}
    files |= {"Bob B_7_assignsubmission_file_r.csv": roster, "carol/roster.csv": roster}
    with exports.opened(write(tmp_path, files)) as export:
        assert not export.students and not export.notes
        assert [one.key for one in export.submissions] == ["Bob B_7", "carol", "lovelaceada_1001"]


@pytest.mark.parametrize("recent", [True, False])
@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_moodle(recent, folders, packed, tmp_path):
    people = {"Ada Lovelace": FILES if not folders else NESTED, "Participant": ZIPPED, "Group A-Bob O'Neil_x": FILES}
    path = moodle(tmp_path, people, recent, folders)
    found = contents(zipped(path) if packed else path)
    assert found == {"Ada Lovelace_1001": FILES, "Participant_1002": FILES, "Group A-Bob O'Neil_x_1003": FILES}
    with exports.opened(path) as export:
        assert export.form == "Moodle"
        assert export.submission("Participant_1002").name == "Participant 1002"


REPOSITORY = NESTED | {".git/HEAD": b"ref: refs/heads/main\n", ".git/objects/tape.py": b"no"}


@both(lambda place: classroom(place, {"ada-l": REPOSITORY, "bob": REPOSITORY}))
def test_github_classroom(form, tmp_path):
    path = form(tmp_path)
    assert contents(path) == {"a1-ada-l": FILES, "a1-bob": FILES}
    with exports.opened(path) as export:
        assert export.form == "GitHub Classroom"
        names = {one.key: one.name for one in export.submissions}
        students = {one.email: one.submitted for one in export.students}
        student = rosters.match(export.submissions[0].ids, export.submissions[0].names, export.students)
    assert names == {"a1-ada-l": "ada-l", "a1-bob": "bob"}
    assert student.submitted == datetime(2026, 10, 13, 10, tzinfo=UTC) and "ada-l@example.edu" in student.ids
    assert len(students) == 1


@both(lambda place: write(place / "all", {f"{who}/{n}": d for who in ("ada", "bob") for n, d in NESTED.items()}))
def test_folders_named_after_students(form, tmp_path):
    assert contents(form(tmp_path)) == {"ada": FILES, "bob": FILES}


def test_archives_named_after_students_and_what_is_beside_them(tmp_path):
    folder = write(tmp_path / "all", {"ada.zip": ZIPPED["a1.zip"], "Bob B.zip": zip_of(FILES), "notes.txt": b""})
    write(folder, {".DS_Store": b"", "__MACOSX/x": b"", "list.csv": b"a,b\n1,2\n"})
    assert contents(folder) == {"ada.zip": FILES, "Bob B.zip": FILES}
    with exports.opened(folder) as export:
        assert [one.name for one in export.submissions] == ["Bob B", "ada"]
        assert export.notes == [
            "list.csv is not a list of students: no column is called name, email or ID",
            "notes.txt is beside the submissions and was left out",
        ]


def test_one_submission_alone_is_no_wrapping(tmp_path):
    assert contents(write(tmp_path / "all", {f"ada/{n}": d for n, d in NESTED.items()})) == {"ada": FILES}
    assert contents(write(tmp_path / "broken", {"ada.zip": b"PK"})) == {"ada.zip": {}}


def test_an_archive_beside_a_list_of_students_is_the_export(tmp_path):
    archive = zipped(gradescope(tmp_path / "made", {"Ada Lovelace": FILES}))
    folder = write(tmp_path / "both", {"download.zip": archive.read_bytes(), "r.csv": b"Name,SID\nAda Lovelace,3501\n"})
    assert contents(folder) == {"submission_501": FILES}
    with exports.opened(folder) as export:
        assert [student.name for student in export.students] == ["Ada Lovelace"]


def test_what_is_no_export(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"), exports.opened(tmp_path / "nothing"):
        pass
    with pytest.raises(ValueError, match="contains no submissions"), exports.opened(tmp_path):
        pass
    (tmp_path / "x.zip").write_text("text")
    with (
        pytest.raises(ValueError, match="x.zip is damaged.*: give the folder or the zip"),
        exports.opened(tmp_path / "x.zip"),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "names", "ids"),
    [
        ("Name,SID,Email,Role\nAda L,1,a@x.edu,Student\nT A,2,t@x.edu,TA\n", ["Ada L"], {"1", "a@x.edu"}),
        ("First Name,Last Name,SID\nAda,L,1\n", ["Ada L"], {"1"}),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n\"L, Ada\",11,s1,al1,S\n",
            ["L, Ada"],
            {"11", "s1", "al1"},
        ),
        ("\ufeffIdentifier;Full name;Email address\nParticipant 77;Ada L;a@x.edu\n", ["Ada L"], {"77", "a@x.edu"}),
        ("identifier,github_username,github_id,name\nada@x.edu,adal,5,\n\n,,,\n", [""], {"ada@x.edu", "adal", "5"}),
        (
            "identifier,github_username,github_id,name\nÁda L,adal,5,\ns12,bob,6,\n",
            ["Áda L", ""],
            {"áda l", "adal", "5"},
        ),
    ],
    ids=["Gradescope", "two columns", "Canvas", "Moodle", "GitHub", "GitHub, names"],
)  # fmt: skip
def test_lists_of_students(text, names, ids):
    found = rosters.students(text)
    assert [student.name for student in found] == names and found[0].ids == ids


def test_submissions_are_matched_with_students():
    students = rosters.students('Student,ID,email\n"Lovelace, Ada",11,ada@x.edu\n"Bell, Bob",12,bob@x.edu\n')
    students += rosters.students("name,sid,email\nBob Bell,13,bob2@x.edu\n")
    assert rosters.match(["11"], [], students).name == "Lovelace, Ada"
    assert rosters.match([], ["lovelaceada"], students).name == "Lovelace, Ada"
    assert rosters.match([], ["Ada Lovelace"], students).name == "Lovelace, Ada"
    assert rosters.match(["ada"], [], students).name == "Lovelace, Ada", "what is before the @"
    assert rosters.match([], ["Bob Bell"], students) is None, "there are two"
    assert rosters.match(["13"], ["Bob Bell"], students).email == "bob2@x.edu"
    assert rosters.match(["99"], ["Nobody"], students) is None


def test_several_lists_of_the_same_students_are_one():
    grades = "github_username,roster_identifier,submission_timestamp\nadal,ada@x.edu,2026-10-12 23:59:59 UTC\n"
    roster = "identifier,github_username,github_id,name\nada@x.edu,adal,5,Ada L\nbob@x.edu,bob,6,Bob\n"
    ada, bob = rosters.merged([*rosters.students(grades), *rosters.students(roster)])
    assert ada.name == "Ada L" and ada.submitted and bob.name == "Bob" and bob.submitted is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-04-26 17:34:00.861687000 Z", datetime(2026, 4, 26, 17, 34, tzinfo=UTC)),
        ("2022-09-18 23:59:59 UTC", datetime(2022, 9, 18, 23, 59, 59, tzinfo=UTC)),
        ("2022-09-18 16:00:00 -0700", datetime(2022, 9, 18, 23, tzinfo=UTC)),
        ("Friday, 4 October 2024, 10:11 PM", datetime(2024, 10, 4, 22, 11)),
        ("2024-10-04 10:11", datetime(2024, 10, 4, 10, 11)),
        ("2024-13-04 10:11", None),
        ("-", None),
    ],
)
def test_times(text, time):
    assert rosters.parse_time(text) == time


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize("packed", [True, False])
def test_the_date_of_the_last_commit_without_trusting_the_repository(packed, tmp_path):
    repository, ran = tmp_path / "a1-ada", tmp_path / "ran"
    when = {"GIT_AUTHOR_DATE": "2026-10-12T10:00:00+0200", "GIT_COMMITTER_DATE": "2026-10-12T11:00:00+0200"}
    who = {f"GIT_{role}_{what}": "x@y" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | when | who | {"GIT_CONFIG_GLOBAL": os.devnull}

    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=repository, env=environment, check=True, capture_output=True)

    write(repository, FILES)
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "all")
    if packed:
        git("gc")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    with open(repository / ".git" / "config", "a") as file:
        file.write(f"[core]\n\tfsmonitor = {program}\n\tpager = {program}\n[gpg]\n\tprogram = {program}\n")
        file.write(f"[log]\n\tshowSignature = true\n[alias]\n\tcat-file = !{program}\n")
    entries = [*archives.in_folder(repository / ".git", hidden=True)]
    assert git_dates.last_commit(entries) == datetime(2026, 10, 12, 9, tzinfo=UTC)
    assert not ran.exists()
    git("checkout", "--orphan", "empty")
    assert git_dates.last_commit([*archives.in_folder(repository / ".git", hidden=True)]) is None
    assert git_dates.last_commit([]) is None


def test_many_members_of_one_student_are_no_matter(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(f"bob/{name}", data)
            archive.writestr(f"ada/my-a1/{name}", data)
        for number in range(500):
            archive.writestr(f"ada/{number}.txt", b"")
    assert contents(path) == {"ada": FILES, "bob": FILES}
