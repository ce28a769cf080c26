"""What is tried with mutated files: every kind of file that minialex reads."""

from __future__ import annotations

import functools
import io
import json
import pickle
import tarfile
import tempfile
import zlib
from pathlib import Path

import keras_models
import numpy as np
from fuzz import caffe, cfg_pairs
from fuzz.fuzzing import Target
from photographs import pixels
from PIL import Image

import minialex
from minialex import data, models, nn, train
from minialex.convert import Imported, describe, formats
from minialex.convert import __main__ as conversion
from minialex.convert.loading import Given, described
from minialex.data import Normalize, cache, cifar10, decode, download, listing, pack
from minialex.models import own
from minialex.runs import checkpoint, page, trained
from minialex.runs.folder import RunFolder
from minialex.runs.run import Run
from minialex.support import resources
from minialex.support.errors import UserError
from minialex.support.text import printable
from minialex.training import evaluation, recipe, recipes
from minialex.training.trainer import Diverged

TINY = """
from minialex import nn

input_size = 8

def net(num_classes=4, input_size=8):
    return nn.Sequential({
        "conv": nn.Conv2d(3, 2, 3, stride=2), "norm": nn.BatchNorm2d(2), "flatten": nn.Flatten(),
        "fc": nn.Linear(2 * ((input_size - 1) // 2) ** 2, num_classes),
    })
"""


def contents(folder):
    """{relative name: content} of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def only_file(folder):
    """The path of the file in a folder."""
    if found := list(folder.iterdir()):
        return found[0]
    raise FileNotFoundError(f"{folder} is empty")


def silent(text):
    pass


# --------------------------------------------------------------------------------------- run folders and checkpoints


@functools.cache
def registered():
    """The name of a network of three layers, smaller than any published one."""
    path = Path(resources.cache_folder()) / "tiny.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TINY)
    return own.register(f"{path}:net")


def a_run(folder, *options):
    """A run that stopped in its second epoch, without figures."""
    words = ["--limit", 6, "--batch-size", 2, "--epochs", 3, "--seed", 3, "--threads", 1, "--backend", "numpy"]
    words += options
    configuration = train.configured(train.parser().parse_args([str(word) for word in words]))
    run = Run(configuration, RunFolder.create(folder), say=silent)
    run.folder.write_configuration(configuration)
    run.folder.keep_steps(0)
    for _ in run.trainer.steps():
        pass
    run.trainer.finish_epoch(run.validation_batches())
    run.trainer.history[0] |= {"seconds": 1.5, "images_per_second": 4.0}  # by no clock: the same in every process
    next(run.trainer.steps())
    run.trainer.seconds = 0.5
    run.save()
    run.folder.save_best(run.snapshot())
    release(run)


def release(run):
    """Give up the folder of a run."""
    run.folder.release()


@functools.cache
def run_files():
    """The files of two runs, of a published network and of one's own."""
    runs = ("--model", "shapes_net", "--input-size", 16), ("--model", registered(), "--optimizer", "adam", "--diagnose")
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(number) for number in range(len(runs))]
        for place, options in zip(places, runs):
            a_run(place, *options)
        return [contents(place) for place in places]


def run_samples(folder):
    wanted = "config.json", "metrics.csv", "steps.csv", "last.npz"
    return [{f"run/{name}": files[name] for name in wanted} for files in run_files()]


def read_run(folder):
    """What --resume does, up to the first step."""
    run = Run.resume(folder / "run", epochs=3, say=silent)
    try:
        return continued(run, folder)
    finally:
        release(run)


def continued(run, folder):
    run.folder.write_configuration(run.configuration)
    run.folder.write_metrics(run.trainer.history)
    run.folder.keep_steps(run.steps_done())
    shown = [text.replace(str(folder), "") for text in (run.header(), run.command())]
    shown.append(page._last(run.trainer.history))
    steps = run.trainer.steps()
    losses = [next(steps, None)]
    steps.close()
    snapshot = checkpoint.to_arrays(run.snapshot())
    state = json.loads(snapshot.pop("checkpoint").tobytes())
    state["trainer_state"].pop("seconds")
    return [shown, losses, snapshot, state, run.steps_done()]


def checkpoint_samples(folder):
    picture = io.BytesIO()
    Image.fromarray(pixels(3, 9, 12)).save(picture, "PNG")
    runs = run_files()
    files = [runs[0]["best.npz"], runs[1]["best.npz"], runs[1]["last.npz"], a_graph(folder)]
    return [{"weights.npz": file, "picture.png": picture.getvalue()} for file in files]


def a_graph(folder):
    """A checkpoint of a network that is described as data."""
    draw = np.random.default_rng(4)
    shift = nn.Parameter(np.ones((1, 4, 1, 1), np.float32))
    layers = [
        ("conv", nn.Conv2d(3, 4, 3, padding=((0, 1), (1, 1))), "x"),
        ("norm", nn.BatchNorm2d(4), "conv"),
        ("relu", nn.ReLU(), "norm"),
        ("lrn", nn.LocalResponseNorm(3), "relu"),
        ("pool", nn.MaxPool2d(3, 2, 1, ceil_mode=True), "lrn"),
        ("shift", shift, []),
        ("sum", nn.Add(), ["pool", "shift"]),
        ("again", nn.Concat(), ["sum", "pool"]),
        ("clip", nn.Call("clamp", min=0.0, max=6.0), "again"),
        ("flat", nn.Reshape(-1), "clip"),
        ("fc", nn.Linear(8 * 5 * 4, 4), "flat"),
    ]
    network = nn.Graph(layers)
    for p in network.parameters():
        p.data[...] = draw.standard_normal(p.shape)
    saved, _ = described(Imported(network, (3, 8, 8), "BGR", Normalize(np.ones((3, 1, 1)))), "a.onnx", Given())
    checkpoint.save(folder / "graph.npz", saved)
    content = (folder / "graph.npz").read_bytes()
    (folder / "graph.npz").unlink()
    return content


def read_checkpoint(folder):
    """What predict does."""
    network = trained.load(folder / "weights.npz")
    image = decode.decode(folder / "picture.png", network.resize)
    try:
        answers = np.exp(evaluation.log_probabilities(network, image[None], 1))
    except evaluation.NotFinite:
        answers = None
    assert answers is None or answers.shape == (1, len(network.classes))
    assert all(isinstance(name, str) and printable(name) == name for name in network.classes)
    network.columns(network.classes[::-1] if len({*network.classes}) == len(network.classes) else network.classes)
    return [vars(network.checkpoint), answers]


# ------------------------------------------------------------------------------------------------- weights of others


def weights():
    """A state dict with numbers of several types."""
    draw = np.random.default_rng(1)
    return {
        "conv.weight": draw.standard_normal((2, 3, 3, 3)).astype(np.float32),
        "conv.bias": draw.standard_normal(2),
        "fc.weight": draw.standard_normal((4, 18)).astype(np.float16),
        "fc.bias": np.arange(4, dtype=np.int64),
        "norm.num_batches_tracked": np.array(7),
    }


def read_weights(folder):
    """What convert does, for a network that is named."""
    path = only_file(folder)
    found = formats.read(path)
    if isinstance(found, checkpoint.Checkpoint):
        found.build_model()
        return vars(found)
    try:
        described = vars(describe(found, registered(), input_size=8))
    except ValueError as error:
        if "do" not in str(error):
            raise
        described = None
    return [found, described]


def a_checkpoint(folder):
    (folder / "a.npz").write_bytes(run_files()[1]["last.npz"])
    return checkpoint.load(folder / "a.npz")


def arrays_samples(folder):
    samples = []
    for save, arrays in ((np.savez, weights()), (np.savez_compressed, weights()), (np.savez, run_weights(folder))):
        file = io.BytesIO()
        save(file, **arrays)
        samples.append({"weights.npz": file.getvalue()})
    return samples


def run_weights(folder):
    return a_checkpoint(folder).weights


def safetensors(tensors, metadata=None):
    """A .safetensors file of {name: (dtype, shape, bytes)}."""
    described, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, (dtype, shape, content) in tensors.items():
        described[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at := at + len(content)]}
    header = json.dumps(described).encode()
    return len(header).to_bytes(8, "little") + header + b"".join(content for *_, content in tensors.values())


def of_arrays(arrays):
    names = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
    return {name: (names[str(a.dtype)], a.shape, np.ascontiguousarray(a).tobytes()) for name, a in arrays.items()}


def safetensors_samples(folder):
    odd = {"a": ("BF16", [3], bytes(range(6))), "b": ("F8_E4M3", [2, 2], b"\x01\x7f\x80\x34")}
    state, rest, text = formats._flat(a_checkpoint(folder), False)
    described = of_arrays(state) | of_arrays({f"checkpoint/{name}": array for name, array in rest.items()})
    files = (
        safetensors(of_arrays(weights()) | odd, {"format": "pt"}),
        safetensors(of_arrays(run_weights(folder))),
        safetensors(described, {"checkpoint": text}),
    )
    return [{"weights.safetensors": file} for file in files]


def torch_samples(folder):
    import torch

    state = {name: torch.from_numpy(np.asarray(array)) for name, array in run_weights(folder).items()}
    nested = {"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "lr": 0.1}
    odd = {name: torch.from_numpy(np.asarray(array)) for name, array in weights().items()}
    odd |= {"half": torch.ones(3, dtype=torch.bfloat16), "view": torch.arange(12.0).reshape(3, 4).t()[1:]}
    samples = []
    for obj, new in ((state, True), (nested, True), (odd, True), (odd, False), (nested, False)):
        file = io.BytesIO()
        torch.save(obj, file, _use_new_zipfile_serialization=new)
        samples.append({"weights.pth": file.getvalue()})
    formats.write(folder / "described.pth", a_checkpoint(folder), False)
    return [*samples, {"weights.pth": (folder / "described.pth").read_bytes()}]


def keras_samples(folder):
    """Files that Keras has written, of which model_config is followed by room for a longer one."""
    import h5py

    with np.load(Path(__file__).parents[1] / "golden/keras.npz") as stored:
        names = "sequential.h5", "functional.h5", "nested.h5", "functional.keras", "simple.keras", "double.weights.h5"
        files = {name: stored[name].tobytes() for name in names}
    for name in [name for name in files if name.endswith(".h5") and not name.endswith(".weights.h5")]:
        path = folder / name
        path.write_bytes(files[name])
        with h5py.File(path, "a") as file:
            text = file.attrs["model_config"]
            del file.attrs["model_config"]
            file.attrs["model_config"] = text + " " * 4000
        files[name] = path.read_bytes()
    draw = np.random.default_rng(3).standard_normal
    arrays = {"conv1": [(3, 2, 3, 4), (4,)], "flatten": [], "fc": [(80, 6), (6,)]}
    weights = {
        name: dict(zip(("kernel", "bias"), (draw(shape).astype(np.float32) for shape in shapes)))
        for name, shapes in arrays.items()
    }
    for model in (keras_models.KERAS_1, keras_models.KERAS_2, keras_models.MODEL):
        path = keras_models.write_old(h5py, folder / "old.h5", model, weights, room=4000)
        files[f"{len(files)}.h5"] = path.read_bytes()
    return [{f"model{name[name.index('.') :]}": content} for name, content in files.items()]


def read_keras(folder):
    found = formats.read(only_file(folder))
    if isinstance(found, dict):
        return found
    normalization = found.normalization and found.normalization.to_arrays()
    return [repr(found.network), found.network.state_dict(), found.input_shape, normalization, found.origin]


def layers():
    """{layer: arrays} in TensorFlow's order of axes, whose weights fit a network of TINY's form."""
    found = weights()
    return {
        "conv": [found["conv.weight"].transpose(2, 3, 1, 0), found["conv.bias"]],
        "fc": {"weights": found["fc.weight"].T, "biases": found["fc.bias"]},
    }


def npy_samples(folder):
    objects = np.empty((), object)
    objects[()] = layers()
    samples = []
    for protocol in (2, 3, 4, 5):
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        samples.append({"weights.npy": file.getvalue() + pickle.dumps(objects, protocol)})
    file = io.BytesIO()
    np.savez(file, objects)
    return [*samples, {"weights.npz": file.getvalue()}]


def shards_samples(folder):
    found = of_arrays(weights())
    names = [*found]
    samples = []
    for cut in (1, 3):
        parts = {"a-1.safetensors": names[:cut], "a-2.safetensors": names[cut:]}
        index = {"metadata": {"total_size": 9}, "weight_map": {n: part for part, of in parts.items() for n in of}}
        files = {part: safetensors({name: found[name] for name in of}) for part, of in parts.items()}
        samples.append({**files, "a.safetensors.index.json": json.dumps(index).encode()})
    return samples


def read_shards(folder):
    return formats.read(folder / "a.safetensors.index.json")


def onnx_samples(folder):
    """Networks of many operators: our exporter's, one with numbers beside it, one whose shapes are computed."""
    from onnx_graphs import Graph

    formats.write(folder / "ours.onnx", a_checkpoint(folder), False)
    g = Graph(13, (4, 6, 5))
    y = g("Relu", g("Conv", "x", g.random(6, 2, 3, 3), g.random(6), group=2, pads=[1, 0, 1, 2], name="/a/a.0/Conv"))
    y = g("BatchNormalization", y, *(g.random(6) for _ in range(3)), g.random(6, low=0.1))
    y = g("AveragePool", g("LRN", y, size=3, alpha=0.1), kernel_shape=[2, 2], auto_pad="SAME_LOWER")
    y = g("MaxPool", g("Concat", y, y, axis=1), kernel_shape=[3, 2], strides=[2, 1], ceil_mode=1, pads=[0, 0, 1, 0])
    gate = g("Sigmoid", g("ReduceMean", y, axes=[2, 3], keepdims=1))
    y = g("Mul", g("Pad", y, np.array([0, 0, 1, 0, 0, 0, -1, 2])), gate)
    n = g("Unsqueeze", g("Gather", g("Shape", "x"), np.int64(0)), np.array([0]))
    y = g("Reshape", g("GlobalMaxPool", y), g("Concat", n, np.array([-1]), axis=0))
    y = g("Add", g("MatMul", y, g("Transpose", g.random(5, 12))), g.random(5))
    first = g.model(g("Softmax", g("Clip", g("Gemm", y, g.random(4, 5), transB=1), np.float32(-1), np.float32(9))))
    g = Graph(9, (3, 6, 6), batch=2)
    a, b = g("Split", "x", axis=2, split=[2, 4], outputs=2)
    y = g("Slice", g("Concat", b, a, axis=2), starts=[0, 1], ends=[9, -1], axes=[3, 2])
    y = g("PRelu", g("Sub", g("Transpose", y, perm=[0, 2, 1, 3]), np.float32(0.5)), g.random(4, 1, 1))
    y = g(
        "Sum", y, g("Squeeze", g("Unsqueeze", g("Elu", y), axes=[1]), axes=[1]), g("Constant", value=g.initializers[0])
    )
    second = g.model(g("Gemm", g("Dropout", g("Flatten", y), ratio=0.4), g.random(72, 3), g.random(3), beta=0.5))
    numbers = b""
    for tensor in second.graph.initializer:
        for key, value in (("location", "w.bin"), ("offset", len(numbers)), ("length", len(tensor.raw_data))):
            tensor.external_data.add(key=key, value=str(value))
        numbers += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = 1
    ours = (folder / "ours.onnx").read_bytes()
    beside = {"a.onnx": second.SerializeToString(), "w.bin": numbers}
    return [{"a.onnx": ours}, {"a.onnx": first.SerializeToString()}, beside]


def read_onnx(folder):
    """What predict does, with networks whose results are small; whatever is accepted can be computed."""
    from minialex.convert import onnx_node

    whole, onnx_node.LARGEST_RESULT = onnx_node.LARGEST_RESULT, 2**16
    try:
        read = formats.read(folder / "a.onnx")
    finally:
        onnx_node.LARGEST_RESULT = whole
    network = read.network.eval()
    names = [*network.state_dict(), *network, read.origin, *(read.classes or ())]
    assert all(printable(name) == name and name for name in names) and len({*network}) == len([*network])
    found = [names, dict(network.state_dict()), read.input_shape, repr(network), vars(read.normalization or object)]
    if read.input_shape is None or np.prod(read.input_shape) > 2**16:
        return found
    dtype = next((p.dtype for p in network.parameters()), np.float32)
    with minialex.no_grad(), np.errstate(all="ignore"):
        y = network(minialex.Tensor(np.ones((2, *read.input_shape), dtype)))
    assert y.shape[0] == 2
    return [*found, y.shape]


# ----------------------------------------------------------------------------------------------------- minialex.save


def saved_samples(folder):
    shared = minialex.Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)
    nested = {
        "model": {"fc.weight": shared, "again": shared, "half": np.arange(3, dtype=np.float16)},
        "list": [1, 2.5, None, True, "text", (shared, [])],
        3: np.float32(1.5),
        (1, "x"): {"empty": np.zeros((0, 3)), "words": np.array(["a", "bc"]), "nan": float("nan")},
    }
    samples = []
    for obj in (nested, [1, 2, 3], shared):
        file = io.BytesIO()
        minialex.save(obj, file)
        samples.append({"saved": file.getvalue()})
    return samples


def plain(value):
    """Tensors as arrays, for comparing."""
    if isinstance(value, minialex.Tensor):
        return ["tensor", value.requires_grad, value.numpy()]
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


def read_saved(folder):
    return plain(minialex.load(folder / "saved"))


# -------------------------------------------------------------------------------------------------------- pictures


def _picture(kind, image, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def pictures():
    """{file name: content} of small pictures of all common formats and modes."""
    image = Image.fromarray(pixels(1, 13, 18))
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 11, 3), np.uint8))
    faint = image.copy()
    faint.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray(pixels(4, 12, 12)[..., 0].astype(np.uint16) * 257)
    wide = Image.fromarray(pixels(5, 12, 12)[..., 0].astype(np.int32))
    real = Image.fromarray(pixels(6, 12, 12)[..., 0].astype(np.float32))
    turned = Image.Exif()
    turned[0x0112], turned[0x010E] = 6, "a description"
    coloured = image.quantize(16)
    made = {
        "rgb.jpg": _picture("JPEG", image, exif=turned),
        "progressive.jpg": _picture("JPEG", noise, progressive=True, quality=95),
        "grey.jpeg": _picture("JPEG", image.convert("L")),
        "cmyk.jpg": _picture("JPEG", image.convert("CMYK")),
        "rgb.png": _picture("PNG", image, exif=turned),
        "grey.png": _picture("PNG", image.convert("L")),
        "faint.png": _picture("PNG", faint),
        "deep.png": _picture("PNG", deep),
        "bits.png": _picture("PNG", image.convert("1")),
        "palette.png": _picture("PNG", coloured, transparency=3),
        "moving.png": _picture("PNG", image, save_all=True, append_images=[image.rotate(180)]),
        "rgb.gif": _picture("GIF", image),
        "moving.gif": _picture("GIF", coloured, save_all=True, append_images=[coloured.rotate(180)], transparency=2),
        "raw.tif": _picture("TIFF", image, exif=turned),
        "lzw.tif": _picture("TIFF", noise, compression="tiff_lzw"),
        "deflated.tiff": _picture("TIFF", faint, compression="tiff_adobe_deflate"),
        "jpeg.tif": _picture("TIFF", image, compression="jpeg"),
        "fax.tif": _picture("TIFF", image.convert("1"), compression="group4"),
        "deep.tif": _picture("TIFF", deep),
        "wide.tif": _picture("TIFF", wide),
        "real.tif": _picture("TIFF", real),
        "lossy.webp": _picture("WEBP", image, exif=turned),
        "lossless.webp": _picture("WEBP", noise, lossless=True),
        "faint.webp": _picture("WEBP", faint),
        "rgb.bmp": _picture("BMP", image),
        "palette.bmp": _picture("BMP", coloured),
        "rgb.ppm": _picture("PPM", image),
        "deep.ppm": b"P5\n4 3\n65535\n" + bytes(range(24)),
        "text.ppm": b"P2\n3 2\n255\n0 1 2\n3 4 255\n",
        "rgb.tga": _picture("TGA", image, compression="tga_rle"),
        "icon.ico": _picture("ICO", faint.resize((16, 16))),
        "tall.png": _picture("PNG", Image.new("RGB", (1, 300), "red")),
    }
    return made


def picture_samples(folder):
    return [{name: content} for name, content in pictures().items()]


def read_picture(folder):
    path = only_file(folder)
    image = decode.decode(path, 16)
    assert image.dtype == np.uint8 and image.shape == (3, 16, 16)
    return image


PICTURES = {f"*{suffix}": "picture" for suffix in (*decode.EXTENSIONS, ".tga", ".ico")}
SAME_PICTURES = {f"*.{suffix}": "picture" for suffix in ("jpg", "jpeg", "png", "gif", "webp", "bmp")}


def folder_samples(folder):
    some = pictures()
    train_files = {
        f"train/{kind}/{number}{Path(name).suffix}": some[name]
        for kind, names in (("a", ("rgb.jpg", "faint.png", "moving.gif")), ("b", ("lzw.tif", "lossy.webp", "rgb.bmp")))
        for number, name in enumerate(names)
    }
    with_val = train_files | {"val/a/x.png": some["rgb.png"], "val/b/y.jpg": some["cmyk.jpg"], "val/b/notes.txt": b"x"}
    return [with_val, {name.removeprefix("train/"): content for name, content in train_files.items()}]


def used(splits):
    """Everything that training asks of splits."""
    classes = splits.train.classes
    assert all(printable(name) == name for name in classes) and len({*classes}) == len(classes)
    found = [classes]
    for part in splits:
        if part is not None:
            images, labels = part.fetch(np.arange(len(part)))
            assert images.dtype == np.uint8 and images.shape == (len(part), *part.image_shape)
            assert labels.min() >= 0 and labels.max() < len(classes)
            found += [images, labels, part.labels]
    normalize = data.Normalize.channels(splits.train)
    statistics = data.statistics(splits.train)
    noise = data.ColorNoise(0.1, statistics, "eigenvalue", normalize.std)
    words = np.random.default_rng(0).integers(0, 2**32, (1, 4), np.uint32)
    return [*found, vars(normalize), statistics.mean_image, noise(normalize(splits.train.fetch([0])[0], words), words)]


def read_folder(folder):
    return used(data.load("folder", data_dir=folder, size=8, workers=1))


# ----------------------------------------------------------------------------------------- labels, classes, recipes


def label_samples(folder):
    """Pictures of which only the names count, with each of the files that label and name them."""
    trained_on = {f"train/n0{kind}/{i}.jpg": b"" for kind in "123" for i in range(2)}
    names = b"n01 tench, Tinca tinca\nn02 crane\nn03 crane\n"
    validating = {f"val/ILSVRC2012_val_{i:08}.JPEG": b"" for i in range(1, 4)}
    caffe = "".join(f"ILSVRC2012_val_{i:08}.JPEG {i - 1}\n" for i in range(1, 4)).encode()
    named = "".join(f"ILSVRC2012_val_{i:08}.JPEG n0{i}\n" for i in range(1, 4)).encode()
    kaggle = "".join(f"ILSVRC2012_val_{i:08},n0{i} 1 2 3 4 n0{i} 5 6 7 8\n" for i in range(1, 4)).encode()
    solution = b"ImageId,Prediction\n" + kaggle
    kit = {"ILSVRC2012_validation_ground_truth.txt": b"1\n3\n2\n", "meta.mat": b"MATLAB 5.0 MAT-file" + bytes(200)}
    return [
        trained_on | validating | {"classes.txt": names, "val.txt": caffe},
        trained_on | validating | {"classes.txt": names, "val.txt": named},
        trained_on | validating | {"LOC_synset_mapping.txt": names, "LOC_val_solution.csv": solution},
        trained_on | validating | {"val.txt": caffe} | kit,
    ]


def read_labels(folder):
    classes, training, validation = listing.read(folder)
    assert all(printable(name) == name for name in classes) and len({*classes}) == len(classes)
    return [classes, training.labels, validation.names, validation.labels]


def name_samples(folder):
    return [{"names.txt": b"tench\ngoldfish\n\ngreat white shark\n"}, {"names.txt": "Vögel\n魚\n".encode()}]


def read_names(folder):
    names = conversion._lines(folder / "names.txt")
    assert all(printable(name) == name for name in names)
    return names


@functools.cache
def small_network():
    return models.build("shapes_net", input_size=16, num_classes=4)


def recipe_samples(folder):
    every = b"""
epochs = 12
batch_size = 8
lr = 0.01
schedule = "warmup:2+step:3:0.5"
momentum = 0.8
optimizer = "sgd"
weight_decay = {conv = 0.001, fc = 0}
bias_lr = 2
bias_decay = false
bias_schedule = "constant"
layer_schedules = {conv1 = "multistep:3,4", fc4 = "cosine"}
freeze_from = {conv1 = 5}
init_std = {all = 0.1, fc5 = 0.01}
init_bias = {conv2 = 1}
normalization = "mean-image"
crop_padding = 2
flip = true
color_noise = 0.1
color_noise_by = "std"
color_noise_until = 3
clip_grad_norm = 2.5
"""
    files = [every, b'lr = 0.1\noptimizer = "adam"\nschedule = "plateau:3:0.1:2"\n']
    return [{"my.toml": text} for text in (*files, *(path.read_bytes() for path in recipes.FOLDER.glob("*.toml")))]


def read_recipe(folder):
    """What train does with a recipe, for a network of its own names."""
    found = recipes.apply(str(folder / "my.toml"), models.PRESETS["shapes_net"].recipe)
    network = small_network()
    optimizer = recipe.make_optimizer(network, found)
    frozen = [epochs for epochs, _ in recipe.frozen_modules(network, found)]
    try:  # no error of these becomes a sentence
        schedule = recipe.make_schedule(network, found, optimizer)
        recipe.set_initial_values(network, found)
        described = [recipe.describe_decay(found), recipe.absent_layers(network, found)]
        rates = []
        for _ in range(4):
            rates.append([group["lr"] for group in optimizer.param_groups])
            schedule.step(*([1.0] if "plateau" in found.schedule else []))
    except Exception as error:
        raise AssertionError("a recipe that was accepted cannot be used") from error
    return [vars(found), frozen, described, rates]


# ----------------------------------------------------------------------------------- packs, CIFAR-10, cache, archives


def pack_samples(folder):
    samples = []
    for number, with_val in enumerate((True, False)):
        root, out = folder / f"pictures{number}", folder / f"pack{number}"
        for name, content in folder_samples(folder)[0].items():
            if with_val or not name.startswith("val/"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content)
        classes, training, validation = listing.read(root)
        pack.pack(out, classes, {"train": training, "val": validation}, size=8, shard=4)
        samples.append(contents(out))
    return samples


def with_checksums(files):
    """A pack whose index has the lengths and checksums of its files, where it is still JSON of that form."""
    try:
        index = json.loads(files["pack.json"])
        for name, entry in index["files"].items():
            entry |= {"bytes": len(files[name]), "crc32": zlib.crc32(files[name])}
        return files | {"pack.json": json.dumps(index).encode()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return files


def read_pack(folder):
    return used(data.load("folder", data_dir=folder))


RECORDS = 3


def cifar_samples(folder):
    files = {}
    for number, name in enumerate((*cifar10.TRAINING_FILES, cifar10.TEST_FILE)):
        records = np.random.default_rng(number).integers(0, 10, (RECORDS, cifar10.RECORD_BYTES), np.uint8)
        files[f"{cifar10.FOLDER}/{name}"] = records.tobytes()
    names = "airplane automobile bird cat deer dog frog horse ship truck".replace(" ", "\n") + "\n\n"
    return [files | {f"{cifar10.FOLDER}/{cifar10.NAMES_FILE}": names.encode()}]


def read_cifar(folder):
    """With three pictures in each file instead of 10,000."""
    official, cifar10.RECORDS = cifar10.RECORDS, RECORDS
    try:
        return used(data.load("cifar10", data_dir=folder, validation=4))
    finally:
        cifar10.RECORDS = official


def cache_samples(folder):
    file = io.BytesIO()
    np.savez(file, **_computed())
    return [{"entry.npz": file.getvalue()}]


def _computed():
    return {"count": np.array(3), "total": np.arange(12).reshape(3, 2, 2), "reasons": np.array(["cut short"])}


def read_cached(folder):
    """A file of the cache, which may be as damaged as it likes: then what it holds is computed again."""
    path = resources.cache_folder() / "statistics" / "fuzzed.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / "entry.npz").is_file():
        return sorted(_computed())
    path.write_bytes((folder / "entry.npz").read_bytes())
    found = cache.cached("fuzzed", tuple(_computed()), _computed)
    assert found.keys() == _computed().keys()
    assert all(isinstance(array, np.ndarray) for array in found.values())
    return sorted(found)


def archive_samples(folder):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for name, content in (("files/a.bin", b"abc" * 100), ("files/b.txt", b"text"), ("files/empty", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    plain_tar = io.BytesIO()
    with tarfile.open(fileobj=plain_tar, mode="w") as tar:
        info = tarfile.TarInfo("files/a.bin")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"abcde"))
    return [{"in/archive.tar": file.getvalue()}, {"in/archive.tar": plain_tar.getvalue()}]


def read_archive(folder):
    """The archive of CIFAR-10 as it is unpacked; nothing may appear but the folder `files`."""
    target = folder / "in" / "files"
    if not (folder / "in" / "archive.tar").is_file():
        raise FileNotFoundError("there is no archive")
    try:
        download.unpack(folder / "in" / "archive.tar", target)
        return contents(target)
    finally:
        present = {path.name for path in (folder / "in").iterdir()} | {path.name for path in folder.iterdir()}
        assert present <= {"in", "archive.tar", "files"}, present
        links = [path for path in folder.rglob("*") if path.is_symlink() and path.name != "archive.tar"]
        assert not links, links


TARGETS = {
    "checkpoint": Target(checkpoint_samples, read_checkpoint, {"weights.npz": "npz"}, {"weights.npz": "npz"}),
    "run": Target(
        run_samples,
        read_run,
        {"*.json": "json", "*.csv": "text", "*.npz": "npz"},
        {"*.json": "json", "*.npz": "npz"},
        writes=True,
        raises=(UserError, OSError, Diverged),
    ),
    "pack": Target(
        pack_samples,
        read_pack,
        {"pack.json": "json", "*.npy": "npy", "*.npz": "npz"},
        {"pack.json": "json"},
        repaired=with_checksums,
    ),
    "arrays": Target(arrays_samples, read_weights, {"*.npz": "npz"}, {"*.npz": "order"}),
    "safetensors": Target(
        safetensors_samples, read_weights, {"*.safetensors": "safetensors"}, {"*.safetensors": "safetensors"}
    ),
    "npy": Target(npy_samples, read_weights, {"*.npy": "pickled", "*.npz": "npz"}, {"*.npz": "order"}),
    "shards": Target(
        shards_samples,
        read_shards,
        {"*.json": "json", "*.safetensors": "safetensors"},
        {"*.json": "json", "*.safetensors": "safetensors"},
    ),
    "torch": Target(torch_samples, read_weights, {"*.pth": "torch"}, needs=("torch",)),
    "keras": Target(
        keras_samples, read_keras, {"*.keras": "keras", "*.h5": "keras"}, {"*.keras": "order"}, needs=("h5py",)
    ),
    "onnx": Target(
        onnx_samples, read_onnx, {"a.onnx": "protobuf", "w.bin": "bytes"}, {"a.onnx": "protobuf"}, needs=("onnx",)
    ),
    "saved": Target(saved_samples, read_saved, {"saved": "npz"}, {"saved": "stored"}),
    "picture": Target(picture_samples, read_picture, PICTURES, SAME_PICTURES),
    "folder": Target(
        folder_samples,
        read_folder,
        PICTURES,
        SAME_PICTURES,
        says=r"left out: |\S+: [\d,]+ (of [\d,]+ pictures are damaged|other files are not images)",
    ),
    "labels": Target(
        label_samples,
        read_labels,
        {"*.txt": "text", "*.csv": "text", "*.mat": "bytes"},
        {"classes.txt": "text", "LOC*": "text", "val.txt": "text"},
    ),
    "names": Target(name_samples, read_names, {"names.txt": "text"}, {"names.txt": "text"}),
    "recipe": Target(recipe_samples, read_recipe, {"*.toml": "toml"}, {"*.toml": "toml"}),
    "cifar10": Target(cifar_samples, read_cifar, {"*.bin": "bytes", "*.txt": "text"}, {"*.txt": "text"}),
    "cache": Target(cache_samples, read_cached, {"*.npz": "npz"}, {"*.npz": "npz"}, raises=()),
    "caffe": caffe.TARGET,
    "cfg": cfg_pairs.TARGET,
    "archive": Target(archive_samples, read_archive, {"*.tar": "tar"}, writes=True),
}
