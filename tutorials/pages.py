"""Write the lessons as web pages, from their notebooks as they are:   python tutorials/pages.py [DIR]

Nothing is executed, and no page needs a server or a network: a folder of HTML, one script and one style sheet.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from minialex import cli  # noqa: E402  this checkout's package

DESCRIPTION = """\
Write all lessons as pages to read, with a map, a glossary, a search and a reference of the library, from the notebooks
as they are: nothing is executed."""


def main(argv=None):
    """The command."""
    parser = cli.Parser("tutorials", DESCRIPTION, "example: python tutorials/pages.py pages       then open index.html")
    parser.prog = "python tutorials/pages.py"
    parser.add_argument("folder", nargs="?", default="pages", metavar="DIR", type=cli.folder, help="(%(default)s)")
    options = parser.parse_args(argv)
    try:
        from web import course
    except ModuleNotFoundError as error:
        if error.name not in ("latex2mathml", "mistune", "nbconvert", "pygments"):
            raise
        raise cli.UserError(f"{error.name} is not installed: pip install -e '.[tutorials]'") from error
    course.write(HERE, Path(options.folder))
    print(f"open {Path(options.folder) / 'index.html'}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
