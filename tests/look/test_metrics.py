"""metrics.csv with damaged rows: one sentence with the file and the row."""

from __future__ import annotations

import pytest

from minialex.look.subject import read_metrics

HEADER = "epoch,train_loss,train_error,val_loss,val_top1_error,val_top5_error,lr,seconds,images_per_second\n"
ROW = "1,2.5,0.5,2.25,0.5,0,0.1,3.5,100\n"
WITHOUT = "2,2.5,0.5,,,,0.1,3.5,100\n"


def read(folder, text):
    (folder / "metrics.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_metrics(folder)


def test_rows_with_and_without_a_validation(tmp_path):
    first, second = read(tmp_path, HEADER + ROW + WITHOUT)
    assert first == {
        "epoch": 1, "train_loss": 2.5, "train_error": 0.5, "val_loss": 2.25, "val_top1_error": 0.5,
        "val_top5_error": 0, "lr": 0.1, "seconds": 3.5, "images_per_second": 100,
    }  # fmt: skip
    assert type(first["epoch"]) is int and second["epoch"] == 2 and "val_loss" not in second
    assert read(tmp_path, HEADER) == read(tmp_path, "") == []


DAMAGED = {
    "text": (HEADER + ROW + ROW.replace("2.5", "x"), "epoch 2 is damaged .*'x'"),
    "NaN": (HEADER + ROW.replace("2.25", "nan"), "epoch 1 is damaged .val_loss should be finite, got nan"),
    "infinity": (HEADER + ROW.replace("2.5", "inf"), "train_loss should be finite, got inf"),
    "an error of 7": (HEADER + ROW.replace("0.5,2", "7,2"), "train_error should be at least 0 and at most 1, got 7"),
    "epoch 0": (HEADER + ROW.replace("1,2.5", "0,2.5"), "epoch should be at least 1 .* got 0"),
    "epoch 1.5": (HEADER + ROW.replace("1,2.5", "1.5,2.5"), "epoch should be an integer, got 1.5"),
    "epoch 1e300": (HEADER + ROW.replace("1,2.5", "1e300,2.5"), "epoch should be at least 1 and at most 1,000,000,000"),
    "no epoch": (HEADER + ROW.replace("1,2.5", ",2.5"), "the field epoch is missing"),
    "no loss": (HEADER + ROW.replace("2.5", ""), "the field train_loss is missing"),
    "cut short": (HEADER + ROW + "2,2.5,0", "epoch 2 is damaged .*is missing"),
    "a cell more": (HEADER + ROW.replace("100", "100,3"), "it has too many cells"),
    "another column": (HEADER.replace("lr", "rate") + ROW, "unknown field rate; the fields are epoch, train_loss"),
    "another file": ("hello\nworld\n", "epoch 1 is damaged"),
    "not text": (HEADER.encode() + b"\xff\x80", "metrics.csv, line 2: the byte 0xff is not text in UTF-8"),
    "a zero byte": (HEADER + "1\0,2", "metrics.csv"),
    "a long cell": (HEADER + "9" * 200_000, "metrics.csv is damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_metrics(tmp_path, case):
    text, message = DAMAGED[case]
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, text)
    assert str(tmp_path / "metrics.csv") in str(error.value) and "\n" not in str(error.value)
