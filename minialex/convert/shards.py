"""Reading weights that are spread over several files, which an index beside them names.

    {"metadata": {"total_size": bytes}, "weight_map": {tensor: name of its file}}

NAME.safetensors.index.json is for .safetensors files, pytorch_model.bin.index.json for files of torch.save.

https://huggingface.co/docs/transformers/big_models, "Sharded checkpoints"
"""

from __future__ import annotations

from pathlib import Path

from ..support import npz, schema
from ..support.text import printable


def read(path, suffix, read_one):
    """Read all files of an index.

    path: of the index.
    suffix: of the files that it names, such as ".safetensors".
    read_one: a function of a path that returns {name: array}.

    Returns {name: array}, in the order of the index.
    Raises OSError where a file cannot be read; ValueError where one is missing or damaged, the index is damaged or
    names files elsewhere, or the tensors in the files are not those that it names.
    """
    places = _weight_map(path, suffix)
    found, length = {}, 0
    for shard in dict.fromkeys(places.values()):
        whole = Path(path).with_name(shard)
        if not whole.is_file():
            raise ValueError(
                f"{path} names the file {shard}, which is not beside it: all files of the model are needed"
            )
        for name, array in read_one(whole).items():
            if places.get(name) != shard:
                told = f"says is in {places[name]}" if name in places else "does not name"
                raise ValueError(f"{whole} holds {printable(name[:100])}, which {path} {told}")
            found[name] = array
        length += whole.stat().st_size
        if sum(array.nbytes for array in found.values()) > npz.allowance(length):
            raise ValueError(f"{whole} and the files before it take far more bytes of memory than they are long")
    if missing := [name for name in places if name not in found]:
        raise ValueError(f"{path} says that {printable(missing[0][:100])} is in {places[missing[0]]}, which lacks it")
    return {name: found[name] for name in places}


def _weight_map(path, suffix):
    """{tensor: file beside the index}."""
    try:
        index = schema.from_json_file(Path(path))
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places:
        raise ValueError(f"{path} is not the index of a model: it has no weight_map of tensors and their files")
    for name, shard in places.items():
        plain = isinstance(shard, str) and shard == printable(shard) and len(shard) <= 200
        if not plain or not shard.endswith(suffix) or {"/", "\\", ":"} & {*shard} or shard.startswith("."):
            shown = f"{printable(repr(shard)[:100])}, which is not"
            raise ValueError(f"{path} says that {printable(name[:100])} is in {shown} a {suffix} file beside it")
    return places
