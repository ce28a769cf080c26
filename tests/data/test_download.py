"""Downloads against a small server on this machine: resumed, checked, unpacked safely."""

import hashlib
import io
import tarfile

import pytest
import serving

from minialex.data import download

BODY = bytes(range(256)) * 40
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def server():
    with serving.serving(BODY) as server:
        yield server


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_fresh_download(server, tmp_path):
    path = download.fetch(server.url, tmp_path / "new" / "file.bin", MD5)
    assert path.read_bytes() == BODY and names(path.parent) == ["file.bin"] and server.ranges == [None]
    download.fetch(server.url, path, MD5)
    assert server.ranges == [None]  # what is there already is not fetched again


def test_a_file_with_another_content_is_replaced(server, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"something else")
    assert download.fetch(server.url, path, MD5).read_bytes() == BODY


def test_a_part_is_continued(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(BODY[:1000])
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"] and names(tmp_path) == ["file.bin"]


def test_a_server_that_ignores_range_starts_over(server, tmp_path):
    server.manner = "whole"
    (tmp_path / "file.bin.part").write_bytes(BODY[:1000])
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_a_part_that_is_complete_needs_nothing_more(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(BODY)
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY
    assert names(tmp_path) == ["file.bin"]


def test_an_interrupted_transfer_keeps_its_part_and_goes_on(server, tmp_path):
    server.manner = "breaks"
    half = len(BODY) // 2
    with pytest.raises(OSError, match=r"5,120 of 10,240 bytes.*file\.bin\.part, run the same command again"):
        download.fetch(server.url, tmp_path / "file.bin", MD5)
    assert names(tmp_path) == ["file.bin.part"]
    assert (tmp_path / "file.bin.part").read_bytes() == BODY[:half]
    server.manner = "ranges"
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={half}-"]


@pytest.mark.parametrize("part", [b"", b"other bytes", BODY + b"too many"])
def test_a_wrong_md5_removes_the_part(server, tmp_path, part):
    server.body = BODY if part else BODY[:-1]
    (tmp_path / "file.bin.part").write_bytes(part)
    with pytest.raises(OSError, match=f"MD5 [0-9a-f]+ where {MD5} was expected; it was removed"):
        download.fetch(server.url, tmp_path / "file.bin", MD5)
    assert names(tmp_path) == []


def test_a_server_that_is_not_there(tmp_path):
    port = serving.closed_port()
    refused = rf"downloading http://127.0.0.1:{port}/file.bin failed \(Connection refused\); run the same command"
    with pytest.raises(OSError, match=refused):
        download.fetch(f"http://127.0.0.1:{port}/file.bin", tmp_path / "file.bin", MD5)
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_every_kind_of_checksum_and_its_beginning(server, tmp_path, kind):
    digits = hashlib.new(kind, BODY).hexdigest()
    other = digits[:7] + ("0" if digits[7] != "0" else "1")
    for expected in (digits, digits[:8]):
        path = download.fetch(server.url, tmp_path / expected, expected, kind=kind)
        assert path.read_bytes() == BODY
    assert len(server.ranges) == 2
    download.fetch(server.url, path, digits[:8], kind=kind)
    assert len(server.ranges) == 2, "a file of that beginning is there"
    name = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}[kind]
    with pytest.raises(OSError, match=f"{name} {digits} where {other} was expected; it was removed"):
        download.fetch(server.url, tmp_path / "other", other, kind=kind)
    assert names(tmp_path) == sorted([digits, digits[:8]])


def test_a_page_that_says_not_found(server, tmp_path):
    server.manner = 404
    with pytest.raises(OSError, match=r"failed \(HTTP Error 404: Not Found\); run the same command again"):
        download.fetch(server.url, tmp_path / "file.bin", MD5)
    assert names(tmp_path) == []


def test_a_redirect_is_followed_with_its_range(server, tmp_path):
    server.manner = f"http://127.0.0.1:{server.server_port}/moved"
    (tmp_path / "file.bin.part").write_bytes(BODY[:1000])
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"] * 2


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "jar:file"])
def test_a_redirect_to_something_else_is_not(server, tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    place = tmp_path / "place"
    server.manner = f"{scheme}://{secret}"
    with pytest.raises(OSError, match=rf"{scheme}://.*(not allowed|is not opened)"):
        download.fetch(server.url, place / "file.bin", MD5)
    assert names(place) == []
    with pytest.raises(OSError, match="not an address of http or https"):
        download.fetch(secret.as_uri(), place / "file.bin", MD5)
    assert names(place) == []


def test_another_size_than_stated_is_not_received(server, tmp_path):
    for size in (len(BODY) - 1, len(BODY) + 1):
        with pytest.raises(OSError, match=f"sends 10,240 bytes, where {size:,} were expected; nothing was saved"):
            download.fetch(server.url, tmp_path / "file.bin", MD5, size=size)
        assert names(tmp_path) == []
    assert download.fetch(server.url, tmp_path / "file.bin", MD5, size=len(BODY)).read_bytes() == BODY


@pytest.mark.parametrize("manner", ["ranges", "endless"])
def test_no_more_than_the_bound_is_received(server, tmp_path, monkeypatch, manner):
    """A server that does not state a length could otherwise fill the disk."""
    monkeypatch.setattr(download, "LARGEST", 5000)
    monkeypatch.setattr(download, "_BLOCK", 1024)
    server.manner = manner
    written = []
    monkeypatch.setattr(download.Progress, "update", lambda self, count=1: written.append(count))
    with pytest.raises(OSError, match=r"sends (10,240|more than 5,000) bytes, where at most 5,000 were expected"):
        download.fetch(server.url, tmp_path / "file.bin", MD5)
    assert names(tmp_path) == [] and sum(written) <= 5000
    monkeypatch.setattr(download, "LARGEST", len(BODY))
    assert download.fetch(server.url, tmp_path / "file.bin", MD5).read_bytes() == BODY


def test_a_connection_cut_short_without_a_length_is_found_by_the_checksum(server, tmp_path):
    server.manner, server.body = "endless", BODY[:-1]
    with pytest.raises(OSError, match=f"where {MD5} was expected; it was removed"):
        download.fetch(server.url, tmp_path / "file.bin", MD5, size=len(BODY))
    assert names(tmp_path) == []


def archive(path, members):
    """A tar.gz of {name: content}; a content of None is a symbolic link to /etc."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return path


def test_unpack_into_a_new_folder(tmp_path):
    path = archive(tmp_path / "a.tar.gz", {"set/one.bin": b"1", "set/two.bin": b"2"})
    folder = download.unpack(path, tmp_path / "set")
    assert names(tmp_path) == ["a.tar.gz", "set"] and names(folder) == ["one.bin", "two.bin"]


def test_unpack_mends_a_folder_and_leaves_other_files_alone(tmp_path):
    path = archive(tmp_path / "a.tar.gz", {"set/one.bin": b"1", "set/two.bin": b"2"})
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one.bin").write_bytes(b"cut")
    (tmp_path / "set" / "notes").write_bytes(b"mine")
    download.unpack(path, tmp_path / "set")
    assert {file.name: file.read_bytes() for file in (tmp_path / "set").iterdir()} == {
        "one.bin": b"1",
        "two.bin": b"2",
        "notes": b"mine",
    }
    assert names(tmp_path) == ["a.tar.gz", "set"]


@pytest.mark.parametrize("member", ["../evil", "set/../../evil", "set/link", "/evil", "set/deeper/evil", "set/.."])
def test_a_member_that_lands_outside_is_refused(tmp_path, member):
    inner = tmp_path / "data"
    inner.mkdir()
    path = archive(inner / "a.tar.gz", {"set/one.bin": b"1", member: None if "link" in member else b"evil"})
    with pytest.raises(OSError, match=r"a\.tar\.gz cannot be unpacked"):
        download.unpack(path, inner / "set")
    assert names(tmp_path) == ["data"] and names(inner) == ["a.tar.gz"]


def test_numbers_in_a_header_that_are_none(tmp_path):
    """Python's tarfile raises a bare ValueError for them."""
    member = tarfile.TarInfo("set/one.bin")
    member.pax_headers = {"GNU.sparse.map": "x"}
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member)
    with pytest.raises(OSError, match=r"a\.tar\.gz cannot be unpacked"):
        download.unpack(tmp_path / "a.tar.gz", tmp_path / "set")
    assert names(tmp_path) == ["a.tar.gz"]


def test_a_sparse_member_is_not_written(tmp_path):
    """A few bytes of it stand for any length of zeros."""
    member = tarfile.TarInfo("set/one.bin")
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(10**7)}
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member)
    with pytest.raises(OSError, match="'set/one.bin' does not belong in set"):
        download.unpack(tmp_path / "a.tar.gz", tmp_path / "set")
    assert names(tmp_path) == ["a.tar.gz"]


def test_an_archive_without_the_folder_and_one_that_is_none(tmp_path):
    with pytest.raises(OSError, match="'other/one.bin' does not belong in set"):
        download.unpack(archive(tmp_path / "a.tar.gz", {"other/one.bin": b"1"}), tmp_path / "set")
    with pytest.raises(OSError, match="holds no folder set"):
        download.unpack(archive(tmp_path / "a.tar.gz", {}), tmp_path / "set")
    whole = archive(tmp_path / "b.tar.gz", {"set/one.bin": bytes(range(256)) * 100}).read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match=r"b\.tar\.gz cannot be unpacked"):
        download.unpack(tmp_path / "b.tar.gz", tmp_path / "set")
    assert names(tmp_path) == ["a.tar.gz", "b.tar.gz"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    path = archive(tmp_path / "a.tar.gz", {"set/one.bin": b"1"})
    (tmp_path / ".set.partial" / "set").mkdir(parents=True)
    (tmp_path / ".set.partial" / "set" / "two.bin").write_bytes(b"half")
    assert names(download.unpack(path, tmp_path / "set")) == ["one.bin"] and names(tmp_path) == ["a.tar.gz", "set"]


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfileobj", full)
    path = archive(tmp_path / "a.tar.gz", {"set/one.bin": b"1"})
    with pytest.raises(OSError, match=r"a.tar.gz cannot be unpacked into .*/set: No space left on device"):
        download.unpack(path, tmp_path / "set")
    assert names(tmp_path) == ["a.tar.gz"]
