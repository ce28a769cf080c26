"""The text of .cfg files, as Python 2's ConfigParser read it."""

from __future__ import annotations

import re

import pytest

from minialex.cfg import text

SAMPLE = """\
# a comment
; another

[conv1]
Type=conv
filterSize : 5
initW = 0.01,
    0.02
    # a comment within
    ,0.03
epsW=dexp[base=0.01;tgtFactor=250;numSteps=4]  ; a comment behind
wc = 5%
[Conv1]
type=fc
[conv1]
initw=7
empty=
"""


def test_sections_keys_and_values():
    found = text.sections(text.Text("a.cfg", SAMPLE))
    assert [*found] == ["conv1", "Conv1"]
    values = {key: value.text for key, value in found["conv1"].values.items()}
    assert values == {
        "type": "conv",
        "filtersize": "5",
        "initw": "7",  # of the second section of this name
        "epsw": "dexp[base=0.01;tgtFactor=250;numSteps=4]",
        "wc": "5%",
        "empty": "",
    }
    assert {key: value.place.line for key, value in found["conv1"].values.items()}["filtersize"] == 6
    assert found["conv1"].place == ("a.cfg", 4) and str(found["Conv1"].place) == "a.cfg, line 13"


def test_a_value_goes_on_in_indented_lines():
    (section,) = text.sections(text.Text("a.cfg", SAMPLE[: SAMPLE.index("[Conv1]")])).values()
    assert section.values["initw"].text == "0.01, 0.02 ,0.03" and section.values["initw"].place.line == 7


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("type=conv", "line 1: 'type=conv' stands before the first section"),
        ("[a]\nx=1\nnonsense", "line 3: 'nonsense' is neither [name] nor key=value"),
        ("[DEFAULT]\nx=1", "line 1: [DEFAULT] is no name of a layer"),
        ("[a]\n[]", "line 2: '[]' is neither"),
    ],
)
def test_what_is_no_line_of_such_a_file(line, what):
    with pytest.raises(ValueError, match=re.escape(what)):
        text.sections(text.Text("a.cfg", line))


def test_files_of_any_line_end_and_no_longer_than_a_limit(tmp_path):
    path = tmp_path / "layers-x.cfg"
    path.write_bytes(b"\xef\xbb\xbf[a]\r\nx=1\r[b]\ny:2")
    read = text.read(path)
    assert read.name == "layers-x.cfg"
    assert {name: section.place.line for name, section in text.sections(read).items()} == {"a": 1, "b": 3}
    path.write_bytes(b"#" * (text.MOST_BYTES + 1))
    with pytest.raises(ValueError, match="longer than"):
        text.read(path)


def test_a_long_line_is_read_at_once():
    with pytest.raises(ValueError, match="line 2: 'a .* is neither"):
        text.sections(text.Text("f", f"[x]\na{' ' * 500_000}b"))
