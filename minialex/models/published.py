"""Published files of trained weights: where they are, how to check them, and what their input looks like.

Addresses and checksums are copied from the sources that each row names. No file was downloaded when this table was
written, so `tried` says of each whether minialex has read the file itself, or only files of the same form.

A row is added with the lines of a public source that state its address and its checksum, and with no other ones.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Published:
    """A file of trained weights.

    name: in `--weights NAME`.
    summary: whose weights they are, and their accuracy as their authors state it.
    preset: name of the network in models.PRESETS; None where the file describes its network itself.
    file: name of the file.
    url: its address.
    kind, digest: of its checksum, "md5", "sha1" or "sha256", and hexadecimal digits: all of them, or the first ones.
    size: of the file, bytes; None where no source states it.
    mean, std: which are subtracted and divided by, for red, green and blue of 0 to 255.
    channel_order: "RGB" or "BGR", what the first convolution expects.
    resize: pixels to which the shorter side of an image is resized before its centre is cropped.
    input_size: pixels per side of that crop.
    num_classes: the number of logits; the 1,000 of ILSVRC 2012 have names, see convert/published.py.
    source: what states the address, the checksum and the preprocessing.
    tried: whether this very file has been read by minialex.
    """

    name: str
    summary: str
    preset: str | None
    file: str
    url: str
    kind: str
    digest: str
    size: int | None
    mean: RGB
    std: RGB
    channel_order: str
    resize: int
    input_size: int
    num_classes: int
    source: str
    tried: bool = False


TABLE = {
    row.name: row
    for row in (
        Published(
            name="torchvision",
            summary="torchvision's AlexNet_Weights.IMAGENET1K_V1: top-1 56.522 %, top-5 79.066 % of the centre crops",
            preset="alexnet_torchvision",
            file="alexnet-owt-7be5be79.pth",
            url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            kind="sha256",
            digest="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            size=244_408_911,
            mean=(255 * 0.485, 255 * 0.456, 255 * 0.406),
            std=(255 * 0.229, 255 * 0.224, 255 * 0.225),
            channel_order="RGB",
            resize=256,
            input_size=224,
            num_classes=1000,
            source="pytorch/vision, torchvision/models/alexnet.py: the address and the accuracies; "
            "torchvision/transforms/_presets.py: the preprocessing. The file's name has the first eight digits of its "
            "SHA-256 (pytorch/pytorch, torch/hub.py, load_state_dict_from_url); all digits and the size are those that "
            "several public repositories recorded of their downloads",
        ),
        Published(
            name="caffe",
            summary="Caffe's bvlc_alexnet, iteration 360,000: top-1 57.1 %, top-5 80.2 % of the centre crops",
            preset="alexnet_caffe",
            file="bvlc_alexnet.caffemodel",
            url="http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
            kind="sha1",
            digest="9116a64c0fbe4459d18f4bb6b56d647b63920377",
            size=243_862_414,
            mean=(122.67891434, 116.66876762, 104.00698793),
            std=(1.0, 1.0, 1.0),
            channel_order="BGR",
            resize=256,
            input_size=227,
            num_classes=1000,
            source="BVLC/caffe, models/bvlc_alexnet/readme.md: caffemodel_url, sha1 and the accuracies. "
            "examples/00-classification.ipynb: blue first, from 0 to 255, minus the mean pixel of ilsvrc_2012_mean.npy "
            "(104, 117, 123, says openvinotoolkit/open_model_zoo, models/public/alexnet/README.md; the size is from "
            "model.yml beside it)",
        ),
        Published(
            name="caffenet",
            summary="BVLC's CaffeNet for Caffe, iteration 310,000: top-1 57.4 %, top-5 80.4 % of the centre crops",
            preset=None,
            file="bvlc_reference_caffenet.caffemodel",
            url="http://dl.caffe.berkeleyvision.org/bvlc_reference_caffenet.caffemodel",
            kind="sha1",
            digest="4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
            size=243_862_418,
            mean=(122.67891434, 116.66876762, 104.00698793),
            std=(1.0, 1.0, 1.0),
            channel_order="BGR",
            resize=256,
            input_size=227,
            num_classes=1000,
            source="BVLC/caffe, models/bvlc_reference_caffenet/readme.md: caffemodel_url, sha1 and the accuracies. "
            "examples/00-classification.ipynb: blue first, from 0 to 255, minus the mean pixel of ilsvrc_2012_mean.npy "
            "(104, 117, 123, says openvinotoolkit/open_model_zoo, models/public/caffenet/README.md; the size is from "
            "model.yml beside it)",
        ),
        Published(
            name="guerzhoy",
            summary="Guerzhoy's bvlc_alexnet.npy: Caffe's bvlc_alexnet for TensorFlow",
            preset="alexnet_caffe",
            file="bvlc_alexnet.npy",
            url="https://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",
            kind="sha256",
            digest="1294ef51496c52f2e4879ee3b5e1da22c35d61f3240937491b4469403d5428cc",
            size=None,
            mean=(122.67891434, 116.66876762, 104.00698793),
            std=(1.0, 1.0, 1.0),
            channel_order="BGR",
            resize=256,
            input_size=227,
            num_classes=1000,
            source="sign-language-processing/reproduction, papers/camgoz-2018-nslt/README.md: the address and the "
            "SHA-256 of its download; blue first, minus a mean, which is taken to be Caffe's",
        ),
        Published(
            name="onnx",
            summary="the ONNX Model Zoo's bvlcalexnet-12, from Caffe's bvlc_alexnet: top-1 54.80 %, top-5 78.23 %",
            preset=None,
            file="bvlcalexnet-12.onnx",
            url="https://github.com/onnx/models/raw/main/validated/vision/classification/alexnet/model/bvlcalexnet-12.onnx",
            kind="sha256",
            digest="6b0da9510f27f234ee96a85dc3809dd210150fdefad87f6850f9788513216945",
            size=243_863_787,
            mean=(123.68, 116.779, 103.939),
            std=(1.0, 1.0, 1.0),
            channel_order="BGR",
            resize=256,
            input_size=224,
            num_classes=1000,
            source="onnx/models, validated/vision/classification/alexnet/README.md: the link model/bvlcalexnet-12.onnx "
            "(here to the file itself), the accuracies, of images squeezed to 224x224; ONNX_HUB_MANIFEST.json: "
            "model_sha and model_bytes. intel/neural-compressor, examples/onnxrt/image_recognition/onnx_model_zoo/"
            "alexnet/quantization/ptq_static/main.py: the preprocessing",
        ),
    )
}


def get(name: str) -> Published:
    """The row of TABLE called `name`; raises ValueError for another name."""
    if name not in TABLE:
        raise ValueError(f"there are no published weights called {name!r}; choose one of {', '.join(TABLE)}")
    return TABLE[name]


def of_preset(preset: str, weights: str) -> Published:
    """The published weights of a network.

    preset: name of the network in models.PRESETS; None where the file describes its network itself.
    weights: "published" for the first row that there is, or the name of a row.

    Returns a Published.
    Raises ValueError where there are none, or those are of another network.
    """
    fitting = {name: row for name, row in TABLE.items() if row.preset == preset}
    if weights == "published":
        if not fitting:
            known = ", ".join(dict.fromkeys(row.preset for row in TABLE.values() if row.preset))
            raise ValueError(f"no trained weights of {preset} are published; there are some of {known}")
        return next(iter(fitting.values()))
    row = get(weights)
    if row.preset != preset:
        raise ValueError(f"the published weights {weights} are of {row.preset or 'another network'}, not of {preset}")
    return row


def overview() -> str:
    """A text for --help: each row's name, what it is, and whether it has been tried."""
    width = max(map(len, TABLE))
    lines = [f"  {name:{width}}  {row.summary}{'' if row.tried else ' (*)'}" for name, row in TABLE.items()]
    untried = any(not row.tried for row in TABLE.values())
    note = "\n\n  (*) address and checksum are its authors'; this very file has not been tried with minialex yet"
    return "\n".join(lines) + (note if untried else "")
