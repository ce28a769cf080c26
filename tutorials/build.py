"""Execute the lessons and rewrite their notebooks:   python tutorials/build.py [LESSON ...]   (--help says more)."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from notebooks import fold  # noqa: E402

from minialex import cli  # noqa: E402  this checkout's package
from minialex.support import files  # noqa: E402

# Seconds at `quick` on two cores, kernels compiled; at `smoke` every lesson has 20.
BUDGETS = {
    "01": 15, "02": 15, "03": 30, "04": 45, "05": 20, "06": 180, "07": 600, "08": 60, "09": 480, "10": 60, "11": 60,
    "12": 30,
}  # fmt: skip
SMOKE_BUDGET = 20

DESCRIPTION = """\
For authors: execute lessons and rewrite the notebook beside each; without LESSON all of them. The same source gives the
same notebook, apart from its pictures and measured times. Exit code 1 where a lesson takes longer than its budget."""

EXAMPLES = """\
examples: python tutorials/build.py
          python tutorials/build.py 1 04_convolution
(python tutorials/pages.py writes the pages, from the notebooks as they are)"""


def main(argv=None):
    """The command."""
    options = _parse(argv)
    chosen = [lesson for lesson in lessons() if not options.lessons or any(_is(lesson, n) for n in options.lessons)]
    for name in options.lessons:
        if not any(_is(lesson, name) for lesson in chosen):
            raise cli.UserError(f"there is no lesson '{name}'; there are {', '.join(path.stem for path in lessons())}")
    late = 0
    for lesson in chosen:
        budget = SMOKE_BUDGET if options.size == "smoke" else BUDGETS[lesson.stem[:2]]
        start = time.perf_counter()
        notebook = execute(lesson, options.size)
        seconds = time.perf_counter() - start
        written = lesson.with_suffix(".ipynb")
        if options.size != "smoke":  # a smoke run is a check; the published notebook shows full sizes
            files.write_text(written, notebook)
        late += seconds > budget
        verdict = "TOO SLOW" if seconds > budget else ""
        size = f"{len(notebook) / 1000:4.0f} KB"
        print(f"{lesson.stem:<24} {seconds:6.1f} s of {budget:3d}   {size}   {verdict}", flush=True)
    return 1 if late else 0


def lessons():
    """The sources, in order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def _is(lesson, name):
    return Path(name).stem == lesson.stem or (name.isdigit() and int(name) == int(lesson.stem[:2]))


def source_hash(lesson):
    """What a notebook remembers of the source it was made from."""
    return hashlib.sha256(lesson.read_bytes()).hexdigest()


def execute(lesson, size):
    """The text of a lesson's notebook, executed. UserError where a cell fails."""
    try:
        import jupytext
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise cli.UserError(f"{error.name} is not installed: pip install -e '.[tutorials]'") from error
    os.environ["MINIALEX_SIZE"] = size
    os.environ["MINIALEX_PROGRESS"] = "off"  # how far the work is would remain in the file
    os.environ["MINIALEX_OUTCOMES"] = "1"  # which `notebooks.fold` puts out of sight
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # the kernel's debugger is not used: no warning of it
    notebook = jupytext.read(lesson, fmt="py:percent")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minialex": {"source": lesson.name, "sha256": source_hash(lesson), "size": size},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    resources = {"metadata": {"path": str(HERE)}}
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources=resources,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise cli.UserError(f"{lesson.name} failed: {re.sub(chr(27) + r'.*?m', '', str(error))}") from error
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel has added versions
    for cell in notebook.cells:
        _merge_streams(cell)
        fold(cell)
    return nbformat.writes(notebook, version=4) + "\n"


def _merge_streams(cell):
    """One output for text that reached us in pieces, at the mercy of the clock."""
    merged: list = []
    for output in cell.get("outputs", []):
        if merged and output.output_type == "stream" and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    if merged:
        cell.outputs = merged


def _parse(argv):
    parser = cli.Parser("tutorials", DESCRIPTION, EXAMPLES)
    parser.prog = "python tutorials/build.py"
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="a number or a name, such as 1 or 01_autograd")
    parser.add_argument(
        "--size",
        choices=("smoke", "quick", "paper"),
        default="quick",
        help="how much is computed; smoke writes no notebook (default: %(default)s)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
