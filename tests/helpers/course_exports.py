"""Exports of learning platforms as they really look, made by code: each form as a folder and as a zip archive.

A submission is {path: bytes}; each function writes a folder, and `zipped` makes an archive of it.
"""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path


def zip_of(contents, links=()):
    """The bytes of a zip archive. contents: {path: bytes}; links: {path: where it points to}."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
        for path, target in dict(links).items():
            info = zipfile.ZipInfo(path)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return made.getvalue()


def write(folder, contents):
    """Write {path: bytes} into a folder."""
    for path, data in contents.items():
        target = Path(folder) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return Path(folder)


def zipped(folder):
    """A zip archive of a folder, with the folder in it as most tools do, and what macOS adds."""
    contents = {f"{folder.name}/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    contents |= {f"__MACOSX/{folder.name}/._{name}": b"\0" for name in ("arithmetic.py", "submission_metadata.yml")}
    path = folder.with_name(f"{folder.name}.zip")
    path.write_bytes(zip_of(contents | {f"{folder.name}/.DS_Store": b"\0"}))
    return path


METADATA = """\
submission_{number}:
  :submitters:
  - :name: {name}
    :sid: '{sid}'
    :email: {email}
  :created_at: {time}
  :score: 2.0
  :results:
    score: 2.0
    output: |-
      submission_999:
        :submitters:
        - :name: nobody, since a program printed this
    tests:
    - name: "1: \\e[1mbold"
      output: >-
        :created_at: 1999-01-01 00:00:00 Z
  :history: []
"""


def gradescope(place, submissions, times=None):
    """assignment_9100_export/ with submission_<id>/ for each; submissions: {name: files}."""
    folder = Path(place) / "assignment_9100_export"
    text = ""
    for number, (name, files) in enumerate(submissions.items(), 501):
        write(folder / f"submission_{number}", files)
        time = (times or {}).get(name, "2026-10-12 17:34:00.861687000 Z")
        email = f"{name.split()[0].lower()}@example.edu"
        text += METADATA.format(number=number, name=name, sid=3000 + number, email=email, time=time)
    write(folder, {"submission_metadata.yml": text.encode()})
    return folder


def canvas(place, submissions, late=()):
    """Files side by side. submissions: {"Lovelace, Ada": files}, whose paths are single names."""
    folder = Path(place) / "submissions"
    for number, (name, files) in enumerate(submissions.items(), 1001):
        who = "".join(c for c in name.lower() if c.isalnum())
        mark = "_LATE" if name in late else ""
        for file, (path, data) in enumerate(files.items(), 20 * number):
            write(folder, {f"{who}{mark}_{number}_{file}_{path}": data})
    return folder


def moodle(place, submissions, recent=True, folders=True):
    """Folders `Name_1001_assignsubmission_file`, with `_` at the end before 2022; or files. submissions: as always."""
    folder = Path(place) / "CS1-A1-4711"
    for number, (name, files) in enumerate(submissions.items(), 1001):
        prefix = f"{name}_{number}_assignsubmission_file{'' if recent and folders else '_'}"
        for path, data in files.items():
            write(folder, {f"{prefix}/{path}" if folders else f"{prefix}{Path(path).name}": data})
        text = f"{name}_{number}_assignsubmission_onlinetext/onlinetext.html"
        write(folder, {text: b"<p>see my file</p>"})
    return folder


def classroom(place, submissions):
    """`gh classroom clone student-repos`: a1-submissions/a1-<user>/, and the list of grades beside them."""
    folder = Path(place) / "a1-submissions"
    grades = (
        '"assignment_name","github_username","roster_identifier","student_repository_name","submission_timestamp"\n'
    )
    for user, files in submissions.items():
        write(folder / f"a1-{user}", files)
        grades += f'"a1","{user}","{user}@example.edu","a1-{user}","2026-10-13 10:00:00 UTC"\n'
    write(folder, {"grades.csv": grades.encode()})
    return folder
