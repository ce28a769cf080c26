"""The files of a submission are found wherever they are, and a hostile one costs no more than a sentence."""

from __future__ import annotations

import os
import struct
import sys
import time
import zipfile

import pytest
from course_exports import write, zip_of

from minialex.coursework import archives, submissions
from minialex.coursework.submissions import files_of, find

WANTED = ("arithmetic.py", "tape.py")
FILES = {"arithmetic.py": b"a = 1\n", "tape.py": b"t = 1\n"}


def found_in(contents, tmp_path, optional=()):
    return find(archives.in_folder(write(tmp_path / "submission", contents)), WANTED, optional)


def nested(contents, *folders):
    return {"/".join([*folders, name]): data for name, data in contents.items()}


@pytest.mark.parametrize(
    "contents",
    [
        FILES,
        nested(FILES, "my-a1"),
        nested(FILES, "submission", "work", "my-a1"),
        {"my-a1\\arithmetic.py": FILES["arithmetic.py"], "my-a1\\tape.py": FILES["tape.py"]},
        {"a1.zip": zip_of(nested(FILES, "my-a1"))},
        {"outer.ZIP": zip_of({"inner.zip": zip_of(FILES)})},
        {"arithmetic.py": FILES["arithmetic.py"], "rest.zip": zip_of({"x/tape.py": FILES["tape.py"]})},
        {**nested(FILES, "my-a1"), **nested({"._tape.py": b"\0", "tape.py": b"\0"}, "__MACOSX", "my-a1")},
        {**FILES, **nested(FILES, "copy")},
        {**FILES, **nested({"tape.py": b"2"}, ".git"), **nested({"tape.py": b"3"}, "venv", "lib")},
    ],
    ids=[
        "flat", "nested", "deeply nested", "Windows' names", "a zip", "a zip in a zip", "half in a zip", "macOS",
        "a copy", "git and tools",
    ],
)  # fmt: skip
def test_files_are_found_without_a_word(contents, tmp_path):
    if any("\\" in name for name in contents):  # as unzip leaves them: names of files with a backslash
        folder = tmp_path / "zipped"
        folder.mkdir()
        (folder / "a1.zip").write_bytes(zip_of(contents))
        found = find(archives.in_folder(folder), WANTED)
    else:
        found = found_in(contents, tmp_path)
    assert found.files == FILES and not found.remarks and not found.broken


@pytest.mark.parametrize(
    ("contents", "files", "remark"),
    [
        ({**nested(FILES, "a"), "old/tape.py": b"old"}, FILES, "old/ holds another tape.py: the one in a/ is graded"),
        ({**FILES, "tape-1.py": b"new"}, FILES, "tape-1.py is another tape.py: tape.py is graded"),
        (
            {**nested(FILES, "b"), "a/tape.py": b"1", "a/arithmetic.py": b"2"},
            {"tape.py": b"1", "arithmetic.py": b"2"},
            "b/ holds another arithmetic.py and tape.py: those in a/ are graded",
        ),
        ({"Arithmetic.PY": b"a = 1\n", "tape.py": b"t = 1\n"}, FILES, "Arithmetic.PY was taken as arithmetic.py"),
        ({"tape (2).py": b"t = 1\n", "arithmetic.py": b"a = 1\n"}, FILES, "tape (2).py was taken as tape.py"),
        ({"tape.py": b"t = 1\n"}, {"tape.py": b"t = 1\n"}, "arithmetic.py is missing"),
        ({"notes.txt": b""}, {}, "none of the files arithmetic.py and tape.py is in the submission"),
        ({"a1.rar": b"Rar!"}, {}, "a1.rar is not a zip archive and was not opened"),
        ({"a1.zip": b"no zip"}, {}, "a1.zip is damaged"),
        ({**FILES, "tape.py": b" \n"}, {**FILES, "tape.py": b" \n"}, "tape.py is empty"),
    ],
)  # fmt: skip
def test_what_is_unusual_is_said(contents, files, remark, tmp_path):
    found = found_in(contents, tmp_path)
    assert found.files == files
    assert any(one.startswith(remark) for one in found.remarks), found.remarks


def test_of_renamed_uploads_the_last_counts_without_a_word(tmp_path):
    found = found_in({"arithmetic-2.py": b"2", "arithmetic-10.py": b"10", "tape-1.py": b"t"}, tmp_path)
    assert found.files == {"arithmetic.py": b"10", "tape.py": b"t"}
    assert found.remarks == ["arithmetic-2.py is another arithmetic.py: arithmetic-10.py is graded"]


def test_a_large_file_is_not_missing(tmp_path):
    contents = {"arithmetic.py": b"#" * 3 * 10**6, "tape.py": b"t"}
    for case in (contents, {"a1.zip": zip_of(contents)}):
        found = found_in(case, tmp_path / str(len(case)))
        assert found.files == {"tape.py": b"t"}
        assert found.remarks == ["arithmetic.py has 3.0 MB; at most 1 MiB is read"] == [*found.broken.values()]
    stub = submissions.stub("arithmetic.py", found.broken["arithmetic.py"])
    with pytest.raises(ImportError, match="3.0 MB; at most 1 MiB"):
        exec(stub)


def test_a_large_file_is_not_read(tmp_path):
    folder = write(tmp_path, {"tape.py": b"t"})
    with open(folder / "arithmetic.py", "wb") as file:
        file.truncate(2**30)  # a hole
    found = find(archives.in_folder(folder), WANTED)
    assert found.remarks == ["arithmetic.py has 1,074 MB; at most 1 MiB is read"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs, and links only for administrators")
def test_links_and_pipes_are_not_followed(tmp_path):
    folder = tmp_path / "submission"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "tape.py").write_text("secret")
    folder.mkdir()
    os.symlink("/dev/zero", folder / "arithmetic.py")
    os.symlink(tmp_path / "secret", folder / "more")
    os.mkfifo(folder / "tape.py")
    os.mkfifo(folder / "a1.zip")
    os.symlink("/dev/zero", folder / "b.zip")
    found = find(archives.in_folder(folder), WANTED)
    assert not found.files
    assert found.broken == {
        "arithmetic.py": "arithmetic.py is a symbolic link; hand in the file itself",
        "tape.py": "tape.py is not a file",
    }
    linked = zip_of({}, {"tape.py": "/etc/passwd", "arithmetic.py": "../secret/tape.py"})
    found = found_in({"links.zip": linked}, tmp_path / "zip")
    assert found.broken.keys() == {*WANTED} and not found.files


def test_names_in_archives_are_no_paths(tmp_path):
    names = ["../../../arithmetic.py", "/etc/tape.py", "C:\\Windows\\tape.py", "a/../../../../tape.py"]
    for number, name in enumerate(names):
        wanted = name.replace("\\", "/").rpartition("/")[2]
        folder, place = write(tmp_path / str(number), {"a1.zip": zip_of({name: b"x"})}), tmp_path / "place"
        place.mkdir(exist_ok=True)
        before = sorted(tmp_path.rglob("*"))
        paths, _ = files_of(folder, (wanted,), place)
        assert paths == {wanted: place / wanted} and paths[wanted].read_bytes() == b"x"
        assert {*tmp_path.rglob("*")} - {*before} <= {place / wanted}
        paths[wanted].unlink()


def bomb(levels, size):
    data = b"\0" * size
    inner = zip_of({"arithmetic.py": data, "tape.py": data})
    for level in range(levels):
        inner = zip_of({f"{level}-{n}.zip": inner for n in range(10)})
    return inner


def test_bombs_cost_little(tmp_path, monkeypatch):
    contents = {"bomb.zip": bomb(2, 3 * 10**6)}
    start = time.process_time()
    found = found_in(contents, tmp_path / "nested")
    assert not found.files and time.process_time() - start < 2
    found = found_in({"deep.zip": bomb(5, 10)}, tmp_path / "deep")
    assert not found.files and found.remarks[0].startswith("none of the files")
    liar = bytearray(zip_of({"tape.py": b"\0" * 5 * 2**20, "arithmetic.py": b"a"}))
    for at in (liar.index(b"PK\3\4") + 22, liar.index(b"PK\1\2") + 24):
        liar[at : at + 4] = struct.pack("<L", 10)  # says that it is 10 bytes long
    found = found_in({"liar.zip": bytes(liar)}, tmp_path / "liar")
    assert found.files.keys() <= {"arithmetic.py"} and "tape.py" in found.broken
    monkeypatch.setattr(submissions, "INFLATED", 2**20)
    large = zip_of({"inner.zip": b"\0" * 2**21})
    found = found_in({"large.zip": large}, tmp_path / "large")
    assert "inner.zip has more than 1 MB" in found.remarks


def test_archives_that_cannot_be_read_say_why(tmp_path, monkeypatch):
    locked = bytearray(zip_of(FILES))
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = -1
        while (start := locked.find(sign, start + 1)) >= 0:
            locked[start + at] |= 1
    found = found_in({"a1.zip": bytes(locked)}, tmp_path / "locked")
    assert found.broken["tape.py"] == "tape.py is protected by a password"
    made = tmp_path / "lzma.zip"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    found = found_in({"a1.zip": made.read_bytes()}, tmp_path / "lzma")
    assert "unusual method" in found.broken["tape.py"]
    monkeypatch.setattr(archives, "INNER_DIRECTORY", 5000)
    members = zip_of({f"{n:095}": b"" for n in range(50)})
    found = found_in({"a1.zip": members}, tmp_path / "members")
    assert "a1.zip has too many members" in found.remarks


def test_only_so_many_files_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "ENTRIES", 5)
    found = found_in({**{f"{n}.txt": b"" for n in range(9)}, **nested(FILES, "below")}, tmp_path)
    assert "only the first 5 files were looked at" in found.remarks


def test_thousands_of_other_files_hide_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "KEPT", 5)
    found = found_in({**{f"{n}.txt": b"" for n in range(300)}, **FILES}, tmp_path)
    assert found.files == FILES and not found.remarks


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_a_name_that_an_archive_has_twice_the_last_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "a1.zip", "w") as archive:
        for data in (b"first", b"last"):
            archive.writestr("tape.py", data)
    found = find(archives.in_folder(tmp_path), ("tape.py",))
    assert found.files == {"tape.py": b"last"} and not found.remarks


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_names_that_are_not_text(tmp_path):
    folder = write(tmp_path / "submission", nested(FILES, "my-a1"))
    (folder / os.fsdecode(b"old-\xff\n")).mkdir()
    (folder / os.fsdecode(b"old-\xff\n") / "tape.py").write_bytes(b"old")
    found = find(archives.in_folder(folder), WANTED)
    assert found.remarks == ["old-\\xff\\n/ holds another tape.py: the one in my-a1/ is graded"]
    macos = zipfile.ZipInfo("x/tape.py")
    assert archives.name_of(macos) == "x/tape.py"
    macos.filename = "Übung/tape.py".encode().decode("cp437")
    assert archives.name_of(macos) == "Übung/tape.py"


def test_files_of_a_folder_or_an_archive(tmp_path):
    folder = write(tmp_path / "mine", nested(FILES, "my-a1"))
    paths, remarks = files_of(folder, WANTED)
    assert paths == {name: folder / "my-a1" / name for name in WANTED} and not remarks
    archive = tmp_path / "a1.zip"
    archive.write_bytes(zip_of(nested(FILES, "my-a1")))
    paths, remarks = files_of(archive, WANTED)
    assert not paths and remarks[0] == "arithmetic.py is in the archive my-a1/: unpack it"
    (tmp_path / "place").mkdir()
    assert files_of(archive, WANTED, tmp_path / "place")[0] == {name: tmp_path / "place" / name for name in WANTED}
    with pytest.raises(FileNotFoundError, match="does not exist"):
        files_of(tmp_path / "nothing", WANTED)
    (tmp_path / "no.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="is damaged.*give a folder"):
        files_of(tmp_path / "no.zip", WANTED)
