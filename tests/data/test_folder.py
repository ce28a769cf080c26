"""Pictures in folders: found, labelled, decoded, checked once, and the same with any number of threads."""

import logging
import os
import struct
import subprocess
import sys
import threading
import types
import zlib

import numpy as np
import pytest
from photographs import damage, pixels, write
from photographs import folder as photographs
from PIL import Image, ImageOps

from minialex import data
from minialex.data import decode, folder
from minialex.data.decode import Damaged
from minialex.support import resources


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "pictures"


def load(root, **options):
    return data.load("folder", data_dir=root, **{"size": 16, **options})


def counted(monkeypatch):
    """The paths decoded from now on."""
    seen, original = [], folder.decode

    def remember(path, size):
        seen.append(path)
        return original(path, size)

    monkeypatch.setattr(folder, "decode", remember)
    return seen


class TestDecode:
    @staticmethod
    def weights(long, short):
        """The matrix (short, long) of a triangle filter, as wide as the reduction, by plain loops."""
        scale = long / short
        matrix = np.zeros((short, long))
        for i in range(short):
            for j in range(long):
                matrix[i, j] = max(0, 1 - abs((j + 0.5) - (i + 0.5) * scale) / max(scale, 1))
        return matrix / matrix.sum(axis=1, keepdims=True)

    @pytest.mark.parametrize(
        ("height", "width", "resized"), [(37, 53, (16, 22)), (53, 37, (22, 16)), (9, 30, (16, 53)), (16, 16, (16, 16))]
    )
    def test_against_loops(self, tmp_path, rng, height, width, resized):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "a.png")
        rows, columns = self.weights(height, resized[0]), self.weights(width, resized[1])
        expected = np.einsum("yh,hwc,xw->cyx", rows, image.astype(float), columns)
        top, left = round((resized[0] - 16) / 2), round((resized[1] - 16) / 2)
        found = decode.decode(tmp_path / "a.png", 16)
        assert found.dtype == np.uint8 and found.shape == (3, 16, 16)
        difference = found - expected[:, top : top + 16, left : left + 16]
        assert np.abs(difference).max() <= 1.5, "rounded once in each direction"

    def test_the_middle_is_kept(self, tmp_path):
        image = pixels(1, 16, 40)
        Image.fromarray(image).save(tmp_path / "a.png")
        np.testing.assert_array_equal(decode.decode(tmp_path / "a.png", 16), image[:, 12:28].transpose(2, 0, 1))

    @pytest.mark.parametrize(
        ("mode", "colour", "expected"),
        [
            ("L", 77, (77, 77, 77)),
            ("1", 1, (255, 255, 255)),
            ("LA", (77, 255), (77, 77, 77)),
            ("RGBA", (200, 10, 30, 255), (200, 10, 30)),
            ("RGBA", (200, 10, 30, 0), (255, 255, 255)),  # nothing is seen of it
            ("I;16", 200 * 257, (200, 200, 200)),
        ],
    )
    def test_modes(self, tmp_path, mode, colour, expected):
        Image.new(mode, (20, 18), colour).save(tmp_path / "a.png")
        found = decode.decode(tmp_path / "a.png", 16)
        assert {tuple(pixel) for pixel in found.reshape(3, -1).T.tolist()} == {expected}

    def test_palette(self, tmp_path):
        image = Image.new("P", (16, 16), 1)
        image.putpalette([9, 9, 9, 250, 128, 3])
        image.save(tmp_path / "a.gif")
        assert decode.decode(tmp_path / "a.gif", 16)[:, 5, 5].tolist() == [250, 128, 3]

    @pytest.mark.parametrize(("mode", "colour"), [("L", 100), ("CMYK", (255, 0, 0, 0)), ("RGB", (0, 255, 255))])
    def test_jpeg(self, tmp_path, mode, colour):
        Image.new(mode, (33, 20), colour).save(tmp_path / "a.JPEG")
        expected = (100, 100, 100) if mode == "L" else (0, 255, 255)  # cyan ink takes the red away
        found = decode.decode(tmp_path / "a.JPEG", 16).astype(int)
        assert np.abs(found - np.reshape(expected, (3, 1, 1))).max() <= 3

    @pytest.mark.parametrize("suffix", ["png", "tiff"])  # of a TIFF Pillow applies the orientation itself
    @pytest.mark.parametrize("orientation", range(10))
    def test_turned_upright(self, tmp_path, orientation, suffix):
        image, exif = pixels(3, 16, 16), Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(image).save(tmp_path / f"a.{suffix}", exif=exif)
        upright = {
            2: image[:, ::-1],
            3: image[::-1, ::-1],
            4: image[::-1],
            5: image.transpose(1, 0, 2),
            6: np.rot90(image, -1),
            7: image[::-1, ::-1].transpose(1, 0, 2),
            8: np.rot90(image),
        }.get(orientation, image)
        np.testing.assert_array_equal(decode.decode(tmp_path / f"a.{suffix}", 16), upright.transpose(2, 0, 1))

    def test_damaged_exif_data_is_not_a_damaged_picture(self, tmp_path):
        Image.fromarray(pixels(3, 16, 16)).save(tmp_path / "a.jpg", exif=b"Exif\0\0no such data")
        assert decode.decode(tmp_path / "a.jpg", 16).shape == (3, 16, 16)

    def test_a_large_jpeg_is_reduced_early_and_looks_the_same(self, tmp_path):
        Image.fromarray(pixels(5, 480, 640)).save(tmp_path / "a.jpg", quality=95)
        with Image.open(tmp_path / "a.jpg") as image:
            whole = np.asarray(image.resize((64, 48), Image.Resampling.BILINEAR))[:, 8:56].transpose(2, 0, 1)
        found = decode.decode(tmp_path / "a.jpg", 48)
        assert np.abs(found.astype(int) - whole).max() <= 3

    @pytest.mark.parametrize("dtype", ["int32", "float32", "int16", "uint16"])
    def test_grey_levels_of_any_type_are_those_of_pillow(self, tmp_path, dtype, rng):
        """Pillow's own conversion, but for 16 bits, which it would clip at 255."""
        grey = rng.integers(0, 256, (16, 16)) * (257 if dtype == "uint16" else 1)
        grey[0, :2] = 0, 65535 if dtype in ("int32", "uint16", "float32") else 300
        Image.fromarray(grey.astype(dtype)).save(tmp_path / "a.tiff")
        with Image.open(tmp_path / "a.tiff") as image:
            expected = grey >> 8 if dtype == "uint16" else np.asarray(image.convert("L"))
        np.testing.assert_array_equal(decode.decode(tmp_path / "a.tiff", 16), np.stack([expected] * 3))

    def test_16_bits_in_the_mode_of_32(self, tmp_path, rng):
        grey = rng.integers(0, 256, (16, 16))
        (tmp_path / "a.ppm").write_bytes(b"P5 16 16 65535\n" + (grey * 257).astype(">u2").tobytes())
        np.testing.assert_array_equal(decode.decode(tmp_path / "a.ppm", 16)[1], grey)

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
    @pytest.mark.parametrize("orientation", [3, 6, 7])
    def test_turned_like_pillow_whatever_the_compression(self, tmp_path, orientation, compression):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels(3, 16, 16)).save(tmp_path / "a.tif", exif=exif, compression=compression)
        with Image.open(tmp_path / "a.tif") as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).transpose(2, 0, 1)
        np.testing.assert_array_equal(decode.decode(tmp_path / "a.tif", 16), expected)

    @pytest.mark.parametrize("shape", [(1, 20), (20, 1), (3, 41), (41, 3), (5, 100), (17, 200)])
    def test_long_pictures(self, tmp_path, rng, shape, monkeypatch):
        """Only the square is resized; the same as of the resized whole, but for rounding."""
        Image.fromarray(rng.integers(0, 256, (*shape, 3), np.uint8)).save(tmp_path / "a.png")
        found = decode.decode(tmp_path / "a.png", 16)
        monkeypatch.setattr(decode, "_LONGEST", 1000)
        assert np.abs(found.astype(int) - decode.decode(tmp_path / "a.png", 16)).max() <= 1

    @pytest.mark.parametrize("size", [(2000, 1), (1, 60_000)])
    def test_a_line_of_pixels_takes_no_more_memory_than_a_square(self, tmp_path, size, monkeypatch):
        Image.new("RGB", size, (10, 20, 30)).save(tmp_path / "a.png")
        sizes, original = [], Image.Image.resize

        def resize(image, size, *arguments, **options):
            sizes.append(size)
            return original(image, size, *arguments, **options)

        monkeypatch.setattr(Image.Image, "resize", resize)
        found = decode.decode(tmp_path / "a.png", 256)
        assert sizes == [(256, 256)] and (found == np.reshape([10, 20, 30], (3, 1, 1))).all()

    @pytest.mark.parametrize("suffix", ["jpg", "tiff"])
    def test_what_is_no_file_is_not_opened(self, tmp_path, suffix):
        """Opening a pipe would wait for ever."""
        path = tmp_path / f"a.{suffix}"
        path.symlink_to("nowhere")
        with pytest.raises(Damaged, match="a link to a missing file"):
            decode.decode(path, 16)
        if hasattr(os, "mkfifo"):
            path.unlink()
            os.mkfifo(path)
            with pytest.raises(Damaged, match="a pipe or a device"):
                decode.decode(path, 16)

    def test_libtiff_prints_nothing(self, tmp_path, capfd, rng):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.tif", compression="tiff_lzw")
        content = bytearray((tmp_path / "a.tif").read_bytes())
        content[200:260] = bytes(255 - byte for byte in content[200:260])
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(Damaged):
            decode.decode(tmp_path / "a.tif", 16)
        assert capfd.readouterr().err == ""

    def test_a_bomb_is_told_from_a_picture(self, tmp_path, monkeypatch):
        write(tmp_path / "a.png", height=40, width=40)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
        with pytest.raises(Damaged, match="a.png is damaged.*1600 pixels. exceeds limit of 1400 pixels"):
            decode.decode(tmp_path / "a.png", 16)

    def test_more_pixels_than_the_file_has_room_for(self, tmp_path, monkeypatch):
        """No memory is taken for them. What is small, or is in a file of such a size, is read."""
        write(tmp_path / "a.png", height=40, width=40)
        content = (tmp_path / "a.png").read_bytes()
        header = b"IHDR" + (9000).to_bytes(4, "big") * 2 + content[24:29]
        content = content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]
        (tmp_path / "b.png").write_bytes(content)
        with pytest.raises(Damaged, match=f"9000 x 9000 pixels in {len(content):,} bytes"):
            decode.decode(tmp_path / "b.png", 16)
        monkeypatch.setattr(decode, "_PIXELS", 1000)
        assert decode.decode(tmp_path / "a.png", 16).shape == (3, 16, 16)
        monkeypatch.setattr(decode, "_PIXELS_PER_BYTE", 0.1)
        with pytest.raises(Damaged, match="40 x 40 pixels in"):
            decode.decode(tmp_path / "a.png", 16)
        monkeypatch.setattr(decode, "_PIXELS", 1600)
        assert decode.decode(tmp_path / "a.png", 16).shape == (3, 16, 16)

    def test_a_length_that_a_file_claims_is_not_believed(self, tmp_path, monkeypatch):
        """Pillow asks for as many bytes as a part of the file is said to have."""
        write(tmp_path / "a.png", height=40, width=40)
        given, original = [], Image.open

        def opened(file):
            given.append(file.read(2**50))  # which no machine has
            file.seek(0)
            return original(file)

        monkeypatch.setattr(Image, "open", opened)
        decode.decode(tmp_path / "a.png", 16)
        assert given == [(tmp_path / "a.png").read_bytes()]

    def test_a_program_is_not_run(self, tmp_path, monkeypatch):
        """Pillow would start Ghostscript, whatever the name of the file."""
        monkeypatch.setattr(subprocess, "Popen", lambda *command, **options: pytest.fail("a program was started"))
        (tmp_path / "a.jpg").write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
        )
        with pytest.raises(Damaged, match="PostScript, which is a program"):
            decode.decode(tmp_path / "a.jpg", 16)

    def test_pillow_s_log_is_not_printed(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(logging.root, "handlers", [])  # as outside pytest
        Image.fromarray(pixels(3, 16, 16)).save(tmp_path / "a.tif")
        content = (tmp_path / "a.tif").read_bytes()
        samples = struct.pack("<HHII", 277, 3, 1, 3)
        assert content.count(samples) == 1
        (tmp_path / "a.tif").write_bytes(content.replace(samples, struct.pack("<HHII", 277, 3, 1, 999)))
        with pytest.raises(Damaged):
            decode.decode(tmp_path / "a.tif", 16)
        assert capsys.readouterr().err == ""

    def test_errors_of_the_system_are_not_damage(self, tmp_path):
        with pytest.raises(FileNotFoundError) as caught:
            decode.decode(tmp_path / "missing.jpg", 16)
        assert not isinstance(caught.value, Damaged) and "missing.jpg" in str(caught.value)


class TestFinding:
    def test_classes_labels_and_what_is_ignored(self, root, capsys):
        photographs(root, {"b": 2, "a": 3, "c": 1})
        write(root / "train" / "c" / "LOUD.PNG")
        for name in (".hidden.jpg", "notes.txt"):
            (root / "train" / "a" / name).write_text("no picture")
        (root / "train" / "b" / "deeper").mkdir()
        (root / "train" / ".cache").mkdir()
        (root / "train" / "readme").write_text("")
        photographs(root, {"c": 1, "a": 1}, "val")
        splits = load(root)
        assert splits.train.classes == ("a", "b", "c") and splits.train.image_shape == (3, 16, 16)
        assert splits.train.labels.tolist() == [0, 0, 0, 1, 1, 2, 2] and splits.train.labels.dtype == np.int64
        assert splits.test.labels.tolist() == [0, 2] and splits.validation is splits.test
        assert "train: 5 other files are not images" in capsys.readouterr().err
        images, labels = splits.train.fetch([6, 3, 3])
        assert images.shape == (3, 3, 16, 16) and labels.tolist() == [2, 1, 1]
        for image, name in zip(images, ("c/LOUD.PNG", "b/0.jpg", "b/0.jpg")):
            np.testing.assert_array_equal(image, decode.decode(root / "train" / name, 16))

    def test_readable_names(self, root):
        photographs(root, {"n1": 1, "n2": 1, "n3": 1, "n4": 2})
        (root / "LOC_synset_mapping.txt").write_text("n1 tench, Tinca tinca\nn2 crane\nn3 crane, machine\nn9 cock\n")
        assert load(root).train.classes == ("tench", "crane (n2)", "crane (n3)", "n4")

    def test_without_val_some_of_train_are_held_out_of_every_part(self, root):
        photographs(root, {"a": 10, "b": 30})
        splits = load(root)
        assert (len(splits.train), len(splits.validation)) == (36, 4) and splits.test is splits.validation
        assert splits.validation.labels.tolist() == [0, 1, 1, 1]
        both = np.concatenate([splits.train.fetch(range(36))[0], splits.test.fetch(range(4))[0]])
        assert len(np.unique(both.reshape(40, -1), axis=0)) == 40, "no picture is in both"

    @pytest.mark.parametrize(("asked", "train", "validation"), [(None, 8, 4), (0, 8, None), (3, 5, 3)])
    def test_with_val(self, root, asked, train, validation):
        photographs(photographs(root, {"a": 4, "b": 4}), {"a": 2, "b": 2}, "val")
        splits = load(root, validation=asked)
        assert len(splits.train) == train and len(splits.test) == 4
        assert splits.validation is None if validation is None else len(splits.validation) == validation
        if asked == 3:
            assert splits.validation is not splits.test

    def test_limit_reads_no_other_file(self, root, monkeypatch):
        photographs(photographs(root, {"a": 12, "b": 12}), {"a": 9, "b": 9}, "val")
        seen = counted(monkeypatch)
        splits = load(root, limit=4)
        assert splits.train.labels.tolist() == splits.test.labels.tolist() == [0, 0, 1, 1]
        splits.train.statistics()
        assert len(seen) == len(set(seen)) == 8

    @pytest.mark.parametrize(
        ("make", "options", "message"),
        [
            (lambda root: root.mkdir(), {}, "holds no pictures: expected .*train/CLASS"),
            (lambda root: photographs(root, {"a": 1}), {"validation": 1}, "validation must be from 0 to 0"),
            (lambda root: photographs(root, {"a": 2}), {"validation": 0}, "there is no folder val"),
            (lambda root: (photographs(root, {"a": 1}) / "train" / "b").mkdir(), {}, "train/b holds no pictures"),
            (lambda root: photographs(photographs(root, {"a": 1}), {"c": 1}, "val"), {}, "val/c is not a known class"),
            (lambda root: (photographs(root, {"a": 1}) / "val").mkdir(), {}, "val holds no pictures"),
            (lambda root: photographs(root, {"a": 2}), {"val_labels": "x"}, "there is no folder .*val"),
            (
                lambda root: photographs(photographs(root, {"a": 2}), {"a": 1}, "val"),
                {"val_labels": "x"},
                "its labels are known: leave out val_labels=",
            ),
            (
                lambda root: write(photographs(photographs(root, {"a": 1}), {"a": 1}, "val") / "val" / "x.jpg"),
                {},
                "both class folders and pictures, such as x.jpg",
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, root, make, options, message):
        make(root)
        with pytest.raises((ValueError, OSError), match=message):
            load(root, **options)

    def test_without_a_folder(self):
        with pytest.raises(ValueError, match="name the folder .* with data_dir="):
            data.load("folder")

    def test_folders_that_are_not_read_are_said(self, root, capsys):
        photographs(photographs(root, {"a": 3, "b": 3}), {"a": 1}, "valid")
        write(root / "test" / "x.jpg")
        for path in (root / "stray.png", root / ".hidden" / "x.jpg"):
            write(path)
        (root / "notes.txt").write_text("no picture")
        load(root)
        err = capsys.readouterr().err
        assert f"{root}: 3 entries are not read (test, valid, stray.png): pictures are those in train and val" in err
        photographs(root, {"a": 1, "b": 1}, "val")
        for name in ("test", "valid"):
            (root / name).rename(root / f".{name}")
        (root / "stray.png").unlink()
        load(root)
        assert "not read" not in capsys.readouterr().err

    @pytest.mark.parametrize("bytes_", [b"caf\xe9", b"\x1b[31mred", b"two\nlines"])
    def test_folders_may_have_any_name(self, root, bytes_):
        photographs(root, {"a": 2})
        try:
            (root / "train" / "a").rename(root / "train" / os.fsdecode(bytes_))
        except OSError:
            pytest.skip("not on this file system")
        photographs(root, {"z": 2})
        train = load(root, validation=1).train
        assert train.classes[0].isprintable() and train.classes[0].encode() and train.classes[1] == "z"
        assert train.labels.tolist() == [0, 1, 1] and train.fetch([0])[0].shape == (1, 3, 16, 16)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_readable_names_in_any_encoding(self, root, encoding):
        photographs(root, {"n1": 1, "n2": 1})
        (root / "classes.txt").write_text("n1 café\nn2 猫\x1b[31m\n", encoding=encoding)
        assert load(root).train.classes == ("café", "猫\\x1b[31m")

    def test_names_that_look_alike_are_told_apart(self, root):
        photographs(root, {"a\n": 1, "a\\n": 1, "b": 1, "c": 1, "d": 1})
        (root / "classes.txt").write_text("b same\nc same\nd same (b)\n")
        names = ("a\\n (a\\n)", "a\\n (a\\n) 2", "same (b)", "same (c)", "same (b) 2")
        assert load(root).train.classes == names

    @pytest.mark.parametrize("name", ["classes.txt", "val"])
    def test_links_to_nothing_are_not_ignored(self, root, name):
        photographs(root, {"n1": 2})
        (root / name).symlink_to("nowhere")
        with pytest.raises(
            (OSError, ValueError), match=f"{name}.* (link to a missing folder|No such file)|No such file.*{name}"
        ):
            load(root)

    def test_readable_names_that_are_wrong(self, root):
        photographs(root, {"n1": 1, "n2": 1})
        (root / "classes.txt").write_bytes("n1 tench\nn2 café\n".encode("latin-1"))
        with pytest.raises(ValueError, match="classes.txt, line 2: the byte 0xe9 is not text in UTF-8"):
            load(root)
        (root / "classes.txt").write_text("n1 tench\nn2 pear\nn1 tench\nn2 apple\n")
        with pytest.raises(ValueError, match="classes.txt, line 4: another name for n2 than in line 2"):
            load(root)


class TestLabelFiles:
    """val/ with its pictures in one folder; the classes in order are n1, n2, n3."""

    NAMES = tuple(f"ILSVRC2012_val_{i:08}.JPEG" for i in (1, 2, 3))

    @pytest.fixture
    def flat(self, root):
        photographs(root, {"n1": 1, "n2": 1, "n3": 1})
        for seed, name in enumerate(self.NAMES):
            write(root / "val" / name, seed)
        return root

    @pytest.fixture
    def kit(self, monkeypatch):
        """SciPy's reader of meta.mat, or what stands for it: ILSVRC's numbers are not the classes' order."""
        rows = np.array([(1, "n3"), (2, "n1"), (3, "n2")], [("ILSVRC2012_ID", "u2"), ("WNID", object)])
        io = types.SimpleNamespace(loadmat=lambda path, squeeze_me: {"synsets": rows})
        monkeypatch.setitem(sys.modules, "scipy", types.SimpleNamespace(io=io))
        monkeypatch.setitem(sys.modules, "scipy.io", io)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("val.txt", "{1} 0\n{0}   2\n{2}\t1\n\n"),
            ("val.txt", "{0} n3\n{1} n1\n{2} n2\nILSVRC2012_val_00000009.JPEG n1\n"),
            ("LOC_val_solution.csv", "ImageId,PredictionString\n{2},n2 1 2 3 4 n2 5 6 7 8 \n{0},n3 1 2 3 4\n{1},n1\n"),
            ("ILSVRC2012_validation_ground_truth.txt", "1\n2\n3\n"),
        ],
    )
    @pytest.mark.parametrize("given", [True, False])
    def test_every_format(self, flat, kit, tmp_path, name, text, given):
        stems = [n.removesuffix(".JPEG") if name.endswith("csv") else n for n in self.NAMES]
        place = tmp_path if given else flat
        (place / "meta.mat").write_bytes(b"")
        (place / name).write_text(text.format(*stems))
        splits = load(flat, val_labels=str(place / name) if given else None)
        assert splits.test.labels.tolist() == [2, 0, 1]

    def test_suffixes_tell_pictures_apart_where_they_must(self, flat):
        for number, name in enumerate(self.NAMES):
            (flat / "val" / name).rename(flat / "val" / ("a.jpg", "a.png", "b.png")[number])
        (flat / "val.txt").write_text("a.jpg 2\na.png 0\nb.jpeg 1\n", encoding="utf-16")
        assert load(flat).test.labels.tolist() == [2, 0, 1]

    def test_the_development_kit_read_by_scipy(self, flat, tmp_path):
        io = pytest.importorskip("scipy.io", reason="scipy is not installed")
        rows = np.array(
            [(1, "n3", 5.0), (2, "n1", 6.0), (3, "n2", 7.0)],
            [("ILSVRC2012_ID", "f8"), ("WNID", object), ("other", "f8")],
        )
        io.savemat(tmp_path / "meta.mat", {"synsets": rows})
        (tmp_path / "truth.txt").write_text("1\n2\n3\n")
        assert load(flat, val_labels=str(tmp_path / "truth.txt")).test.labels.tolist() == [2, 0, 1]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "no file of their labels: name it with val_labels="),
            ("", "val.txt is empty"),
            ("{0} 0\n{1} 3\n{2} 0\n", "line 2: .* does not name one of the 3 classes"),
            ("{0} 0\n{1} -1\n{2} 0\n", "line 2: .* does not name one of the 3 classes"),
            ("{0} 0\n{1}\n{2} 0\n", "line 2: .* does not name one of the 3 classes"),
            ("{0} 0\n{1} " + "9" * 5000 + "\n{2} 0\n", "line 2: .* does not name one of the 3 classes"),
            ("{0} 0\n{2} 1\n", "has no class for 1 of 3 pictures, ILSVRC2012_val_00000002"),
            ("{0} 0\n{1} 1\n{2} 2\n{1} 1\n{0} 2\n", "line 5: another class for ILSVRC.*1.JPEG than in line 1: remove"),
            ("x/{0} 0\n{1} 1\n{2} 2\n{0} n2\n", "line 4: another class for ILSVRC.*1.JPEG than in line 1"),
            (
                "ILSVRC2012_val_00000001.png 0\nILSVRC2012_val_00000001.gif 1\n",
                "has two classes for files called ILSVRC2012",
            ),
            ("{0} 0\n{1} 1\n{2} \0\n", "line 3: the byte 0x00 is not text"),
            ("{0} 0\n\n{1} 3\n", "line 3: .* does not name one of the 3 classes"),
            ("{0} 0\n{1} " + 5000 * "9", "line 2: .* does not name one of the 3 classes"),
            (5000 * "9" + "\n", "line 1: .* does not name one of the 3 classes"),
            ("1\n2\n3\n", "meta.mat, which maps them to names, is missing"),
        ],
    )
    def test_what_is_wrong_is_said(self, flat, kit, text, message):
        if text is not None:
            (flat / "val.txt").write_text(text.format(*self.NAMES))
        with pytest.raises((ValueError, OSError), match=message):
            load(flat)

    def test_empty_lines_name_nothing(self, flat):
        (flat / "val.txt").write_text("{} 2\n\n{} n2\n   \n{} 0\n\n".format(*self.NAMES))
        assert load(flat).test.labels.tolist() == [2, 1, 0]

    def test_a_folder_is_no_file_of_labels(self, flat):
        with pytest.raises(FileNotFoundError, match="the file of the validation pictures' labels, is not a file"):
            load(flat, val_labels=flat)

    def test_without_scipy(self, flat, monkeypatch):
        monkeypatch.setitem(sys.modules, "scipy.io", None)
        (flat / "val.txt").write_text("1\n2\n3\n")
        with pytest.raises(ValueError, match="pip install scipy"):
            load(flat)


class TestDamage:
    @pytest.fixture
    def damaged(self, root):
        photographs(root, {"a": 40, "b": 3})
        damage(root / "train" / "a" / "5.jpg")
        (root / "train" / "b" / "1.jpg").write_bytes(b"")
        return root

    def test_named_counted_and_left_out(self, damaged, capsys):
        splits = load(damaged, validation=1)  # the first
        assert np.bincount(splits.train.labels).tolist() == [38, 2]
        err = capsys.readouterr().err
        assert "a/5.jpg is damaged or not an image (image file is truncated" in err
        assert "b/1.jpg is damaged or not an image (unknown format)" in err
        assert "train: 2 of 42 pictures are damaged and left out" in err
        np.testing.assert_array_equal(
            splits.train.fetch([len(splits.train) - 1])[0][0], decode.decode(damaged / "train" / "b" / "2.jpg", 16)
        )

    def test_links_to_nowhere_and_pipes_are_left_out(self, root, capsys):
        photographs(root, {"a": 4})
        for name in ("x.jpg", "loop.jpg"):
            (root / "train" / "a" / name).symlink_to("loop.jpg" if name == "loop.jpg" else "nowhere.jpg")
        if hasattr(os, "mkfifo"):
            os.mkfifo(root / "train" / "a" / "pipe.jpg")
        (root / "train" / "a" / "folder.jpg").mkdir()
        for _ in range(2):
            assert len(load(root, validation=1).train) in (3, 4)
            err = capsys.readouterr().err
            assert "a/x.jpg is damaged or not an image (a link to a missing file)" in err
            assert "1 other files are not images" in err
        write(root / "train" / "a" / "nowhere.jpg")
        assert "x.jpg" not in (len(load(root).train) and capsys.readouterr().err), "the cache sees it"

    def test_a_file_that_may_not_be_read_is_left_out(self, root, monkeypatch, capsys):
        photographs(root, {"a": 4})

        def refuse(path, size):
            if path.name == "2.jpg":
                raise PermissionError(13, "Permission denied", str(path))
            return decode.decode(path, size)

        monkeypatch.setattr(folder, "decode", refuse)
        assert len(load(root, validation=1).train) == 2
        assert "a/2.jpg is damaged or not an image (Permission denied)" in capsys.readouterr().err
        (root / "train" / "a" / "2.jpg").chmod(0o600)
        monkeypatch.undo()
        monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "cache"))
        assert len(load(root, validation=1).train) == 3

    def test_strict_stops_also_by_the_cache(self, damaged):
        for _ in range(2):
            with pytest.raises(Damaged, match=r"5.jpg is damaged.*leave out strict=True"):
                len(load(damaged, strict=True).train)
            len(load(damaged).train)  # now it is in the cache

    def test_the_cache_spares_reading_until_a_file_changes(self, damaged, monkeypatch, capsys):
        before = load(damaged, validation=1).train.statistics()
        seen = counted(monkeypatch)
        again = load(damaged, validation=1)
        np.testing.assert_array_equal(again.train.statistics().mean_image, before.mean_image)
        assert not seen and capsys.readouterr().err.count("a/5.jpg is damaged") == 2
        load(damaged, validation=1, size=17).train.statistics()
        assert len(seen) == 42
        write(damaged / "train" / "a" / "5.jpg", 9)
        assert len(load(damaged, validation=1).train) == 41
        assert len(seen) == 84
        os.utime(damaged / "train" / "a" / "7.jpg", ns=(1, 1))
        assert len(load(damaged, validation=1).train) == 41
        assert len(seen) == 126

    @pytest.mark.parametrize(
        "harm", [damage, lambda path: path.write_bytes(b"PK"), lambda path: np.savez(path, count=1)]
    )
    def test_a_damaged_cache_is_made_again(self, damaged, harm, monkeypatch):
        before = load(damaged, validation=1).train.statistics()
        (kept,) = resources.cache_folder().rglob("*.npz")
        harm(kept)
        seen = counted(monkeypatch)
        for _ in range(2):
            assert np.array_equal(load(damaged, validation=1).train.statistics().mean_image, before.mean_image)
        assert len(seen) == 42

    def test_a_cache_that_cannot_be_written(self, damaged, tmp_path, capsys):
        (tmp_path / "cache").write_text("a file where the folder would be")
        assert len(load(damaged, validation=1).train) == 40
        assert "the result could not be cached" in capsys.readouterr().err

    def test_nothing_left(self, root):
        photographs(root, {"a": 2})
        for path in (root / "train" / "a").iterdir():
            damage(path)
        with pytest.raises(OSError, match="none of the 1 pictures of .*train can be read"):
            len(load(root, validation=1).train)

    def test_a_file_that_breaks_later_is_named(self, root):
        photographs(root, {"a": 5})
        splits = load(root, validation=1, workers=2)
        assert len(splits.train) == 4
        damage(root / "train" / "a" / "3.jpg")
        with pytest.raises(OSError, match=r"a/3.jpg is damaged"):
            splits.train.fetch(range(4))
        (root / "train" / "a" / "3.jpg").unlink()
        with pytest.raises(OSError, match=r"a/3.jpg"):
            splits.train.fetch(range(4))

    def test_an_interrupt_leaves_nothing(self, damaged, monkeypatch):
        def interrupted(path, size):
            if path.name == "7.jpg":
                raise KeyboardInterrupt
            return decode.decode(path, size)

        monkeypatch.setattr(folder, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            len(load(damaged).train)
        assert not [*resources.cache_folder().rglob("*")]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("minialex-decode")]


def batches(root, workers, start=0, **options):
    splits = load(root, workers=workers, validation=2, size=20, **options)
    steps = [data.Normalize.mean_image(splits.train), data.RandomCrop(16), data.RandomHorizontalFlip()]
    loader = data.Loader(splits.train, 4, steps, shuffle=True, seed=3, workers=workers)
    return [(images.tobytes(), labels.tolist()) for images, labels in loader.epoch(2, start)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_resume_within_an_epoch_is_exact_with_any_number_of_threads(root, workers):
    photographs(root, {"a": 9, "b": 14})
    damage(root / "train" / "b" / "0.jpg")
    whole = batches(root, 1)
    assert len(whole) == 5 and len({images for images, _ in whole}) == 5
    for start in (1, 3, 5):
        assert batches(root, workers, start) == whole[start:]


def test_the_sample_of_imagenet(data_dir):
    sample = data_dir / "imagenet-sample"
    if not sample.is_dir():
        pytest.skip(f"there is no {sample}")
    splits = data.load("folder", data_dir=sample, limit=40)
    assert len(splits.train) == 40 and len(splits.train.classes) == 1000
    images, labels = splits.train.fetch(range(40))
    assert images.shape == (40, 3, 256, 256) and (np.diff(labels) > 0).all()
    statistics = splits.train.statistics()
    assert ((statistics.channel_means > 100) & (statistics.channel_means < 150)).all()
    assert (np.abs(statistics.vectors[:, 2]) > 0.4).all(), "most of the variance is in the brightness"
