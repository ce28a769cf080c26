"""`python -m minialex.tutorials`: the lessons, what you have solved of them, and where to go on."""

from __future__ import annotations

import subprocess
import sys

from .. import cli
from ..support import text
from . import learner, lessons

DESCRIPTION = """\
List the lessons, the exercises that you have solved (a full circle each), the hints that they took, and the next one.
`check` in a lesson notes them in a file of yours, which MINIALEX_LEARNER=FILE moves elsewhere. --open opens your own
copy of a lesson in JupyterLab, in tutorials/work/, so that the lessons themselves stay as they are."""

EXAMPLES = """\
examples: python -m minialex.tutorials
          python -m minialex.tutorials --open 1
          python -m minialex.tutorials --pages pages       then open pages/index.html"""


def main(argv=None):
    """Run the command. argv: the arguments, sys.argv's if None."""
    options = _parse(argv)
    if options.reset:
        with cli.as_user_error():
            print(f"forgotten: {learner.reset()} solved exercises; the old file is {learner.path()}.old")
        return 0
    place = lessons.folder()
    if options.pages:
        return subprocess.run([sys.executable, str(place / "pages.py"), options.pages], check=False).returncode
    with cli.as_user_error():
        found = lessons.read(place)
        records = learner.read() if options.open is None else {}
    if options.open is not None:
        return _open(place, found, options.open)
    print("\n".join(lessons.table(found, records)))
    return 0


def _open(place, found, number):
    chosen = [lesson for lesson in found if lesson.number == number]
    if not chosen:
        raise cli.UserError(f"there is no lesson {number}; there are 1 to {found[-1].number}")
    work, old = lessons.copies(place)
    notebook = work / f"{chosen[0].path.stem}.ipynb"
    if notebook.name in old:
        cli.note(
            f"the lesson has changed since {text.printable(str(notebook))} was copied; delete the copy for a new one"
        )
    try:
        return lessons.jupyter(place, notebook)
    except ModuleNotFoundError as error:
        raise cli.UserError(str(error)) from None


def _parse(argv):
    parser = cli.Parser("tutorials", DESCRIPTION, EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--open", nargs="?", const=1, type=cli.whole_number(1), metavar="N", help="open lesson N in JupyterLab (1)"
    )
    what.add_argument("--pages", metavar="DIR", type=cli.folder, help="write all lessons as pages to read, in seconds")
    what.add_argument("--reset", action="store_true", help="forget what you have solved; the old file is kept")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(cli.run(main))
