"""`python -m minialex.coursework`: assignments for students, grading for instructors."""

from __future__ import annotations

import os
import sys
import traceback

from .. import cli
from . import NAMES, assignment, assignment_in, grade_all, release, student, tree
from .grade import grade

DESCRIPTION = """\
Assignments in which students write parts of minialex itself, and the network then trains on their code.

students:     list, start, check, hint, train
instructors:  release, grade, grade-all, bundle, rubric"""

EXAMPLES = """\
examples:
  python -m minialex.coursework start a1 my-a1
  python -m minialex.coursework check my-a1
  python -m minialex.coursework hint a1.matmul 2
  python -m minialex.coursework train my-a3 --own my-a1
  python -m minialex.coursework release a3 --out a3.zip --variant 2026
  python -m minialex.coursework grade my-a1 --secret "$SECRET" --out results.json"""


def main(argv=None):
    """The command."""
    options = _parse(argv)
    with cli.as_user_error():
        return options.run(options)


def _list(options):
    for name in NAMES:
        chosen = assignment(name)
        print(f"{name}  {chosen.title}: {', '.join(target for t in chosen.targets for target in t.names)}")


def _start(options):
    chosen = assignment(options.assignment)
    folder = release.release(chosen, options.folder or chosen.name, options.variant)
    print(f"{folder}: {chosen.title}. Read {folder}/README.md first; then write the functions in")
    for target in chosen.targets:
        print(f"  {folder}/{target.student_file}: {', '.join(target.names)}")
    print(f"and see how far you are with:  python -m minialex.coursework check {folder}")


def _check(options):
    points, most = student.check(options.folder)
    print(f"{points} of {most} public points; hidden checks and the written part give the other {100 - most}")


def _hint(options):
    name, _, target = options.target.partition(".")
    print(student.hint(assignment(name), target, options.number))


def _train(options):
    from . import train  # its progress bar is not for the grader's machine

    try:
        trained = train.train([options.folder, *options.own], options.epochs, options.limit)
    except (cli.UserError, OSError, ValueError):
        raise
    except Exception as error:  # whatever a student's code raises
        raise cli.UserError(f"it does not train yet: {_told(error)}") from error
    print("calls of each function while the network trained:")
    width = max(map(len, trained.calls))
    for name, count in trained.calls.items():
        print(f"  {name:<{width}} {count:>9,}" + ("   (this network has no use for it)" if not count else ""))
    print(
        f"a step took {1000 * trained.own_seconds:.0f} ms; with the library's own functions "
        f"{1000 * trained.seconds:.0f} ms, {trained.own_seconds / trained.seconds:.1f} times"
    )
    print(f"test accuracy {100 * trained.accuracy:.1f} % (guessing: {100 / trained.classes:.0f} %)")


def _told(error):
    """What went wrong in a student's code, and where: "TypeError: ... (tape.py, line 12)"."""
    if isinstance(error, NotImplementedError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(tree.PACKAGE) not in frame.filename]
    place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _release(options):
    made = release.release(assignment(options.assignment), options.out, options.variant)
    print(f"{made}: for students; no solutions in it")


def _grade(options):
    chosen = assignment(options.assignment) if options.assignment else assignment_in(options.folder)
    report = grade(chosen, options.folder, options.out, options.secret, options.variant, say=print)
    print(f"{report['score']} points; written to {options.out}")


def _grade_all(options):
    chosen = assignment(options.assignment)
    rows = grade_all.grade_all(chosen, options.folder, options.csv, options.secret, options.variant)
    print(f"{grade_all.summary(rows)}\nwritten to {options.csv}")


def _bundle(options):
    chosen = assignment(options.assignment)
    out = release.bundle(chosen, options.out or f"{chosen.name}-autograder.zip", options.variant, options.secret)
    print(f"{out}: upload it to Gradescope as the autograder. It holds the secret: keep it to yourself")


def _rubric(options):
    print(release.written(assignment(options.assignment), rubric=True), end="")


def _parse(argv):
    parser = cli.Parser("coursework", DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    def command(name, run, text):
        made = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        made.set_defaults(run=run)
        return made

    def variant(made):
        made.add_argument(
            "--variant",
            metavar="N",
            type=cli.whole_number(0),
            default=0,
            help="the term's: another number, other inputs and constants (default: 0)",
        )

    def secret(made):
        made.add_argument(
            "--secret",
            metavar="S",
            default=os.environ.get("MINIALEX_SECRET", ""),
            help="what hidden inputs are drawn from (default: the variable MINIALEX_SECRET)",
        )

    command("list", _list, "the assignments, and what is written in each")
    made = command("start", _start, "make a folder with what is to be written, the handout and the public tests")
    made.add_argument("assignment", choices=NAMES, help="which one")
    made.add_argument("folder", nargs="?", type=cli.folder, help="the new folder (default: named as the assignment)")
    variant(made)
    made = command("check", _check, "run every public check, and say what is wrong")
    made.add_argument("folder", nargs="?", default=".", type=cli.folder, help="your folder (default: this one)")
    made = command("hint", _hint, "a hint: 1 is a nudge, the last one nearly the answer")
    made.add_argument("target", metavar="A.FUNCTION", help="as a1.matmul")
    made.add_argument("number", nargs="?", type=cli.whole_number(1), default=1, help="which (default: 1)")
    made = command("train", _train, "train a small AlexNet on your functions")
    made.add_argument("folder", nargs="?", default=".", type=cli.folder, help="your folder (default: this one)")
    made.add_argument("--own", metavar="DIR", nargs="+", default=[], type=cli.folder, help="earlier folders as well")
    made.add_argument("--epochs", metavar="N", type=cli.whole_number(1), default=8, help="(default: 8)")
    made.add_argument("--limit", metavar="N", type=cli.whole_number(100), default=2000, help="pictures (default: 2000)")
    made = command("release", _release, "the students' folder, or an archive where the name ends in .zip")
    made.add_argument("assignment", choices=NAMES, help="which one")
    made.add_argument("--out", metavar="D", required=True, type=cli.folder, help="the new folder or .zip file")
    variant(made)
    made = command("grade", _grade, "every check, public and hidden, in Gradescope's format")
    made.add_argument("folder", type=cli.folder, help="the submission")
    made.add_argument("--assignment", choices=NAMES, help="which one it is of (default: what the folder says)")
    made.add_argument("--out", metavar="FILE", default="results.json", help="(default: results.json)")
    secret(made)
    variant(made)
    made = command("grade-all", _grade_all, "every submission in a folder, and how alike they are")
    made.add_argument("folder", type=cli.folder, help="holds a folder for each submission")
    made.add_argument("--assignment", choices=NAMES, required=True, help="which one they are of")
    made.add_argument("--csv", metavar="F", required=True, help="the table to write")
    secret(made)
    variant(made)
    made = command("bundle", _bundle, "an autograder archive for Gradescope")
    made.add_argument("assignment", choices=NAMES, help="which one")
    made.add_argument("--out", metavar="F.zip", help="(default: A-autograder.zip)")
    made.add_argument("--secret", metavar="S", help="what hidden inputs are drawn from (default: a random one)")
    variant(made)
    made = command("rubric", _rubric, "the questions of the written part, with what earns points")
    made.add_argument("assignment", choices=NAMES, help="which one")
    return parser.parse_args(argv)


class _Command(cli.Parser):
    """A sub-command's parser: argparse makes it, and gives it `prog` and `description`."""

    def __init__(self, prog, description):
        super().__init__(prog.removeprefix("python -m minialex."), description)


if __name__ == "__main__":
    sys.exit(cli.run(main))
