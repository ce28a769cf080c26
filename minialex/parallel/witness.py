"""A process that outlives a run of many: when they are killed, it says what was saved.

Where one process of a run dies, the launcher kills the others at once, and none of them can say anything any more. The
witness waits for the end of a pipe from rank 0. It reads sentences, and when the pipe ends it writes the last one to
stderr, unless that is empty: so a run that comes to its end dismisses it.
"""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """\
import sys
last = ""
for line in sys.stdin:
    last = line.strip()
if last:
    print(last, file=sys.stderr, flush=True)
"""


class Witness:
    """Says the last of its sentences when this process has ended without `dismiss`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C, and what else is sent to the processes of the run, is not for it
        )

    def know(self, sentence: str) -> None:
        """Remember a sentence in the place of the one before.

        sentence: what to say; a line.
        """
        assert self._process.stdin
        self._process.stdin.write(" ".join(sentence.split()) + "\n")
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """Let it end without a word."""
        assert self._process.stdin
        if not self._process.stdin.closed:
            self.know("")
            self._process.stdin.close()
            self._process.wait()
