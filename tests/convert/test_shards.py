"""Models that are spread over several files, which an index names."""

from __future__ import annotations

import json

import converting
import numpy as np
import pytest

from minialex import cli
from minialex.convert import __main__ as command
from minialex.convert import formats, safetensors_file
from minialex.runs import checkpoint


def shard(path, arrays):
    """A .safetensors file of float32 arrays."""
    described, at = {}, 0
    for name, array in arrays.items():
        described[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at := at + array.nbytes]}
    header = json.dumps(described).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(a.tobytes() for a in arrays.values()))


def index(tmp_path, places, name="model.safetensors.index.json"):
    text = json.dumps({"metadata": {"total_size": 3}, "weight_map": places})
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.fixture
def halves(tmp_path):
    """Two files of shapes_net's weights, {tensor: file}, and the weights."""
    weights = converting.build("shapes_net").state_dict()
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(weights)}
    for file in {*places.values()}:
        shard(tmp_path / file, {name: weights[name] for name in weights if places[name] == file})
    return places, weights


def test_the_files_together_are_the_weights(tmp_path, halves, capsys):
    places, weights = halves
    found = formats.read(index(tmp_path, places))
    converting.assert_same(found, weights)
    assert [*found] == [*weights]
    assert cli.run(command.main, [str(tmp_path / "model.safetensors.index.json"), str(tmp_path / "new.npz")]) == 0
    converting.assert_same(checkpoint.load(tmp_path / "new.npz").weights, weights)


def test_files_of_torch(tmp_path, torch, halves):
    places, weights = halves
    places = {
        name: file.replace("model", "pytorch_model").replace("safetensors", "bin") for name, file in places.items()
    }
    for file in {*places.values()}:
        state = {name: torch.from_numpy(weights[name]) for name in weights if places[name] == file}
        torch.save(state, tmp_path / file)
    converting.assert_same(formats.read(index(tmp_path, places, "pytorch_model.bin.index.json")), weights)


def test_an_index_of_the_library(tmp_path, torch):
    """As huggingface_hub splits a model."""
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    weights = converting.build("shapes_net").state_dict()
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    hub.save_torch_state_dict(tensors, tmp_path, max_shard_size=sum(a.nbytes for a in weights.values()) // 2)
    assert (tmp_path / "model.safetensors.index.json").exists()
    found = formats.read(tmp_path / "model.safetensors.index.json")
    converting.assert_same({name: found[name] for name in weights}, weights)


A, B = "a-1.safetensors", "a-2.safetensors"
ELSEWHERE = ["../a.safetensors", "/etc/a.safetensors", "b/a.safetensors", "..\\a.safetensors", "c:a.safetensors"]
ELSEWHERE += [".a.safetensors", "a.npz", "", "a.safetensors\n", 3, None, ["a.safetensors"], "x" * 300 + ".safetensors"]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"w": A, "v": "a-3.safetensors"}, "names the file a-3.safetensors, which is not beside it: all "),
        ({"w": A, "v": B, "x": B}, "says that x is in a-2.safetensors, which lacks it"),
        ({"w": A, "u": B}, "a-2.safetensors holds v, which .*json does not name"),
        (
            {"w": B, "v": B, "u": A},
            "a-2.safetensors holds v|a-1.safetensors holds w, which .* says is in a-2.safetensors",
        ),
        ({}, "is not the index of a model: it has no weight_map"),
        ([], "is not the index of a model: it has no weight_map"),
        *(({"w": place}, "says that w is in .*, which is not a .safetensors file beside it") for place in ELSEWHERE),
    ],
)
def test_an_index_that_does_not_fit(tmp_path, places, message):
    shard(tmp_path / A, {"w": np.ones(2, np.float32)})
    shard(tmp_path / B, {"v": np.ones(3, np.float32)})
    with pytest.raises(ValueError, match=message) as refused:
        formats.read(index(tmp_path, places))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 1000


def test_two_files_with_the_same_tensor(tmp_path):
    shard(tmp_path / A, {"w": np.ones(2, np.float32)})
    shard(tmp_path / B, {"v": np.ones(3, np.float32), "w": np.zeros(2, np.float32)})
    with pytest.raises(ValueError, match=r"a-2.safetensors holds w, which .*index.json says is in a-1.safetensors"):
        formats.read(index(tmp_path, {"w": A, "v": B}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "index.json is not JSON"),
        ("[" * 100_000, "index.json is not JSON"),
        ("[]", "is not the index of a model"),
        ('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', "has the key a twice"),
    ],
)
def test_a_damaged_index(tmp_path, text, message):
    (tmp_path / "a.safetensors.index.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        formats.read(tmp_path / "a.safetensors.index.json")


def test_a_damaged_file_is_named(tmp_path, halves):
    places, _ = halves
    file = tmp_path / "model-00002-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="model-00002-of-00002.safetensors is damaged"):
        formats.read(index(tmp_path, places))


def test_many_small_files_do_not_take_more_than_one(tmp_path, torch):
    """Each of them may take as much as 64 MiB; all together no more, while they are short."""
    places = {}
    for number in range(3):
        places[f"w{number}"] = f"{number}.bin"
        torch.save({f"w{number}": torch.ones(1).expand(6 * 2**20)}, tmp_path / f"{number}.bin")
    with pytest.raises(ValueError, match=r"2\.bin and the files before it take far more bytes of memory than they are"):
        formats.read(index(tmp_path, places, "a.bin.index.json"))


@pytest.mark.parametrize("dtype", ["F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])
def test_the_newer_types_of_eight_bits(tmp_path, dtype):
    """All 256 codes, against ml_dtypes."""
    name = {"F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}[dtype]
    kind = np.dtype(getattr(pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed"), name))
    codes = np.arange(256, dtype=np.uint8)
    header = json.dumps({"w": {"dtype": dtype, "shape": [16, 16], "data_offsets": [0, 256]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + codes.tobytes())
    found = safetensors_file.read(tmp_path / "a.safetensors")[0]["w"]
    np.testing.assert_array_equal(found.ravel(), codes.view(kind).astype(np.float32))
