"""Files are replaced whole, by any number of writers at once, and devices are left where they are."""

import os
import threading

import pytest

from minialex.support import files, lock

NO_UNIX = not hasattr(os, "mkfifo")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_writers_of_one_file(tmp_path):
    """Each has a file of its own until it is done; the last one wins."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with files.replacing(path) as first:
        first.write(b"first" * 1000)
        first.flush()
        with files.replacing(path) as second:
            second.write(b"second")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"second"
        with pytest.raises(KeyError), files.replacing(path) as third:
            third.write(b"third")
            raise KeyError
        first.write(b"end")
    assert path.read_bytes() == b"first" * 1000 + b"end" and names(tmp_path) == ["x"]


def test_many_writers_of_one_file(tmp_path):
    path, errors = tmp_path / "x", []

    def write(number):
        try:
            for _ in range(10):
                with files.replacing(path) as file:
                    file.write(bytes([number]) * 5000)
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = path.read_bytes() if path.exists() else b"\0" * 5000
        assert len(content) == 5000 and len({*content}) == 1
    assert not errors and names(tmp_path) == ["x"]


def test_what_a_killed_process_left_is_used_again(tmp_path):
    (tmp_path / ".x.partial").write_bytes(b"far more than is written now")
    files.write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "new" and names(tmp_path) == ["x"]


def test_errors_name_the_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"cannot write .*/folder: Is a directory|Access"):
        files.write_text(tmp_path / "folder", "x")
    with pytest.raises(OSError, match=r"cannot write .*/none/x: No such file"):
        files.write_text(tmp_path / "none" / "x", "x")
    with pytest.raises(OSError, match=r"cannot write .*/x: No space left on device"), files.replacing(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(NO_UNIX, reason="this system has no pipes with names")
def test_pipes_and_devices_are_not_replaced(tmp_path):
    """/dev/null, for root, would be a file from then on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "null").symlink_to(os.devnull)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "through the pipe")
    assert os.read(reader, 100) == b"through the pipe" and pipe.is_fifo()
    os.close(reader)
    files.write_text(tmp_path / "null", "nowhere")
    assert names(tmp_path) == ["null", "pipe"] and (tmp_path / "null").is_char_device()


@pytest.mark.skipif(NO_UNIX or lock.fcntl is None, reason="this system has no links or locks as Unix has")
def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".x.partial").symlink_to("mine")
    with pytest.raises(OSError, match="cannot write .*/x: "):
        files.write_text(tmp_path / "x", "new")
    assert (tmp_path / "mine").read_text() == "mine"
