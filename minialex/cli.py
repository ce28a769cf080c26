"""What every command shares: errors of one sentence, numbers that are checked, Ctrl-C that can wait."""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import signal
import sys
import threading

from . import backends
from .support.errors import UserError, as_user_error  # noqa: F401  the commands find them here


class Interrupted(Exception):
    """Ctrl-C or SIGTERM was noticed at a place where it is safe to stop; `.exit_code` is the shell's."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def run(main, argv=None):
    """The exit code of `main(argv)`: 0, or 2 after an error of the user's or the system's, 130 after Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = main(argv) or 0
        sys.stdout.flush()  # not at exit, where it is too late to be told that nobody reads
        return code
    except BrokenPipeError:  # the reader of our output is gone, as in `... | head`: nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _sentence(error):
    text = with_options(str(error))
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        text = f"out of memory ({text or 'the system gave no more'}): try a smaller --batch-size, or --limit"
    return " ".join(text.splitlines())  # a name, or another library's message, may hold a line break


_options: dict[str, str] = {}  # name of an argument in Python -> how this command's options name it


def with_options(text):
    """A message of the library in the words of the command line.

    The library names arguments, "fetch it with download=True", "give resize=48": the command's options of the same name
    take their place, "fetch it with --download", "give --resize 48". "=..." stands for whatever value.
    """

    def as_option(match):
        option, value = _options.get(match["name"]), match["value"]
        if option is None:
            return match[0]
        return option if value in ("True", "...") else f"{option} {value}"

    return re.sub(r"\b(?P<name>[a-z]\w*)=(?P<value>\.\.\.|[\w/~-]+(?:\.\w+)*)", as_option, text)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose help keeps its layout and whose errors are one sentence.

    command: after `python -m minialex.`. aliases: {argument of the library: option}, where their names differ.
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

    def parse_args(self, *arguments, **keywords):
        _options.clear()
        _options.update({a.dest: a.option_strings[-1] for a in self._actions if a.option_strings}, **self._aliases)
        return super().parse_args(*arguments, **keywords)

    def error(self, message):
        raise UserError(f"{message} ({self.prog} --help lists the options)")


def backend_option(parser):
    """Give a parser the option --backend of the commands that use trained networks."""
    text = "what computes (default: auto, the fastest that works here)"
    parser.add_argument("--backend", choices=("auto", *backends.available()), default="auto", help=text)


def folder(text):
    """An argparse type: the name of a folder, there or not."""
    if not text:  # as in --resume "$RUN" where RUN is not set
        raise argparse.ArgumentTypeError("'' is not the name of a folder")
    return text


def whole_number(low, high=None):
    """An argparse type: an integer from `low`, up to `high` if given."""

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
    """An argparse type: a finite number from `low` and smaller than `below`."""

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
    """A context in which Ctrl-C and SIGTERM wait for a safe place; a second one does not wait.

    with Interrupt() as interrupt:
        for batch in batches:
            ...
            interrupt.check()      # raises Interrupted if a signal came during this batch
    """

    def __init__(self):
        self.number = None

    def __enter__(self):
        self._previous = {}
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
        # A handler runs between any two bytecodes, perhaps inside a print: write past Python's buffers.
        os.write(2, b"\nstopping after this batch; once more stops at once, without saving\n")

    def check(self):
        """Raise Interrupted if a signal has come."""
        if self.number is not None:
            raise Interrupted(self.number)

    def watch(self, iterable):
        """The items of `iterable`, with a check after each."""
        for item in iterable:
            yield item
            self.check()
