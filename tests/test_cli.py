"""What every command shares, and `python -m minialex`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import warnings

import pytest

import minialex
from minialex import __main__ as front
from minialex import cli


def module(name, *arguments, **options):
    """Run `python -m name arguments`."""
    command = [sys.executable, "-m", name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (cli.UserError("there is no such dog"), "error: there is no such dog\n"),
        (OSError("cannot write here"), "error: cannot write here\n"),
        (FileNotFoundError(2, "No such file or directory", "a.bin"), "error: a.bin: No such file or directory\n"),
        (OSError(28, "No space left on device"), "error: No space left on device\n"),
    ],
)
def test_run_shows_errors_of_the_users_in_one_sentence(capsys, error, message):
    def main(argv):
        raise error

    assert cli.run(main, []) == 2
    assert capsys.readouterr() == ("", message)


def test_run_passes_on_exit_codes_and_bugs(capsys):
    assert cli.run(lambda argv: None, []) == 0
    assert cli.run(lambda argv: len(argv), ["a", "b", "c"]) == 3
    for bug in (ValueError, KeyError, TypeError):

        def main(argv, bug=bug):
            raise bug("ours")

        with pytest.raises(bug):
            cli.run(main, [])


def test_run_after_ctrl_c(capsys):
    def main(argv):
        raise KeyboardInterrupt

    assert cli.run(main, []) == 130


def test_blame_input_turns_only_value_errors():
    with pytest.raises(cli.UserError, match="too long"), cli.as_user_error():
        raise ValueError("too long")
    with pytest.raises(KeyError), cli.as_user_error():
        raise KeyError("a bug")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (cli.whole_number(1), {"1": 1, "20": 20}, ["0", "-1", "1.5", "", "ten", "1e3", "inf"]),
        (cli.whole_number(0, 2**64 - 1), {"0": 0, str(2**64 - 1): 2**64 - 1}, ["-1", str(2**64)]),
        (cli.real_number(0), {"0": 0.0, "1e-3": 1e-3, "2": 2.0}, ["-1e-9", "nan", "inf", "x", ""]),
        (cli.real_number(0, 1), {"0.999": 0.999}, ["1", "-0.1", "nan"]),
    ],
)
def test_numbers_on_the_command_line(kind, good, bad):
    for text, value in good.items():
        assert kind(text) == value and type(kind(text)) is type(value)
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f"^'{text}' is not a (whole )?number (of at least|from) "):
            kind(text)


def test_parser_errors_are_one_sentence_and_name_the_help():
    parser = cli.Parser("train", "text")
    parser.add_argument("--epochs", type=cli.whole_number(1))
    for arguments in (["--epochs", "0"], ["--epoch", "3"], ["more"]):
        with pytest.raises(cli.UserError, match=r"^[^\n]+ \(python -m minialex\.train --help lists the options\)$"):
            parser.parse_args(arguments)


def test_ctrl_c_while_options_are_read(monkeypatch):
    """Also where argparse has to put back what it had not yet put aside."""
    parser = cli.Parser("predict", "text")
    parser.add_argument("images", nargs="+")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(parser, "format_usage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parser.parse_args(["a.png", "b.png"], mixed=True)


def test_a_signal_waits_for_a_safe_place(capfd):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    seen = []
    with pytest.raises(cli.Interrupted) as raised, cli.Interrupt() as interrupt:
        for item in interrupt.watch(range(9)):
            if item == 3:
                signal.raise_signal(signal.SIGTERM)
            seen.append(item)
    assert seen == [0, 1, 2, 3] and raised.value.exit_code == 143
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert "stopping after this batch" in capfd.readouterr().err


def test_a_second_ctrl_c_does_not_wait():
    with pytest.raises(KeyboardInterrupt), cli.Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.number == signal.SIGINT
        signal.raise_signal(signal.SIGINT)


def test_while_everything_is_saved_a_second_signal_waits(capfd):
    reached = []
    with cli.Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(cli.Interrupted):
            interrupt.check()
        signal.raise_signal(signal.SIGTERM)
        reached.append("the end of saving")
        with pytest.raises(KeyboardInterrupt):
            interrupt.finish()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # everything is saved: at once
    assert reached and "saving; press Ctrl-C again to stop at once, without it\n" in capfd.readouterr().err


def test_a_third_ctrl_c_does_not_wait_for_saving():
    with cli.Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(cli.Interrupted):
            interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_where_nobody_reads_stderr(monkeypatch):
    monkeypatch.setattr(os, "write", lambda *arguments: (_ for _ in ()).throw(BrokenPipeError))
    with cli.Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(cli.Interrupted):
            interrupt.check()


def test_interrupt_outside_the_main_thread_changes_nothing():
    entered = []

    def work():
        with cli.Interrupt() as interrupt:
            interrupt.check()
            entered.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [before]


def test_the_list_of_commands():
    done = module("minialex")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"minialex {minialex.__version__}\n")
    for name, line in front.COMMANDS.items():
        assert f"  minialex {name:<10} {line}\n" in done.stdout
        assert importlib.util.find_spec(f"minialex.{name}"), f"there is no command {name}"


@pytest.mark.heavy
def test_every_command_explains_itself():
    for name in front.COMMANDS:
        done = module(f"minialex.{name}", "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: python -m minialex.{name}"), done.stderr


@pytest.mark.parametrize("command", front.COMMANDS)
def test_the_console_command_runs_every_command(command, capsys, monkeypatch):
    """`minialex train --help` is `python -m minialex.train --help`, under its own name."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/minialex", command, "--help"])
    with pytest.raises(SystemExit) as exit:
        front.console()
    assert exit.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: minialex {command} ")


def test_the_console_command_passes_on_errors_and_exit_codes(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["minialex", "summary", "vgg"])
    assert front.console() == 2
    assert re.match(r"error: .*'vgg'.*alexnet", capsys.readouterr().err)


def test_unknown_commands(capsys):
    assert cli.run(front.main, ["fly"]) == 2
    assert "there is no command 'fly'; choose from train, " in capsys.readouterr().err
    assert cli.run(front.main, ["--version"]) == 0
    assert capsys.readouterr().out == f"minialex {minialex.__version__}\n"


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "minialex"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.stderr == "" and done.returncode == 1


def test_pillow_s_warnings_are_not_printed():
    """The command itself says which image is damaged, and how."""

    def main(argv):
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "TiffImagePlugin.py", 1, "PIL.TiffImagePlugin")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("ours", UserWarning, "module.py", 1, "minialex.module")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cli.run(main) == 0
