"""The page as a file: what it holds, what it lets run, and that its program is the one of the modules beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import explored
import numpy as np
import pytest
from on_request import heavy_but

from minialex import explore, models, nn
from minialex.support.text import printable

CIFAR = ["shapes_net", "cifar_quick", "cifar_18pct", "cifar_13pct", "cifar_11pct"]
WEB = Path(explore.__file__).parent / "web"
MODULES = sorted(path for folder in ("", "engine", "steps", "view") for path in (WEB / folder).glob("*.js"))


class Blocks(HTMLParser):
    """The elements of a page as a browser finds them: tags with their attributes, and the text of each."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

        self.open = True

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.found and self.open:
            self.found[-1][2] += data

    def of(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


@pytest.fixture
def network(rng):
    return explored.filled(explored.branches()[0], rng)


def test_what_runs_is_the_program_and_nothing_else(network, rng):
    text = explored.html(network, [explored.picture((3, 6, 5), rng)])
    blocks = Blocks(text)
    (data, content), (program, code) = blocks.of("script")
    assert data == {"type": "application/json", "id": "network"} and program == {}
    assert code == (WEB.parent / "explorer.js").read_text(encoding="utf-8")
    (policy,) = [a["content"] for a, _ in blocks.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    ((_, style),) = blocks.of("style")
    for rule, allowed in (("script-src", code), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(allowed.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert {"base-uri", "form-action"} < rules.keys()
    assert not re.search(r"https?://|//[a-z]|url\(|@import|\bsrc=|\bhref=", text.replace(content, "")), "an address"


def test_hostile_names_are_data(network, rng):
    names = explored.HOSTILE
    pictures = [explored.picture((3, 6, 5), rng, caption=name) for name in explored.HOSTILE]
    text = explored.html(network, pictures, classes=names, title=explored.HOSTILE[0])
    blocks = Blocks(text)
    assert [tag for tag, _, _ in blocks.found] == [
        *("html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "noscript", "main"),
        *("script", "script"),
    ]
    read = json.loads(blocks.of("script")[0][1])
    assert read["classes"] == [*names[:3], r"\u2028" + "'\\", names[4]]
    assert [p["caption"] for p in read["pictures"]] == read["classes"] and read["title"] == explored.HOSTILE[0]
    assert blocks.of("title")[0][1] == explored.HOSTILE[0]


def test_hostile_names_of_layers_are_data(rng):
    layers = [(name, nn.Identity(), [before]) for before, name in zip(["x", *explored.HOSTILE], explored.HOSTILE)]
    model = nn.Graph([*layers, ("flat", nn.Flatten(), [explored.HOSTILE[-1]]), ("fc", nn.Linear(90, 4), ["flat"])])
    blocks = Blocks(explored.html(model.eval(), [explored.picture((3, 6, 5), rng)]))
    assert len(blocks.of("script")) == 2
    assert [layer["name"] for layer in json.loads(blocks.of("script")[0][1])["layers"]][1:6] == [
        printable(n) for n in explored.HOSTILE
    ]


def test_the_program_never_makes_html_of_text():
    for path in MODULES:
        code = path.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|DOMParser", code
        )
        assert not re.search(r"XMLHttpRequest|WebSocket|EventSource|sendBeacon|https?:", code)
        asked = re.findall(r"\bfetch\([^,]*", code)
        assert asked == (['fetch("ask"'] if path.name == "sources.js" else []), "of the page's own server only"


def test_the_program_is_made_of_the_modules():
    """Without npm: the first line of the program names the SHA-256 of what it was made of."""
    total = hashlib.sha256()
    for path in sorted(MODULES, key=lambda path: f"{path.parent.relative_to(WEB)}/{path.name}"):
        folder = path.parent.relative_to(WEB)
        total.update(f"{folder}/{path.name}\n{path.read_text(encoding='utf-8')}".encode())
    first = (WEB.parent / "explorer.js").read_text(encoding="utf-8").split("\n")[0]
    assert first.endswith(total.hexdigest()), "build it anew: npm ci && npm run build in minialex/explore/web"


@pytest.mark.heavy
def test_building_the_program_gives_the_same_bytes(tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    shutil.copytree(WEB, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run([npm, *command], cwd=tmp_path / "web", capture_output=True, text=True)
        if command[0] == "ci" and done.returncode:
            pytest.skip(f"npm cannot install esbuild: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "explorer.js").read_bytes() == (WEB.parent / "explorer.js").read_bytes()


@pytest.mark.parametrize("name", heavy_but(["shapes_net", "cifar_18pct"], CIFAR))
def test_small_networks_fit_whole(name):
    model, size = models.build(name), models.get_preset(name).input_size
    layers = explore.describe(model, (3, size, size))
    assert [layer["name"] for layer in layers] == ["picture", *(n for n, _ in model.named_children()), "softmax"]
    read = {n: np.frombuffer(base64.b64decode(layers[1][n]["data"]), "<f4") for n in ("weight", "bias")}
    assert np.array_equal(read["weight"], model.conv1.weight.numpy().ravel())
    assert np.array_equal(read["bias"], model.conv1.bias.numpy())
    assert len(json.dumps(layers)) < 12_000_000
    for layer in layers[1:]:
        assert layer["formulas"] and layer["sentence"].endswith(".") and layer["code"]
        for source in layer["code"]:
            lines = (Path(explore.__file__).parents[2] / source["file"]).read_text(encoding="utf-8").split("\n")
            assert lines[source["line"] - 1].strip() == source["code"].split("\n")[0]
            assert '"""' not in source["code"]


FLAT = [nn.Flatten(), nn.Linear(75, 3)]
REFUSED = {
    "unknown layer": (nn.Sequential(nn.Call("cumsum", dim=2), *FLAT), r'layer 0, Call\("cumsum".*Conv2d'),
    "no vector": (nn.Sequential(nn.Conv2d(3, 4, 3)), r"classifiers, whose output are logits \(N, C\).*\[4, 3, 3\]"),
    "no statistics": (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), *FLAT), "layer 0, BatchNorm2d"),
    "rows of vectors": (nn.Sequential(nn.Linear(5, 4), nn.Flatten(), nn.Linear(60, 3)), "layer 0, Linear"),
    "half flat": (nn.Sequential(nn.Flatten(2), *FLAT), "layer 0, Flatten"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_page_cannot_compute_is_refused(case):
    model, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        explore.describe(model.eval(), (3, 5, 5))


def test_a_page_needs_pictures_and_a_name_for_each_logit(network, rng):
    layers = explore.describe(network, (3, 6, 5))
    with pytest.raises(ValueError, match="at least one picture"):
        explore.page(layers, [], list("abcde"), "a network")
    with pytest.raises(ValueError, match="a picture has the label 5, but classes are 0 to 4"):
        explore.page(layers, [explored.picture((3, 6, 5), rng, label=5)], list("abcde"), "a network")
    with pytest.raises(ValueError, match="4 class names were given for the network's 5 logits"):
        explore.page(layers, [explored.picture((3, 6, 5), rng)], list("abcd"), "a network")
