"""The date of the last commit of a repository, without trusting the repository.

A repository that students hand in has a configuration that can name programs which git then runs. So only what is data
(the head, references and objects) is copied into a new, empty repository, and git asked there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import archives, rosters
from .archives import Unreadable

MOST = 64 * 2**20  # bytes that are copied
_DATA = re.compile(
    r"HEAD|packed-refs|refs/heads/[\w./-]{1,200}|objects/[0-9a-f]{2}/[0-9a-f]{38}|objects/pack/pack-[0-9a-f]{40}\.(pack|idx)"
)
_CONFIGURATION = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


def last_commit(entries):
    """When the last commit on the current branch was made.

    entries: Entries of all that is in a folder `.git`, with parts as ("HEAD",).

    Returns a datetime with a time zone; None where git is not installed, or the repository is empty or damaged.
    """
    entries = [entry for entry in entries if _DATA.fullmatch("/".join(entry.parts))]
    git = shutil.which("git")
    if git is None or not any(entry.parts == ("HEAD",) for entry in entries):
        return None
    with tempfile.TemporaryDirectory(prefix="minialex-git-", ignore_cleanup_errors=True) as place:
        _copy(entries, Path(place))
        nothing = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_NO_REPLACE_OBJECTS": "1"}
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": place, "GIT_DIR": place, **nothing}
        try:
            done = subprocess.run(
                [git, "cat-file", "commit", "HEAD"], cwd=place, env=environment, capture_output=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = re.search(rb"^committer [^\n]*> (\d{1,12}) [+-]\d{4}$", done.stdout, re.M)
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return rosters.in_utc(int(found[1])) if found and not done.returncode else None
    return None


def _copy(entries, place):
    left = MOST
    for folder in ("objects/pack", "refs/heads"):
        (place / folder).mkdir(parents=True)
    (place / "config").write_text(_CONFIGURATION)
    for entry in entries:
        name = "/".join(entry.parts)
        if ".." in name or entry.kind != archives.FILE or entry.size > left:
            continue
        with contextlib.suppress(Unreadable, OSError):
            data = archives.read(entry, left)
            left -= len(data)
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
