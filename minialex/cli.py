"""What all commands share: one-sentence errors, argument types, and Ctrl-C that waits for a safe place."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import re
import signal
import sys
import threading
import warnings

from . import backends, models
from .nn import init
from .support import starting
from .support import text as texts
from .support.errors import UserError, as_user_error
from .support.files import expanded
from .support.resources import cache_text


class Interrupted(Exception):
    """Raised at a safe place after Ctrl-C or SIGTERM; `.exit_code` is the shell's.

    number: of the signal.
    """

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def run(main, argv=None):
    """Run a command's main function and report its errors in one sentence on stderr.

    main: takes argv and returns an exit code or None.
    argv: the arguments, sys.argv's if None.

    Returns the exit code: main's own, or 2 after a UserError, OSError, MemoryError or an error in the file of a network
    of the user's own, 130 after Ctrl-C, and 1 where the reader of the output is gone. A second Ctrl-C, while the first
    one takes effect, ends the process at once.
    """
    _open_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal cannot show must not stop the command
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about images, of which the command says what is wrong itself
    with _one_ctrl_c():
        try:
            code = _run(main, argv)
            sys.stdout.flush()  # here, since a broken pipe could not be handled at exit
            return code
        except BrokenPipeError:  # as in `... | head`
            for stream in (sys.stdout, sys.stderr):
                _drop_where_broken(stream)
            return 1
        except OSError as error:  # as of a full disk
            print(f"error: {_sentence(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130


def _run(main, argv):
    try:
        return main(argv) or 0
    except BrokenPipeError:
        raise
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        sentence = models.own.blamed(error)
        if not sentence:
            raise  # an error of the library deserves its traceback
        print(f"error: {texts.printable(sentence)}", file=sys.stderr)
        return 2


def _open_missing_streams():
    """Open /dev/null in the place of standard streams that are closed, as by `>&-`.

    Python has None in their place; and the next file that is opened would get their number, and with it whatever is
    printed to that number.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # as standard streams are
    os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False)
            setattr(sys, name, opened)


def _drop_where_broken(stream):
    """Let what a stream has still to write go to /dev/null, if nobody reads it."""
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _one_ctrl_c():
    """A context in which Ctrl-C raises KeyboardInterrupt once; from then on, it ends the process.

    So it does where Python can only print the exception, as in a callback of the garbage collector. Whoever handles
    Ctrl-C already, or ignores it, goes on to do so.
    """
    main = threading.current_thread() is threading.main_thread()
    usual = (signal.SIG_DFL, signal.default_int_handler, starting.stop)
    if not main or signal.getsignal(signal.SIGINT) not in usual:
        yield
        return

    def interrupt(number, frame):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    def report(lost):
        if isinstance(lost.exc_value, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        reported(lost)

    handled, reported = signal.signal(signal.SIGINT, interrupt), sys.unraisablehook
    sys.unraisablehook = report
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handled)  # starting.stop in a process of its own
        sys.unraisablehook = reported


def _sentence(error):
    text = with_options(str(error))
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        if isinstance(error, FileNotFoundError) and not error.filename and _is_nowhere():
            text = "the current folder has been removed: go to another one"
    if isinstance(error, MemoryError):
        text = f"out of memory ({text or 'no details from the system'}): try a smaller --batch-size, or --limit"
    return texts.printable(" ".join(text.split("\n")))  # a name, or another library's message, may contain anything


def _is_nowhere():
    try:
        os.getcwd()
        return False
    except FileNotFoundError:
        return True


_options: dict[str, str] = {}  # name of a Python argument -> option of the current command


def with_options(text):
    """Translate a message that names Python arguments into one that names the current command's options.

    "fetch it with download=True" becomes "fetch it with --download", "give resize=48" becomes "give --resize 48", and
    "name=..." becomes "--name". Names that are not options stay.

    text: the message.
    """

    def as_option(match):
        option, value = _options.get(match["name"]), match["value"]
        if option is None:
            return match[0]
        return option if value in ("True", "...") else f"{option} {value}"

    return re.sub(r"\b(?P<name>[a-z]\w*)=(?P<value>\.\.\.|[\w/~-]+(?:\.\w+)*)", as_option, text)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose help keeps the layout of its texts and whose errors are UserErrors.

    command: what follows `python -m minialex.`.
    description, epilog: text above and below the options.
    aliases: {argument of the library: option} where the names differ, for `with_options`.
    """

    def __init__(self, command, description, epilog="", aliases=None):
        self._aliases = aliases or {}
        started_as_script = os.path.basename(sys.argv[0]) in ("minialex", "minialex.exe")
        super().__init__(
            prog=f"minialex {command}" if started_as_script else f"python -m minialex.{command}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(self, *arguments, mixed=False, **keywords):
        """As ArgumentParser's; also tells `with_options` this command's options.

        mixed: whether options may stand between the words of one argument, as in a.png --top 3 b.png.
        """
        _options.clear()
        _options.update({a.dest: a.option_strings[-1] for a in self._actions if a.option_strings}, **self._aliases)
        parse = super().parse_intermixed_args if mixed else super().parse_args
        try:
            options = parse(*arguments, **keywords)
        except AttributeError as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # argparse puts back what it had not yet put aside
                raise error.__context__ from None
            raise
        if getattr(options, "weights_dir", None) and not options.weights:
            self.error("--weights-dir is the folder for the file of --weights NAME, which is missing")
        return options

    def error(self, message):
        """Raise UserError, where ArgumentParser's would print and exit."""
        raise UserError(f"{message} ({self.prog} --help lists the options)")


def backend_option(parser):
    """Add the option --backend to the parser of a command that uses trained networks."""
    text = "compute backend (default: auto, the fastest that works here)"
    parser.add_argument("--backend", choices=("auto", *backends.available()), default="auto", help=text)


def own_model_option(parser):
    """Add the option --model to the parser of a command that uses trained networks; see `register`."""
    text = "the network of the user's own that RUN was trained with; the file is executed (default: a published one)"
    parser.add_argument("--model", action="append", default=[], metavar="FILE.py:FUNCTION", help=text, type=own_network)


def weights_options(parser, instead):
    """Add --weights and --weights-dir to the parser of a command that uses trained networks.

    parser: the Parser.
    instead: the argument that is left out with them, as WEIGHTS.
    """
    names = ", ".join(models.published.TABLE)
    text = f"published weights instead of {instead}, one of: {names}; downloaded unless they are there already"
    parser.add_argument("--weights", metavar="NAME", choices=tuple(models.published.TABLE), help=text)
    text = f"folder where the file of --weights is, or is put (default: weights in the cache: {cache_text()})"
    parser.add_argument("--weights-dir", metavar="DIR", type=folder, help=text)


def names_weights(argv):
    """Whether the command line has --weights, with which an argument is left out.

    argv: the arguments, sys.argv's if None.
    """
    words = sys.argv[1:] if argv is None else argv
    return any(word == "--weights" or word.startswith("--weights=") for word in words)


def set_option(parser):
    """Add the option --set to the parser of a command that builds networks, or to a group of it; see `arguments`."""
    text = (
        "an argument of the network's function, such as norm=none, dropout=before or inverted=true; may be repeated "
        "(default: as published)"
    )
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help=text, type=_assignment)


def arguments(model, pairs):
    """The values of --set.

    model: name of the network, registered if it is the user's own.
    pairs: (argument, text), or None for no option.

    Returns {argument: value}. Raises UserError for an argument that the network does not have, or an impossible value.
    """
    with as_user_error():
        preset = models.get_preset(model)
        values = models.arguments.parsed(model, preset, pairs or ())
        if values and model in models.PRESETS:  # whose functions check words; a file of the user's own is run once only
            with init.skipped():
                preset.build(**values)
    return values


def _assignment(text):
    """An argparse type: NAME=VALUE as a pair."""
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE, such as norm=none")
    return name, value


def register(names):
    """Execute the files of the networks of the user's own; names: the values of --model. Raises UserError."""
    with as_user_error():
        return [models.own.register(name) if models.own.is_reference(name) else name for name in names]


def network(text):
    """An argparse type: the name of a published network, or FILE.py:FUNCTION."""
    if text not in models.PRESETS and not models.own.is_reference(text):
        if text.endswith(".py"):
            raise argparse.ArgumentTypeError(f"'{text}' does not say which function of it: write {text}:FUNCTION")
        known = ", ".join(models.PRESETS)
        raise argparse.ArgumentTypeError(f"unknown model {text!r}; choose one of {known}, or FILE.py:FUNCTION")
    return text


def own_network(text):
    """An argparse type: FILE.py:FUNCTION."""
    if network(text) in models.PRESETS:
        raise argparse.ArgumentTypeError(f"{text} is a published network, which weights name themselves: leave it out")
    return text


def note(text):
    """Print a note on stderr; text: a sentence, or "" for none."""
    if text:
        print(f"note: {with_options(text)}", file=sys.stderr)


def folder(text):
    """An argparse type: the name of a folder, existing or not."""
    return _path(text, "folder")


def file(text):
    """An argparse type: the name of a file, existing or not."""
    return _path(text, "file") if not text or text.startswith("~") else text


def _path(text, kind):
    if not text:  # as in --resume "$RUN" where RUN is not set
        raise argparse.ArgumentTypeError(f"'' is not the name of a {kind}")
    try:
        return str(expanded(text))  # a shell leaves the ~ of --data-dir=~/data as it is
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_number(low, high=None):
    """An argparse type: an integer of at least `low` and, if given, at most `high`."""

    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            limit = f"from {low} to {high}" if high is not None else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number {limit}")
        return value

    return parse


def real_number(low, below=math.inf):
    """An argparse type: a finite number of at least `low` and less than `below`."""

    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value < below:
            limit = f"of at least {low:g}" + (f" and below {below:g}" if below < math.inf else "")
            raise argparse.ArgumentTypeError(f"'{text}' is not a number {limit}")
        return value

    return parse


class Interrupt:
    """A context in which Ctrl-C and SIGTERM wait for a safe place; a second signal before that stops at once.

    with Interrupt() as interrupt:
        try:
            for batch in batches:
                ...
                interrupt.check()      # raises Interrupted if a signal came during this batch
        except Interrupted:
            ...                        # save; a second signal waits, too
            interrupt.finish()

    agree: a function of whether a signal has come to this process that says whether one has come to any; None for one
        process. Where there are several, all of them must call `check` alike.
    quiet: whether to leave the words about signals to another process.
    """

    def __init__(self, agree=None, quiet=False):
        self._agree, self._quiet = agree or bool, quiet
        self.number = None
        self._saving, self._again = False, False

    def __enter__(self):
        self._previous = {}
        if threading.current_thread() is threading.main_thread():  # only the main thread may set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        if self.number is None:
            self.number = number
            self._write("stopping after this batch; press Ctrl-C again to stop at once, without saving")
        elif self._saving and not self._again:
            self._again = True
            self._write("saving; press Ctrl-C again to stop at once, without it")
        else:
            handler = self._previous[signal.SIGINT]
            if callable(handler):
                handler(signal.SIGINT, frame)
            raise KeyboardInterrupt

    def check(self):
        """Raise Interrupted if a signal has come; from then on, another one waits for `finish`."""
        if self._agree(self.number is not None):
            self.number = self.number or signal.SIGINT
            self._saving = True
            raise Interrupted(self.number)

    def _write(self, text):
        if not self._quiet:
            _write_at_once(text)

    def finish(self):
        """Everything is saved: signals stop at once again. Raises KeyboardInterrupt if one has come since `check`."""
        self._saving = False
        if self._again:
            raise KeyboardInterrupt

    def watch(self, iterable):
        """Yield the items of `iterable`, with a check after each."""
        for item in iterable:
            yield item
            self.check()


def _write_at_once(text):
    """Write a line to stderr from the handler of a signal, which may run inside a print: around Python's buffers."""
    with contextlib.suppress(OSError):  # a reader of stderr that is gone does not keep the run from being saved
        os.write(2, f"\n{text}\n".encode())
