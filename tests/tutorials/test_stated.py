"""Numbers that a lesson's sentences state are those that it computed.

A claim is a piece of a sentence, as a regular expression, and a function of what the notebook has printed. Groups in
the expression are numbers: the function returns them, and they agree if they round to what is written. Without groups
it returns whether the sentence is true. A sentence that has changed, or a notebook with other outcomes, fails here.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from tutorials import notebooks

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
NUMBER = r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"


def value(text):
    return float(text.replace(",", "").replace("−", "-"))


class Told:
    """What a notebook says and what it has printed, with all folds open."""

    def __init__(self, number):
        (path,) = TUTORIALS.glob(f"{number:02}_*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        shown = [(cell["cell_type"], *notebooks.unfolded(cell)) for cell in cells]
        self.prose = " ".join(" ".join(source for kind, source, _ in shown if kind == "markdown").split())
        self.code = "\n".join(source for kind, source, _ in shown if kind == "code")
        outputs = [output for _, _, outputs in shown for output in outputs]
        self.printed = "".join("".join(output.get("text", "")) for output in outputs)

    def numbers(self, pattern):
        """Those of the groups where `pattern`, in which # is any number, first matches what was printed."""
        found = re.search(pattern.replace("#", f"({NUMBER})"), self.printed, re.MULTILINE)
        assert found, f"nothing printed is like {pattern!r}"
        return [value(text) for text in found.groups()]

    def all(self, pattern):
        """The numbers of all lines that are like `pattern`, an array (lines, groups)."""
        found = re.findall(pattern.replace("#", f"({NUMBER})"), self.printed, re.MULTILINE)
        assert found, f"nothing printed is like {pattern!r}"
        return np.array([[value(text) for text in np.atleast_1d(line)] for line in found])


def holds_zero(told, trick):
    """Whether a trick's intervals in lesson 9 hold zero: of networks that still learn, and of those that do not."""
    learning, half, ill, ill_half = told.numbers(rf"^{trick} +\S+(?: \(\S+\))? +# ± # +# ± #$")
    return abs(learning) <= half, abs(ill) <= ill_half


def divisors(loud):
    """What lesson 5's LRN leaves of twelve channels."""
    x = np.array([1.0, 0.8, 1.1, 0.9, 1.0, loud, 0.9, 1.0, 0.8, 1.1, 1.0, 0.9])
    sums = [(x[max(i - 2, 0) : i + 3] ** 2).sum() for i in range(12)]
    return (1 + 0.2 * np.array(sums))[[3, 4, 6, 7]] ** -0.75


def multiplications(size, m, r):
    return (math.ceil(size / m) * (m + r - 1)) ** 2


def side(size, *windows):
    """Of the map behind (kernel, stride)s."""
    for kernel, stride in windows:
        size = (size - kernel) // stride + 1
    return size


WINDOWS = (11, 4), (3, 2), (3, 2), (3, 2)  # conv1 and the pools; all other layers of AlexNet keep the size
CONVOLUTIONS = 34_944 + 307_456 + 885_120 + 663_936 + 442_624

CLAIMS = {
    1: (
        (r"stay under eighty lines", lambda told: told.numbers("^# lines$")[0] < 80),
        (r"\$8 \\cdot 4 \+ 1 = (\d+)\$ weights", lambda told: told.code.count("rng.normal(0, 1, 33)") * 33),
        (r"Thirty-three numbers moved, six hundred times", lambda told: "quick=600" in told.code),
        (r"Not 4\. The gradient of `b`", lambda told: told.numbers("^it is #$") == [6]),
        (
            r"a difference in the sixteenth digit",
            lambda told: np.divide(*told.numbers("^it is # apart, in gradients as large as #")) < 1e-14,
        ),
    ),
    2: (
        (r"would take half a million of them", lambda told: 0.5e6 < 2 * 64**3 < 0.55e6),
        (r"bends ([\d,]+) numbers of a single picture", lambda told: 96 * 55 * 55),
        (r"has (\d+) billion entries", lambda told: (96 * 55 * 55) ** 2 / 1e9),
        (r"they add up: (\d+), in the shape of `b`", lambda told: told.numbers(r"^it is #$")[0]),
        (r"A slip of three millionths", lambda told: told.numbers("three millionths +error # .*WRONG") == [3e-6]),
        (
            r"Nine or ten digits",
            lambda told: all(1e-11 < apart < 1e-8 for apart in told.numbers("relatively: # apart.*\n.*of its own, #$")),
        ),
    ),
    3: (
        (r"3 \\cdot 32 \\cdot 32 = (\d+)\$ numbers", lambda told: 3 * 32 * 32),
        (r"e \\approx ([\d.]+)\$ times as probable", lambda told: math.e),
        (r"The first loss is \$\\ln 10\$", lambda told: abs(told.numbers("^first loss #")[0] - math.log(10)) < 1e-4),
        (r"([\d.]+)\. If your training of AlexNet starts at 9", lambda told: math.log(1000)),
        (
            r"The loss stays near \$\\ln 10\$, and the network answers hardly better than by guessing",
            lambda told: (
                np.abs(told.all("loss #, then #;") - math.log(10)).max() < 0.05 and (told.all("; # % right") < 15).all()
            ),
        ),
    ),
    4: (
        (r"makes (\d+) million multiplications for a single picture", lambda told: 256 * 27**2 * 48 * 25 / 1e6),
        (r"makes ([\d.]+) for an output\.", lambda told: (8 + 3 - 1) ** 2 / 8**2),
        (r"The columns are (\d+) times as large as the pictures", lambda told: 5 * 5),
        (
            r"with less than a fifth of the multiplications",
            lambda told: multiplications(27, 4, 5) / (27 * 5) ** 2 < 0.2,
        ),
        (r"convolution of stride 1: 3×3 over (\d+) channels in place of 3", lambda told: 3 * 4 * 4),
        (
            r"\$F\(4,3\)\$ makes (\d+), \$F\(5,3\)\$ (\d+), and \$F\(6,3\)\$ again (\d+)",
            lambda told: [multiplications(13, m, 3) for m in (4, 5, 6)],
        ),
        (r"float32 keeps seven digits", lambda told: np.finfo(np.float32).precision + 1 == 7),
    ),
    5: (
        (
            r"lose three quarters of what they had, and on the left only two fifths",
            lambda told: np.ptp(divisors(5) - 0.24) < 0.01 and abs(divisors(1.2).mean() - 0.6) < 0.02,
        ),
        (
            r"\$d\$ is \$k\$ to three digits, and the whole layer is a multiplication with \$2\^\{-3/4\}\$, or with 1",
            lambda told: (
                np.abs(told.all("y = # x for quiet").ravel() - [2**-0.75, 2**-0.75, 1]).max() < 1.5e-3
                and told.numbers("^it is about #$") == [1.7]
            ),
        ),
    ),
    6: (
        (r"conv3 of AlexNet has a fan-in of ([\d,]+), ours of at most (\d+)", lambda told: (256 * 9, 64 * 9)),
        (r"we would have to average over \$2\^\{128\}\$ masks", lambda told: "inputs h (N, 128)" in told.code),
        (r"a relative step of about 1e-4 in \*every\* layer", lambda told: told.printed.count("1.0e-04") >= 4),
        (
            r"is wrong as often as one that guesses",
            lambda told: told.numbers("validation error # %, test error # %")[1] > 85,
        ),
        (r"Together they are better than one", lambda told: told.numbers("network: # %") < told.numbers("^it is # %")),
        (r"\$1 \+ 0\.9 \+ 0\.9\^2", lambda told: told.numbers("^it is # times$") == [10]),
    ),
    7: (
        (r"A hundredth\. Three such units", lambda told: round(told.numbers("^it is #$")[0], 2) == 0.01),
        (r"less than one part in a billion", lambda told: (1 - math.tanh(2) ** 2) ** 8 < 1e-9),
        (r"Nearly all of its tanh units", lambda told: told.numbers("^tanh: slope below 0.1 in # %")[0] >= 95),
        (
            r"in the upper layers most of the units are off",
            lambda told: min(told.numbers(r"^relu: .* # % \(conv2\), # % \(conv3\)")) > 50,
        ),
        (
            r"The paper says six; your number is smaller, and so is that of the race with the full network",
            lambda told: told.numbers("^it is # times")[0] < 6 and told.numbers("^tanh .* # +# to #$")[0] < 6,
        ),
        (
            r"tanh needs ([\d.]+) times as many epochs as the ReLU did, no longer ([\d.]+) times",
            lambda told: (told.numbers("^tanh-channels .* # +# to")[0], told.all("^tanh  .* # +# to")[-1, 0]),
        ),
        (
            r"the ReLU takes twice as long with its own",
            lambda told: abs(told.numbers("^relu-init .* # +# to")[0] - 2) < 0.2,
        ),
        (
            r"and fewer than the ReLU does on the same pixels",
            lambda told: told.numbers("^tanh-channels .* # +# to") < told.numbers("^relu-channels .* # +# to"),
        ),
    ),
    8: (
        (r"\*\*([\d,]+)\*\* comes from", lambda told: told.numbers("^ {20,}# +#$")[0]),
        (r"Forward needs ([\d,]+)\.", lambda told: told.numbers("^ {20,}# +#$")[1]),
        (r"one vector of ([\d,]+) numbers", lambda told: 256 * side(227, *WINDOWS) ** 2),
        (r"\(224 - 11\)/4 = ([\d.]+)\$, so (\d+) places", lambda told: (213 / 4, side(224, (11, 4)))),
        (r"The paper's maps have (\d+)\.", lambda told: side(227, (11, 4))),
        (r"253,440 neurons for conv1.*does not follow from any 55×55 map", lambda told: 253_440 % 55**2),
        (r"A number such as ([\d,]+), on the other hand", lambda told: 60_965_224 + 307_200 + 663_552 + 442_368),
        (r"Two of them fit", lambda told: told.numbers("^it is #$") == [2]),
        (r"(\d+), (\d+), (\d+), (\d+): one row", lambda told: [side(259, *WINDOWS[:n]) for n in (1, 2, 3, 4)]),
        (r"and ([\d.]+) million weights more", lambda told: 256 * (7**2 - 6**2) * 4096 / 1e6),
        (
            r"([\d,]+) for conv2, ([\d,]+) for conv4, ([\d,]+) for conv5",
            lambda told: [48 * 25 * 256, 192 * 9 * 384, 192 * 9 * 256],
        ),
        (
            r"up to pool5 it is (\d+)",
            lambda told: (
                1 + 10 + 2 * 4 + 4 * 8 + 2 * 8 + 3 * 2 * 16 + 2 * 16  # conv1 pool1 conv2 pool2 conv3-5 pool5
            ),
        ),
    ),
    9: (
        (
            r"which is \$2 \\cdot 32\^2\$; its program and minialex also use the 33rd place",
            lambda told: 256 - 224 == 32,
        ),
        (r"The paper counts ([\d,]+)", lambda told: 2 * 32**2),
        (r"0\.01 \\cdot \\sqrt\{363\} \\cdot 60 \\approx (\d+)", lambda told: 0.01 * (3 * 11**2) ** 0.5 * 60),
        (
            r"windows of 2 made (\d+) of conv1's 55 rows, where windows of 3 made (\d+)",
            lambda told: (28, side(55, (3, 2))),
        ),
        (r"in nearly one such figure of five", lambda told: 0.15 < 1 - 0.95**4 < 0.2),
        (r"give 2 of 32, or (\d+) %", lambda told: 100 * 2 / 2**5),
        (
            r"crops and overlap help beyond doubt now",
            lambda told: not (holds_zero(told, "no crops, no flips")[1] or holds_zero(told, "no overlap")[1]),
        ),
        (r"Dropout cost eight points", lambda told: round(told.numbers("^no dropout .* # ± # +# ± #$")[0]) == -8),
        (
            r"whether it helps, its interval does not say, for it holds zero, as LRN's does in both states",
            lambda told: holds_zero(told, "no dropout")[1] and holds_zero(told, "no LRN") == (True, True),
        ),
        (
            r"Two GPUs .* and LRN stand clear .* The 0\.4 of overlap does not",
            lambda told: [sigmas > 2 for sigmas in told.all("points, +# SE").ravel()[:3]] == [True, True, False],
        ),
        (
            r"training the \*same\* network longer brought as much as overlap",
            lambda told: told.numbers("^trained to .* # points")[0] >= told.numbers("^overlap .* # points")[0],
        ),
    ),
    11: (
        (
            r"filled nearly nine tenths of it",
            lambda told: 0.85 < told.numbers("of 2012: # GB")[0] * 1e9 / 3 / 2**30 < 0.9,
        ),
        (r"Measured is less than counted", lambda told: told.numbers("^it is # GB") < told.numbers("counted: # GB")),
        (
            r"convolutions have (\d+) % of the parameters .* fully connected layers have (\d+) %",
            lambda told: (100 * CONVOLUTIONS / 60_965_224, 100 - 100 * CONVOLUTIONS / 60_965_224),
        ),
        (r"With 128 pictures a rank, that is (\d+) ranks", lambda told: (60_965_224 - CONVOLUTIONS) / 17_408 / 128),
        (
            r"data parallel takes more than three times as long to \*send\* a step as the cards of 2012 took",
            lambda told: 4 * 60_965_224 * 8 / 1e9 > 3 * 5.5 * 86_400 / (90 * 1.2e6 / 128),
        ),
        (
            r"The loss falls with the bug as well, only less far",
            lambda told: (
                lambda x: x[0, 1] == x[0, 0] and (np.diff(x[:, 1]) < 0).all() and (x[1:, 1] > x[1:, 0]).all()
            )(told.all("steps: loss +#, with the sum forgotten +#$")),
        ),
    ),
}


@pytest.fixture(scope="module", params=CLAIMS, ids="lesson {}".format)
def lesson(request):
    return request.param, Told(request.param)


def test_what_sentences_state_was_computed(lesson):
    number, told = lesson
    for pattern, computed in CLAIMS[number]:
        said = re.search(pattern, told.prose)
        assert said, f"no sentence of lesson {number} is like {pattern!r}"
        truth = computed(told)
        if not said.groups():
            assert truth, f"lesson {number} says {said[0]!r}, and it is not so"
            continue
        for text, number_computed in zip(said.groups(), np.atleast_1d(truth), strict=True):
            digits = len(text.partition(".")[2])
            assert abs(value(text) - number_computed) <= 0.5000001 * 10.0**-digits, (
                f"lesson {number} says {said[0]!r}, and it is {number_computed}"
            )


def test_a_wrong_number_would_be_noticed():
    told = Told.__new__(Told)
    told.printed = "it is 7.1 times\nrelu 1 2\nrelu 3 4\n"
    assert told.numbers("^it is # times$") == [7.1] and told.all("^relu # #$").tolist() == [[1, 2], [3, 4]]
    with pytest.raises(AssertionError, match="nothing printed"):
        told.numbers("^it is # points$")
