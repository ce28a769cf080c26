"""The words of --without: what each changes, and that a network without such a part is told from one that has it."""

from __future__ import annotations

import pytest

from minialex import models
from minialex.ablation.words import WORDS, missing
from minialex.training import recipes

LACKING = {  # words that mean nothing for a network by its authors' recipe
    "alexnet_2012": set(),
    "alexnet_2012_one_gpu": {"groups", "communication", "second-gpu"},
    "cifar_18pct": {
        *("lrn2", "rectified-lrn2", "groups", "communication", "second-gpu", "dropout", "color", "flip", "ones"),
        "conv4-dropout",
    },
    "cifar_quick": {*WORDS} - {"decay", "momentum"},
}


@pytest.mark.parametrize("model", LACKING)
def test_which_words_mean_something(model):
    found = {word: missing(word, model, {}, recipes.of(model)) for word in WORDS}
    assert {word for word, sentence in found.items() if sentence} == LACKING[model]
    for word in LACKING[model]:
        part, sentence = WORDS[word].part, found[word]
        is_of_recipe = word in ("color", "flip")
        begins = f"{model} is trained without {part}" if is_of_recipe else f"{model} has no {part} that can be changed"
        assert sentence.startswith(f"{begins}: leave {word} out")


def test_what_is_left_out_already_cannot_be_left_out():
    recipe = recipes.of("alexnet_2012")
    assert missing("lrn", "alexnet_2012", {"norm": "none"}, recipe) == (
        "alexnet_2012 is so already, with norm=none: leave lrn out"
    )
    assert missing("groups", "cifar_18pct", {}, recipe).endswith("leave groups out, or choose base=... of alexnet_2012")
    assert missing("dropout", "alexnet_2012", {"dropout": "none"}, recipe)
    assert missing("color", "alexnet_2012", {}, recipes.of("alexnet_2012", "plain"))
    assert not missing("lrn", "alexnet_2012", {"dropout": "none"}, recipe)


def test_differences_are_those_of_the_notes():
    """From the errors in layer-params-*.cfg, in percent: top-1 and top-5 with several views."""
    base = 40.664, 18.210
    notes = {
        "overlap": (41.058, 18.510),  # 147
        "lrn": (42.034, 19.362),  # 148
        "communication": (41.828, 19.330),  # 150
        "rectified-lrn2": (41.096, 18.674),  # 166
        "lrn2": (40.488, 18.118),  # 167
        "conv4-dropout": (40.69, 18.30),  # 177
    }
    for word, errors in notes.items():
        published = WORDS[word].published
        assert (published.top1, published.top5) == pytest.approx([e - b for e, b in zip(errors, base)], abs=1e-6)
    gpu = WORDS["second-gpu"].published
    assert (gpu.top1, gpu.top5) == pytest.approx((39.168 - 37.473, 18.229 - 16.999), abs=1e-6)
    assert {word for word, one in WORDS.items() if one.published} == {*notes, "second-gpu"}


def test_arguments_and_fields_are_those_of_networks_and_recipes():
    known = models.arguments.defaults(models.PRESETS["alexnet_2012"])
    for word in WORDS.values():
        assert {*word.set} <= {*known} and {*word.train} <= {*recipes.KEYS} and {*word.model} <= {*models.PRESETS}
        assert bool(word.set) + bool(word.train) + bool(word.model) == 1
