"""The process that reads, or grades, one submission: whatever the submission holds, no other one is affected.

`grade_all` starts it as `python -m minialex.coursework.worker`, with a request in JSON on stdin, so that the secret is
on no command line:

    {"do": "read", "export": ..., "key": ..., "assignment": "a1", "place": ...}
        finds the submission's files, writes them into `place`/submission, prints what it found as one line of JSON, and
        then writes `place`/features.json: the 5-grams of its functions
    {"do": "grade", "assignment": "a1", "place": ..., "secret": ..., "variant": 0, "of": ...}
        grades `place`/submission and writes `place`/grading.json

Memory, and for reading also the processor time and what is written, are limited.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

from ..support import files
from . import DESCRIPTION, archives, assignment, exports, git_dates, similarity, submissions
from .archives import Unreadable

MEMORY = 4 * 2**30  # bytes of address space
READING = 60  # seconds of processor time
WRITTEN = 512 * 2**20  # bytes of a file that reading may write
ANSWERS = "written.md"  # the student's, for whoever grades the written part
SUBMISSION, FEATURES, GRADING = "submission", "features.json", "grading.json"  # within `place`


def main():
    """Do what the request on stdin says."""
    signal.signal(signal.SIGTERM, _stop)
    request = json.loads(sys.stdin.buffer.read())
    asked, place = assignment(request["assignment"]), Path(request["place"])
    _limit("AS", MEMORY)
    _limit("CORE", 0)
    if request["do"] == "grade":
        _grade(asked, place, request)
        return
    _limit("CPU", READING)
    _limit("FSIZE", WRITTEN)
    (place / FEATURES).unlink(missing_ok=True)
    print(json.dumps(_read(asked, place, request)), flush=True)
    found = similarity.functions(asked, place / SUBMISSION)
    files.write_text(place / FEATURES, json.dumps({name: dict(grams) for name, grams in found.items()}))


def features(place):
    """The 5-grams that a worker wrote, as similarity.functions returns them; None for none. place: its folder."""
    try:
        return counted((Path(place) / FEATURES).read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError):
        return None


def counted(text):
    """The content of such a file as similarity.functions returns it. text: of the file."""
    read = json.loads(text)
    return {name: Counter({int(gram): count for gram, count in grams.items()}) for name, grams in read.items()}


def _read(asked, place, request):
    wanted = [target.student_file for target in asked.targets]
    with exports.opened(request["export"]) as export:
        submission = export.submission(request["key"])
        found = submissions.find(submission.entries(), wanted, (DESCRIPTION, ANSWERS))
        when = None
        if export.form in ("GitHub Classroom", "folders"):
            when = git_dates.last_commit(_repository(submission))
    for name in wanted:
        if name in found.broken:
            found.files[name] = submissions.stub(name, found.broken[name])
    _replace(place / SUBMISSION, found.files)
    return {
        "digest": digest({name: found.files[name] for name in wanted if name in found.files}),
        "found": [name for name in wanted if name in found.entries],
        "broken": [name for name in wanted if name in found.broken],
        "remarks": found.remarks,
        "description": _description(found.files.get(DESCRIPTION)),
        "committed": when.isoformat() if when else None,
    }


def digest(contents):
    """A SHA-256 digest of files. contents: {name: bytes}."""
    made = hashlib.sha256()
    for name, data in sorted(contents.items()):
        made.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\0".encode())
    return made.hexdigest()


def _repository(submission):
    """The Entries of `.git`, which is at the top of a repository."""
    for entry in itertools.islice(submission.entries(hidden=True), 10 * archives.ENTRIES):
        if entry.parts[0] == ".git" and len(entry.parts) > 1:
            yield archives.Entry(entry.parts[1:], entry.kind, entry.size, entry.open, entry.path)


def _description(data):
    """What coursework.json says, {"assignment": ..., "variant": ...}; None if it is not there or damaged."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(data)
        return {"assignment": str(said["assignment"])[:20], "variant": int(said.get("variant", 0))}
    return None


def _replace(folder, contents):
    """Write files into a folder, in the place of what is there."""
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, data in contents.items():
        (beside / name).write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)


def _grade(asked, place, request):
    from .grade import grade  # here, since reading does not need it

    report = grade(asked, place / SUBMISSION, secret=request["secret"], variant=request["variant"])
    files.write_text(place / GRADING, json.dumps({"of": request["of"], "report": report}))


def _limit(name, most):
    """Lower a limit of this process; what is lower already stays."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none, macOS not all
        import resource

        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def _stop(number, frame):
    raise SystemExit(128 + number)  # so that temporary folders are removed


if __name__ == "__main__":
    try:
        main()
    except (Unreadable, OSError, MemoryError, RecursionError, KeyError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(3)
