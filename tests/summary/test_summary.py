"""`python -m minialex.summary`: what each style prints, the arithmetic it explains, and what it refuses."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from refusals import start, the_sentence

from minialex import cli, models, nn
from minialex.models.layout import layout
from minialex.nn import init
from minialex.summary import __main__ as summary
from minialex.summary.diagram import RESERVED, class_diagram, sequence_diagram
from minialex.summary.dl4j import dl4j_summary
from minialex.summary.explain import explain
from minialex.summary.keras import keras_summary, padding_word
from minialex.summary.tables import cost_table, layer_table
from minialex.window import Window

PUBLISHED = Path(__file__).parents[1] / "golden" / "keras_summary_bn10.txt"
STYLES = ("costs", "keras", "dl4j", "torch", "table", "mermaid", "sequence")


@pytest.fixture
def printed(capsys):
    """What the command prints, which must be its only output."""

    def run(*arguments):
        assert cli.run(summary.main, [str(argument) for argument in arguments]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


def rows_of(layers, shape):
    with init.skipped():
        return layout(nn.Sequential(layers), shape)


# ---------------------------------------------------------------------------------------------------------- Keras


def test_the_published_summary_byte_for_byte():
    done = start(["-m", "minialex.summary", "alexnet_keras_bn10", "--style", "keras"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode() == PUBLISHED.read_bytes()


def test_a_fresh_session_counts_from_nothing(printed):
    """The same text but for the names: conv2d, conv2d_1, ...; names are shorter, so lines break elsewhere."""
    text = printed("alexnet_keras_bn10", "--style", "keras", "--counters", "fresh")
    assert text.startswith('Model: "sequential"\n')
    assert re.findall(r"^ ([a-z]\w+) \(", text, re.MULTILINE) == [
        "conv2d",
        "batch_normalization",
        "max_pooling2d",
        "conv2d_1",
        "batch_normalization_1",
        "max_pooling2d_1",
        "conv2d_2",
        "batch_normalization_2",
        "conv2d_3",
        "batch_normalization_3",
        "conv2d_4",
        "batch_normalization_4",
        "max_pooling2d_2",
        "flatten",
        "dense",
        "dropout",
        "dense_1",
    ]
    assert "\n max_pooling2d (MaxPooling2D  (None, 27, 27, 96)       0         \n )    " in text
    assert text.endswith("Non-trainable params: 2,752\n" + "_" * 65 + "\n")


def test_keras_layers_that_alexnet_keras_bn10_lacks():
    """Padding that is no word of Keras's is a layer; a ReLU behind anything but weights is one, too."""
    rows = rows_of(
        {
            "conv1": nn.Conv2d(3, 4, 3, padding=((0, 1), (2, 3))),
            "norm1": nn.LocalResponseNorm(5),
            "relu1": nn.ReLU(),
            "pool1": nn.AvgPool2d(2),
            "leaky1": nn.LeakyReLU(),
            "pool2": nn.AdaptiveAvgPool2d(2),
        },
        (3, 8, 9),
    )
    text = keras_summary(rows, "fresh")
    assert re.findall(r"^ \w+ \((\w+)\)? +\(None, (.*?)\) ", text, re.MULTILINE) == [
        ("ZeroPadding", "9, 14, 3"),
        ("Conv2D", "7, 12, 4"),
        ("Lambda", "7, 12, 4"),
        ("Activation", "7, 12, 4"),
        ("AverageP", "3, 6, 4"),
        ("LeakyReLU", "3, 6, 4"),
    ]
    assert "\n 2D)  " in text and "\n ooling2D)  " in text
    assert re.search(r"\n adaptive_average_pooling2d   \(None, 2, 2, 4\) +0 +\n \(AdaptiveAveragePooling2D\) +\n", text)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "ceil", "word"),
    [
        (13, 3, 2, 0, False, "valid"),
        (13, 3, 1, 1, False, "same"),
        (27, 5, 1, 2, False, "same"),
        (227, 11, 4, "same", False, "same"),
        (224, 11, 4, 2, False, None),
        (224, 11, 4, ((0, 3), (0, 3)), False, None),
        (32, 3, 2, 0, True, "same"),  # one more column on the right: what "same" adds, too
        (55, 3, 2, 0, True, "valid"),  # ceil mode that changes nothing
        (32, 5, 2, 2, False, None),  # "same" would pad one pixel less before
    ],
)
def test_words_for_padding(size, kernel, stride, padding, ceil, word):
    assert padding_word(Window.over((size, size), kernel, stride, padding, 1, ceil)) == word


# ---------------------------------------------------------------------------------------------------------- torch


def test_the_representation_is_torchs(printed, torch):
    """Except for Dropout's inplace, which minialex does not have."""
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        torch.nn.ReLU(inplace=True),
        torch.nn.MaxPool2d(kernel_size=3, stride=2),
        torch.nn.Conv2d(64, 192, kernel_size=5, padding=2),
        torch.nn.ReLU(inplace=True),
        torch.nn.MaxPool2d(kernel_size=3, stride=2),
        torch.nn.Conv2d(192, 384, kernel_size=3, padding=1),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(384, 256, kernel_size=3, padding=1),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(256, 256, kernel_size=3, padding=1),
        torch.nn.ReLU(inplace=True),
        torch.nn.MaxPool2d(kernel_size=3, stride=2),
    )
    with torch.device("meta"):
        classifier = torch.nn.Sequential(
            torch.nn.Dropout(),
            torch.nn.Linear(9216, 4096),
            torch.nn.ReLU(inplace=True),
            torch.nn.Dropout(),
            torch.nn.Linear(4096, 4096),
            torch.nn.ReLU(inplace=True),
            torch.nn.Linear(4096, 1000),
        )
    whole = torch.nn.Sequential()
    for name, part in [
        ("features", theirs),
        ("avgpool", torch.nn.AdaptiveAvgPool2d((6, 6))),
        ("flatten", torch.nn.Flatten()),
        ("classifier", classifier),
    ]:
        whole.add_module(name, part)
    assert printed("alexnet_torchvision", "--style", "torch") == repr(whole) + "\n"


# --------------------------------------------------------------------------------------------------- costs and table


def test_costs_of_alexnet(printed):
    text = printed("alexnet", "--batch-size", 2)
    lines = {line.split()[0]: re.sub(" +", " ", line) for line in text.splitlines() if line}
    # 96 x 55 x 55 x 4 bytes x 2 pictures = 2.3 MB; columns: 363 x 3025 x 4 x 2 = 8.8 MB
    assert lines["conv1"] == "conv1 Conv2d 96 x 55 x 55 34,944 105,415,200 2.3 8.8 11"
    assert lines["conv2"] == "conv2 Conv2d 256 x 27 x 27 307,456 223,948,800 1.5 14.0 51"
    assert lines["pool5"] == "pool5 MaxPool2d 256 x 6 x 6 - - 0.1 - 195"
    assert lines["flatten"] == "flatten Flatten 9,216 - - - - -"
    assert lines["total"].startswith("total 60,965,224 724,406,816 ")
    assert "parameters: 60,965,224, 243.9 MB; trainable 60,965,224, non-trainable 0\n" in text
    assert text.startswith("alexnet: the paper's network") and "for a batch of 2\n" in text


def test_memory_of_layers_that_work_in_place():
    rows = rows_of(
        {"conv1": nn.Conv2d(1, 1000, 3), "a": nn.ReLU(inplace=True), "b": nn.ReLU(), "flatten": nn.Flatten()},
        (1, 52, 52),
    )
    lines = {line.split()[0]: line.split()[-3:] for line in cost_table(rows, 10).splitlines() if line}
    # 1000 x 50 x 50 x 4 bytes x 10; columns: 9 x 50 x 50 x 4 x 10
    assert lines["conv1"] == ["100.0", "0.9", "3"] and lines["b"] == ["100.0", "-", "3"]
    assert lines["a"] == ["-", "-", "3"] and lines["flatten"] == ["-", "-", "-"]


def test_a_share_that_is_not_trained(printed):
    text = printed("alexnet_keras_bn10")
    assert "parameters: 41,546,506, 166.2 MB; trainable 41,543,754, non-trainable 2,752\n" in text


TABLE = """\
Layer  Type             Maps  Size       Kernel size  Stride  Padding  Activation
---------------------------------------------------------------------------------
Out    Fully connected  -     1,000      -            -       -        Softmax
F10    Fully connected  -     4,096      -            -       -        ReLU
F9     Fully connected  -     4,096      -            -       -        ReLU
S8     Max pooling      256   6 x 6      3 x 3        2       valid    -
C7     Convolution      256   13 x 13    3 x 3        1       same     ReLU
C6     Convolution      384   13 x 13    3 x 3        1       same     ReLU
C5     Convolution      384   13 x 13    3 x 3        1       same     ReLU
S4     Max pooling      256   13 x 13    3 x 3        2       valid    -
C3     Convolution      256   27 x 27    5 x 5        1       same     ReLU
S2     Max pooling      96    27 x 27    3 x 3        2       valid    -
C1     Convolution      96    55 x 55    11 x 11      4       valid    ReLU
In     Input            3     227 x 227  -            -       -        -
"""


@pytest.mark.parametrize("name", ["alexnet", "alexnet_merged"])
def test_the_layer_table_of_textbooks(printed, name):
    assert printed(name, "--style", "table") == TABLE


def test_a_layer_table_with_odd_windows():
    rows = rows_of(
        {
            "a": nn.Conv2d(3, 4, (2, 3), stride=(1, 2), padding=((0, 1), (2, 3))),
            "b": nn.Tanh(),
            "c": nn.AdaptiveAvgPool2d(2),
        },
        (3, 8, 9),
    )
    pool, conv = layer_table(rows).splitlines()[2:4]
    assert re.split("  +", pool) == ["S2", "Average pooling", "4", "2 x 2", "-", "-", "-", "-"]
    assert re.split("  +", conv) == ["C1", "Convolution", "4", "8 x 6", "2 x 3", "1 x 2", "(0, 1), (2, 3)", "Tanh"]


# ---------------------------------------------------------------------------------------------------------- Mermaid


@pytest.mark.parametrize("name", models.PRESETS)
def test_class_diagrams(printed, name):
    """Every line is one of those that Mermaid's class diagrams know; every class is declared; layers are all there."""
    lines = printed(name, "--style", "mermaid").splitlines()
    assert lines[0] == "classDiagram"
    member = r"        \+[\w.\[\]]+( [\w.]+( : [\dx, to]+)?)?|        \+forward\(x\) \w+"
    relation = r'    \w+ \*-- "\d+" \w+ : [\w., ]+'
    for line in lines[1:]:
        assert re.fullmatch(rf"    class \w+ {{|    }}|{member}|{relation}", line), line
    classes = re.findall(r"^    class (\w+)", "\n".join(lines), re.MULTILINE)
    local = ["LocalLayer"] if name in ("cifar_13pct", "cifar_11pct") else []
    assert classes == [name, "ConvLayer", "FullyConnectedLayer", *local]
    with init.skipped():
        layers = [n for n, m in models.build(name).named_modules() if isinstance(m, nn.Conv2d | nn.Local2d | nn.Linear)]
    inside = re.findall(r"\+(?:ConvLayer|LocalLayer|FullyConnectedLayer) (\S+) :", "\n".join(lines))
    owned = [(int(count), names.split(", ")) for count, names in re.findall(r'"(\d+)" \w+ : (.*)', "\n".join(lines))]
    assert inside == layers == [n for _, names in owned for n in names]
    assert all(count == len(names) for count, names in owned)


# ---------------------------------------------------------------------------------------------------- Mermaid: a step

PARTICIPANT = r"    participant ([A-Za-z]\w*) as ([^#;\n]|#\d+;)+"
MESSAGE = r"    ([A-Za-z]\w*)(->>|-->>)([A-Za-z]\w*): (?:logits, )?([\d, x]+)"
NOTE = r"    Note over ([A-Za-z]\w*)(?:,([A-Za-z]\w*))?: ([^#;\n]|#\d+;)+"


def read_sequence(text):
    """(participants, messages) of a sequence diagram; every line must be one that Mermaid knows."""
    first, *lines = text.splitlines()
    assert first == "sequenceDiagram"
    participants, messages = [], []
    for line in lines:
        if match := re.fullmatch(PARTICIPANT, line):
            participants.append(match[1])
        elif match := re.fullmatch(MESSAGE, line):
            messages.append(match.groups())
            assert {match[1], match[3]} <= {*participants}
        else:
            match = re.fullmatch(NOTE, line)
            assert match and {match[1], match[2]} <= {*participants, None}, line
    assert len({name.lower() for name in participants}) == len(participants)
    assert not RESERVED & {name.lower() for name in participants}
    return participants, messages


@pytest.mark.parametrize("name", models.PRESETS)
def test_a_step_as_a_sequence_diagram(printed, name):
    """Through every layer in order, and back through the same, but not to the picture."""
    text = printed(name, "--style", "sequence")
    participants, messages = read_sequence(text)
    with init.skipped():
        model = models.build(name)
    rows = layout(model, model.input_shape)
    assert len(participants) == len(rows) + 2 and participants[-1] == "loss"
    shapes = [" x ".join(f"{n:,}" for n in shape) for shape in (rows[0].input, *(row.output for row in rows))]
    steps = list(itertools.pairwise(participants))
    forward = [(a, "->>", b, shape) for (a, b), shape in zip(steps, shapes, strict=True)]
    backward = [(b, "-->>", a, shape) for (a, b), shape in zip(steps[1:], shapes[1:], strict=True)]
    assert messages == forward + backward[::-1]
    weighted = sum(isinstance(row.layer, nn.Conv2d | nn.Linear) for row in rows)
    assert text.count(": gradients of weight ") >= weighted


def test_diagrams_of_odd_names_and_branches():
    rows = rows_of(
        {
            "end": nn.Conv2d(3, 4, 3),
            "a b(c)[d];#": nn.ReLU(),
            "a_b_c__d___": nn.ReLU(),
            "7": nn.Flatten(),
            "Loss": nn.Linear(16, 2),
        },
        (3, 4, 4),
    )
    text = sequence_diagram("my net; #1", rows)
    participants, messages = read_sequence(text)
    assert participants == ["input", "layer_end", "a_b_c__d___", "a_b_c__d____", "layer_7", "Loss", "loss_"]
    assert "participant a_b_c__d___ as a b(c)[d]#59;#35;: ReLU" in text and "my net#59; #35;1, forward" in text
    read_sequence(text)
    odd = class_diagram("net", rows_of({"a b(c)": nn.Conv2d(3, 4, 3)}, (3, 4, 4)))
    assert "        +ConvLayer a_b_c_ : 3 x 4 x 4 to 4 x 2 x 2\n" in odd and odd.endswith("ConvLayer : a_b_c_")

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return (x + self.conv(x)).flatten(1)

    participants, messages = read_sequence(sequence_diagram("net", layout(Branches(), (3, 4, 4))))
    picture, conv, add, flatten, loss = participants
    there = [(a, b) for a, arrow, b, _ in messages if arrow == "->>"]
    back = [(a, b) for a, arrow, b, _ in messages if arrow == "-->>"]
    assert there == [(picture, conv), (picture, add), (conv, add), (add, flatten), (flatten, loss)]
    assert back == [(loss, flatten), (flatten, add), (add, conv)]


# ----------------------------------------------------------------------------------------------------- Deeplearning4j

LENET = """\
==============================================================================
LayerName (LayerType)         nIn,nOut   TotalParams   ParamsShape            
==============================================================================
cnn1 (ConvolutionLayer)       1,20       520           b:{1,20}, W:{20,1,5,5} 
maxpool1 (SubsamplingLayer)   -,-        0             -                      
cnn2 (ConvolutionLayer)       20,50      25,050        b:{1,50}, W:{50,20,5,5}
maxpool2 (SubsamplingLayer)   -,-        0             -                      
ffn1 (DenseLayer)             800,500    400,500       W:{800,500}, b:{1,500} 
output (OutputLayer)          500,10     5,010         W:{500,10}, b:{1,10}   
------------------------------------------------------------------------------
            Total Parameters:  431,080
        Trainable Parameters:  431,080
           Frozen Parameters:  0
=============================================================================="""  # noqa: W291


def lenet():
    return {
        "cnn1": nn.Conv2d(1, 20, 5),
        "maxpool1": nn.MaxPool2d(2),
        "cnn2": nn.Conv2d(20, 50, 5),
        "maxpool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "ffn1": nn.Linear(800, 500),
        "relu": nn.ReLU(),
        "output": nn.Linear(500, 10),
    }


def test_deeplearning4js_lenet():
    """Its summary of this network, as people have published it, with the thousands separators of later versions."""
    assert dl4j_summary(rows_of(lenet(), (1, 28, 28))) == LENET
    softmax = lenet() | {"softmax": nn.Softmax(1)}
    assert dl4j_summary(rows_of(softmax, (1, 28, 28))) == LENET


def test_frozen_layers_of_deeplearning4j():
    layers = lenet()
    layers["cnn1"].requires_grad_(False)
    text = dl4j_summary(rows_of(layers, (1, 28, 28)))
    assert re.search(r"^cnn1 \(Frozen ConvolutionLayer\) +1,20 +520 ", text, re.MULTILINE)
    assert re.search(r"^ +Trainable Parameters:  430,560\n +Frozen Parameters:  520$", text, re.MULTILINE)


@pytest.mark.parametrize("name", models.PRESETS)
def test_every_network_as_deeplearning4j_prints_it(printed, name):
    """The columns are aligned, and the numbers add up; layers that belong to others have no row."""
    lines = printed(name, "--style", "dl4j").splitlines()
    double, header, again, *rows = lines[:-5]
    single, *totals, last = lines[-5:]
    assert double == again == last == "=" * len(header) and single == "-" * len(header) == "-" * len(double)
    assert all(len(row) == len(header) and row[header.index("nIn") - 3 :][:3] == "   " for row in rows)
    cells = [re.split("   +", row.rstrip()) for row in rows]
    with init.skipped():
        expected = layout(models.build(name), (3, *[models.PRESETS[name].input_size] * 2))
    total = sum(row.parameters for row in expected)
    assert sum(int(cell[2].replace(",", "")) for cell in cells) == total
    assert [line.split(":")[1].strip() for line in totals] == [f"{total:,}", f"{total:,}", "0"]
    for cell in cells:  # the parameters are those of the shapes
        shapes = re.findall(r"{([\d,]+)}", cell[3])
        assert sum(eval(shape.replace(",", "*")) for shape in shapes) == int(cell[2].replace(",", ""))
    kinds = [cell[0].partition(" (")[2].rstrip(")") for cell in cells]
    assert kinds.count("OutputLayer") == 1 == kinds[::-1].index("OutputLayer") + 1
    names = [cell[0].partition(" (")[0] for cell in cells]
    weighted = [row.name for row in expected if isinstance(row.layer, nn.Conv2d | nn.Local2d | nn.Linear)]
    assert [name for name in names if name in weighted] == weighted
    assert "DropoutLayer" not in kinds and ("ActivationLayer" in kinds) == (
        name.startswith(("alexnet_2012", "cifar_q", "cifar_18"))
    )


def test_padding_and_batch_normalisation_of_deeplearning4j(printed):
    text = printed("alexnet_2012", "--style", "dl4j")
    assert re.search(r"^conv1_padding \(ZeroPaddingLayer\) +-,- +0 +- *\nconv1 \(Conv", text, re.MULTILINE)
    text = printed("alexnet_keras_bn", "--input-size", 224, "--style", "dl4j")
    assert "ZeroPadding" not in text, "ConvolutionMode.Same"
    norm = "norm1 (BatchNormalization) 96,96 384 gamma:{1,96}, beta:{1,96}, mean:{1,96}, var:{1,96} \n"
    assert norm in re.sub(" +", " ", text)


# ---------------------------------------------------------------------------------------------------------- --set


def test_arguments_of_the_network(printed):
    text = printed("alexnet", "--set", "norm=none", "--set", "dropout=before")
    assert text.startswith("alexnet (norm=none, dropout=before): the paper's network")
    assert "norm1" not in text and text.index("drop6") < text.index("fc6")
    assert "norm1" in printed("alexnet") and "BatchNorm2d" in printed("alexnet", "--set", "norm=bn", "--style", "torch")


# ---------------------------------------------------------------------------------------------------------- explain


def evaluated(text):
    """The value of an equation's side: Python's arithmetic, with floor and ceil of quotients done exactly."""
    text = text.replace(",", "") if "max" not in text else text
    text = re.sub(r"floor\((.*) / (\d+)\)", r"((\1) // \2)", text)
    text = re.sub(r"ceil\(([^()]*|\(.*\)) / (\d+)\)", r"(-(-(\1) // \2))", text)
    return eval(text, {"__builtins__": {"max": max}})


@pytest.mark.parametrize("name", models.PRESETS)
def test_every_equation_holds(printed, name):
    """All sides of each are worked out by Python; the last is the size, or count, that the network has."""
    text = printed(name, "--explain")
    preset, checked = models.PRESETS[name], 0
    with init.skipped():
        rows = layout(preset.build(), (3, preset.input_size, preset.input_size))
    for row in rows:
        block = re.search(rf"^{re.escape(row.name)}, .*\n((?:  .*\n)*)", text, re.MULTILINE)[1]
        for label, equation in re.findall(r"^  ([^=]+) = (.*)$", block, re.MULTILINE):
            bare = re.sub(r" per channel| places|, \d+ before.*|, of which [\d,]+ trainable", "", equation)
            sides = [evaluated(side) for side in bare.split(" = ")]
            assert len(sides) > 1 and len(set(sides)) == 1, (row.name, equation)
            expected = {
                "height and width": row.output[-1],
                "parameters": row.parameters,
                "MACs": row.macs,
                "outputs": row.output[0],
            }.get(label.strip())
            assert expected in (None, sides[-1]), (row.name, label)
            checked += 1
    weighted = sum(isinstance(row.layer, (nn.Conv2d, nn.Local2d, nn.Linear)) for row in rows)
    assert checked > 2 * weighted
    assert "Compared with the paper's network:\n  * " in text
    assert all(f"  * {line}\n" in text for line in preset.differs)


def test_explained_by_hand(printed):
    text = printed("alexnet", "--input-size", 224, "--explain")  # what the paper says gives 54, not 55
    written = "height and width = floor((224 + 0 + 0 - 1 * (11 - 1) - 1) / 4) + 1 = floor(213 / 4) + 1 = 53 + 1 = 54"
    assert f"conv1, Conv2d: 3 x 224 x 224 -> 96 x 54 x 54\n  {written}\n" in text
    text = printed("alexnet_keras_bn", "--explain")
    same = 'padding "same" = max((ceil(227 / 4) - 1) * 4 + 1 * (11 - 1) + 1 - 227, 0) = 8, 4 before and 4 after'
    assert same in text and "parameters = 4 per channel * 96 = 384, of which 192 trainable" in text
    assert "channels a filter sees = 96 / 2 = 48" in printed("alexnet_caffe", "--explain")


def test_a_last_window_that_would_begin_behind_the_picture():
    rows = rows_of({"pool1": nn.MaxPool2d(2, 3, padding=1, ceil_mode=True)}, (2, 5, 5))
    assert explain("x", models.PRESETS["shapes_net"], rows).endswith(
        "height and width = ceil((5 + 1 + 1 - 1 * (2 - 1) - 1) / 3) + 1 = ceil(5 / 3) + 1 = 2 + 1 = 3\n"
        "  height and width = 3 - 1 = 2: the last window would start outside the input"
    )


# ---------------------------------------------------------------------------------------------------------- everything


@pytest.mark.parametrize("style", STYLES)
def test_all_networks_in_all_styles(printed, style):
    """With the arguments that change a network, too."""
    for name in models.PRESETS:
        text = printed(name, "--style", style, "--num-classes", 7)
        assert text.endswith("\n") and not text.endswith("\n\n") and max(map(len, text.splitlines())) <= 130
        seven = (
            r"out_features=7\b|\bNone, 7\)|\bto 7$|Linear +7 |^Out +Fully connected +- +7 |,7 .*b:\{1,7\}|logits, 7$"
        )
        assert re.search(seven, text, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["alexnett"], "unknown model 'alexnett'; choose one of shapes_net, cifar_quick"),
        (["alexnet", "--input-size", "40"], "--input-size 40 leaves no pixels: layer pool5"),
        (["shapes_net", "--input-size", "3"], "--input-size 3 leaves no pixels: layer pool1"),
        (["alexnet", "--input-size", "0"], "'0' is not a whole number of at least 1"),
        (["alexnet", "--num-classes", "ten"], "'ten' is not a whole number of at least 1"),
        (["alexnet", "--batch-size", "-1"], "'-1' is not a whole number of at least 1"),
        (["alexnet", "--style", "tensorflow"], "invalid choice: 'tensorflow'"),
        (["alexnet", "--counters", "mine"], "invalid choice: 'mine'"),
        (["alexnet", "--picture", "net.jpg"], "'net.jpg' must end in .png or .svg"),
        (["alexnet", "--picture", "nowhere/net.png"], "cannot write nowhere/net.png: No such file or directory"),
        ([], "the following arguments are required: MODEL"),
    ],
)
def test_what_is_refused(capsys, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    code = cli.run(summary.main, arguments)
    assert sentence in the_sentence(code, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
