"""Text from files in any Unicode encoding, and names that people can read, whatever they hold."""

import codecs
import os

import pytest

from minialex import cli
from minialex.support import files, text

LINES = "tench\n  goldfish, Carassius auratus\ncafé\n猫 \U0001f408\n"


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        codecs.BOM_UTF8 + LINES.encode(),
        LINES.encode("utf-16"),
        codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
        codecs.BOM_UTF16_LE + LINES.encode("utf-16-le"),
        LINES.replace("\n", "\r\n").encode(),
        codecs.BOM_UTF8 + LINES.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + LINES.replace("café", "\ufeffcafé").encode(),  # of two files that were joined
    ],
)
def test_every_unicode_encoding_is_read(tmp_path, content):
    (tmp_path / "names.txt").write_bytes(content)
    assert text.read_lines(tmp_path / "names.txt") == [
        "tench",
        "goldfish, Carassius auratus",
        "café",
        "猫 \U0001f408",
        "",
    ]


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (LINES.partition("猫")[0].encode("latin-1"), 3, "0xe9"),
        (LINES.encode("utf-16-le"), 1, "0x00"),  # without a mark
        (LINES.encode("utf-32"), 1, "0x00"),
        (codecs.BOM_UTF16_LE + LINES.encode("utf-16-le")[:-1], 4, "0x0a"),
        (codecs.BOM_UTF16_LE + "a\n".encode("utf-16-le") + b"\x00\xd8\x00\x00", 2, "0x00"),  # half a pair
        (b"PK\3\4\x14\0", 1, "0x00"),
        (b"a\nb\n\xc0\xaf", 3, "0xc0"),
    ],
)
def test_other_bytes_are_refused_by_name_and_line(tmp_path, content, line, byte):
    path = tmp_path / "na\x1bmes.txt"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"na\\x1bmes.txt, line {line}: the byte {byte} is not text in UTF-(8|16); save"
    ):
        text.read_text(path)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a plain name, größer 猫 می‌خواهم", "a plain name, größer 猫 می‌خواهم"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\tand\ra\x7f\x9b", "two\\nlines\\tand\\ra\\x7f\\x9b"),
        (os.fsdecode(b"caf\xe9 \xff"), "caf\\xe9 \\xff"),
        ("\u2028\u202egnp.exe\u2069", "\\u2028\\u202egnp.exe\\u2069"),
        ("\u200fa\u200eb\u061c", "\\u200fa\\u200eb\\u061c"),
        ("\ud83d alone", "\\ud83d alone"),
    ],
)
def test_printable(raw, shown):
    assert text.printable(raw) == shown
    shown.encode()


def test_brief():
    assert text.brief(ValueError("one\n  two")) == "one two" and text.brief(KeyError()) == "KeyError"
    assert text.brief(ValueError("x" * 200)) == "x" * 200
    assert text.brief(ValueError("x" * 201)) == "x" * 200 + "..." and text.brief(OSError("abc"), 2) == "ab..."


def test_homes(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert str(files.expanded("~/data")) == "/home/of/mine/data"
    assert cli.folder("~/data") == "/home/of/mine/data" and cli.folder("a/~b") == "a/~b"
    with pytest.raises(
        ValueError, match="~nosuchuser/x: ~nosuchuser cannot be expanded, since there is no user nosuchuser"
    ):
        files.expanded("~nosuchuser/x")


def test_a_home_that_is_not_known(monkeypatch):
    pwd = pytest.importorskip("pwd")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    with pytest.raises(ValueError, match="~ cannot be expanded, since the user has no home folder: set HOME"):
        files.expanded("~/data")


def test_names_are_never_lost_from_files(tmp_path):
    files.write_text(tmp_path / "a.csv", os.fsdecode(b"caf\xe9 \xe7\x8c\xab\n"))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "caf\\udce9 猫\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_no_file_is_waited_for_or_read_without_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert text.read_text(tmp_path / "pipe") == ""
    with pytest.raises(ValueError, match="/dev/zero is longer than the 1,000 bytes that are read of a file of text"):
        text.content("/dev/zero", most=1000)
    with pytest.raises(IsADirectoryError):
        text.read_text(tmp_path)
    reader, writer = os.pipe()
    os.write(writer, b"what another program\nhas written")
    os.close(writer)
    assert text.read_lines(f"/dev/fd/{reader}") == ["what another program", "has written"]
    os.close(reader)


def test_a_huge_file_is_refused(tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(10**9)  # takes no place on the disk
    with pytest.raises(ValueError, match="huge is longer than the 33,554,432 bytes"):
        text.read_text(tmp_path / "huge")
