"""`python -m minialex.coursework`: assignments for students, grading for instructors."""

from __future__ import annotations

import os
import sys
import traceback

from .. import __version__, cli
from ..support import files
from . import NAMES, assignment, assignment_in, gradescope, release, rubric, student, tree
from .grade import grade

DESCRIPTION = """\
Assignments in which students implement parts of minialex itself; a network then trains on their code.

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

GRADE_ALL = """\
Grade every submission in an export of Gradescope, Canvas, Moodle or GitHub Classroom, or in a folder that contains a
folder or a zip archive for each. In --out are then points.csv, statistics.md, similarity.md, and for each student
results.json and feedback.md. A second call grades only what is new or has changed."""
GRADE_ALL_EXAMPLES = """\
submissions.zip --assignment a1 --out a1-results
  python -m minialex.coursework grade-all submissions --assignment a1 --csv points.csv
  python -m minialex.coursework grade-all a1-submissions --assignment a1 --out a1-results --course course.toml \\
      --roster classroom_roster.csv --before last-term/a1-submissions"""


def main(argv=None):
    """Run the command. argv: the arguments, sys.argv's if None."""
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
    print(f"{folder}: {chosen.title}. Read {folder}/README.md first, then write these functions:")
    for target in chosen.targets:
        print(f"  {folder}/{target.student_file}: {', '.join(target.names)}")
    print(f"Check your progress with:  python -m minialex.coursework check {folder}")


def _check(options):
    points, most = student.check(options.folder)
    print(f"{points} of {most} public points; the other {100 - most} are for hidden checks and the written part")


def _hint(options):
    name, _, target = options.target.partition(".")
    print(student.hint(assignment(name), target, options.number))


def _train(options):
    from . import train  # here, since no other command needs it

    try:
        trained = train.train([options.folder, *options.own], options.epochs, options.limit)
    except (cli.UserError, OSError, ValueError):
        raise
    except Exception as error:  # a student's code may raise anything
        raise cli.UserError(f"training failed: {_told(error)}") from error
    print("calls of each function during training:")
    width = max(map(len, trained.calls))
    for name, count in trained.calls.items():
        print(f"  {name:<{width}} {count:>9,}" + ("   (not used by this network)" if not count else ""))
    print(
        f"a step took {1000 * trained.own_seconds:.0f} ms, {trained.own_seconds / trained.seconds:.1f} times as long "
        f"as with the library's own functions ({1000 * trained.seconds:.0f} ms)"
    )
    print(f"test accuracy {100 * trained.accuracy:.1f} % (chance: {100 / trained.classes:.0f} %)")


def _told(error):
    """An error in a student's code and its place: "TypeError: ... (tape.py, line 12)"."""
    if isinstance(error, NotImplementedError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(tree.PACKAGE) not in frame.filename]
    place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _release(options):
    made = release.release(assignment(options.assignment), options.out, options.variant)
    print(f"{made}: for students; the functions of this and of every other assignment are empty in it")


def _grade(options):
    chosen = assignment(options.assignment) if options.assignment else assignment_in(options.folder)
    report = grade(chosen, options.folder, options.out, options.secret, options.variant, say=print)
    print(f"{report['score']} points; written to {options.out}")


def _grade_all(options):
    from . import course  # here, with grade_all, since no other command needs them
    from .grade_all import Options, grade_all

    chosen = assignment(options.assignment)
    if not options.out and not options.csv:
        raise cli.UserError("give --out, a folder for the results, or --csv, the table alone")
    read = course.load(options.course) if options.course else None
    variant, secret, assigned = course.settings(read, chosen.name, options.variant, options.secret)
    if secret == "" and options.secret is None:
        secret = os.environ.get("MINIALEX_SECRET", "")
    if read and chosen.name not in read.assignments:
        cli.note(f"{options.course} has no [assignments.{chosen.name}]: no submission is late")
    how = Options(secret, variant, assigned, read.zone if read else None, options.written or assigned.written)
    how.rosters, how.before, how.jobs, how.again = options.roster, options.before, options.jobs, options.again
    try:
        graded = grade_all(chosen, options.export, options.out, options.csv, how)
    except KeyboardInterrupt:
        if options.out:
            cli.note("what has been graded is kept: the same command grades the rest")
        raise
    print(f"{graded.summary}\nwritten to {options.csv or options.out}")


def _bundle(options):
    chosen = assignment(options.assignment)
    out = gradescope.bundle(chosen, options.out or f"{chosen.name}-autograder.zip", options.variant, options.secret)
    print(f"{out}: for variant {options.variant}, made with minialex {__version__}. Upload it to Gradescope as the")
    print("autograder. It contains the secret: do not share it")


def _rubric(options):
    if options.csv:
        files.write_text(options.csv, rubric.table(assignment(options.assignment)))
        print(f"written to {options.csv}")
    else:
        print(release.written(assignment(options.assignment), rubric=True), end="")


def _parse(argv):
    parser = cli.Parser("coursework", DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    def command(name, run, text, example):
        examples = f"example: python -m minialex.coursework {name} {example}".rstrip()
        made = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=examples)
        made.set_defaults(run=run)
        return made

    def variant(made):
        made.add_argument(
            "--variant",
            metavar="N",
            type=cli.whole_number(0),
            default=0,
            help="of the term: each number gives other inputs and constants (default: 0)",
        )

    def secret(made):
        made.add_argument(
            "--secret",
            metavar="S",
            default=os.environ.get("MINIALEX_SECRET", ""),
            help="seeds the hidden inputs (default: the variable MINIALEX_SECRET, or empty)",
        )

    def assignment_name(made):
        made.add_argument("assignment", choices=NAMES, help="the assignment")

    def own_folder(made):
        made.add_argument("folder", nargs="?", default=".", type=cli.folder, help="your folder (default: this one)")

    command("list", _list, "list the assignments and their functions", "")
    text = "create a folder with the functions to write, the handout and the public tests"
    made = command("start", _start, text, "a1 my-a1")
    assignment_name(made)
    made.add_argument("folder", nargs="?", type=cli.folder, help="the new folder (default: the assignment's name)")
    variant(made)
    own_folder(command("check", _check, "run all public checks and explain what is wrong", "my-a1"))
    made = command("hint", _hint, "print a hint: 1 is a nudge, the last one is nearly the answer", "a1.matmul 2")
    made.add_argument("target", metavar="A.FUNCTION", help="assignment and function, e.g. a1.matmul")
    made.add_argument("number", nargs="?", type=cli.whole_number(1), default=1, help="of the hint (default: 1)")
    made = command("train", _train, "train a small network on your functions", "my-a3 --own my-a1 my-a2")
    own_folder(made)
    own = "also use the functions of these folders (default: none)"
    made.add_argument("--own", metavar="DIR", nargs="+", default=[], type=cli.folder, help=own)
    made.add_argument("--epochs", metavar="N", type=cli.whole_number(1), default=8, help="epochs (default: 8)")
    limit = "at most N images (default: 2000)"
    made.add_argument("--limit", metavar="N", type=cli.whole_number(100), default=2000, help=limit)
    text = "create the students' folder, or an archive if the name ends in .zip"
    made = command("release", _release, text, "a3 --out a3.zip --variant 2026")
    assignment_name(made)
    made.add_argument("--out", metavar="D", required=True, type=cli.folder, help="the new folder or .zip file")
    variant(made)
    text = "run all checks, public and hidden, and write the results in Gradescope's format"
    made = command("grade", _grade, text, 'my-a1 --secret "$SECRET" --out results.json')
    made.add_argument("folder", type=cli.folder, help="the submission")
    made.add_argument("--assignment", choices=NAMES, help="its assignment (default: as its coursework.json says)")
    results = "the results (default: results.json)"
    made.add_argument("--out", metavar="FILE", default="results.json", type=cli.file, help=results)
    secret(made)
    variant(made)
    text = "grade every submission in an export of a learning platform"
    made = command("grade-all", _grade_all, text, GRADE_ALL_EXAMPLES)
    made.description = GRADE_ALL
    made.add_argument("export", type=cli.folder, help="a folder, or the zip archive as it was exported")
    made.add_argument("--assignment", choices=NAMES, required=True, help="the assignment of all of them")
    made.add_argument("--out", metavar="DIR", type=cli.folder, help="the folder of results (default: none are kept)")
    made.add_argument("--csv", metavar="F", type=cli.file, help="the table to write (default: points.csv in --out)")
    toml = "the term's variant, secret, due dates and penalties (default: none)"
    made.add_argument("--course", metavar="F.toml", type=cli.file, help=toml)
    roster = "a CSV file with the students; may be repeated (default: those in the export)"
    made.add_argument("--roster", metavar="F", action="append", default=[], type=cli.file, help=roster)
    points = "CSV file with columns student and points, of the written part (default: as in --course, or none)"
    made.add_argument("--written", metavar="F", type=cli.file, help=points)
    before = "an export, or the results, of an earlier term to compare with (default: none)"
    made.add_argument("--before", metavar="EXPORT", type=cli.folder, help=before)
    jobs = "submissions graded at once (default: the cores of this machine)"
    made.add_argument("--jobs", metavar="N", type=cli.whole_number(1), help=jobs)
    again = "grade all, also those that --out has results of (default: only new and changed ones)"
    made.add_argument("--again", action="store_true", help=again)
    seeds = "seeds the hidden inputs (default: as in --course, the variable MINIALEX_SECRET, or empty)"
    made.add_argument("--secret", metavar="S", help=seeds)
    term = "of the term (default: as in --course, or 0)"
    made.add_argument("--variant", metavar="N", type=cli.whole_number(0), help=term)
    made = command("bundle", _bundle, "create an autograder archive for Gradescope", "a1 --variant 2026")
    assignment_name(made)
    made.add_argument("--out", metavar="F.zip", type=cli.file, help="the archive (default: A-autograder.zip)")
    made.add_argument("--secret", metavar="S", help="seeds the hidden inputs (default: random)")
    variant(made)
    made = command("rubric", _rubric, "print the questions of the written part and their rubric", "a1 --csv a1.csv")
    assignment_name(made)
    made.add_argument("--csv", metavar="F", type=cli.file, help="write it as a table instead (default: print it)")
    return parser.parse_args(argv)


class _Command(cli.Parser):
    """The parser of a sub-command, which argparse creates with these arguments."""

    def __init__(self, prog, description, epilog):
        super().__init__(prog.removeprefix("python -m minialex."), description, epilog)


if __name__ == "__main__":
    sys.exit(cli.run(main))
