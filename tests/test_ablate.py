"""The command `python -m minialex.ablate`: its words, its help, what it refuses; what it does: tests/ablation."""

from __future__ import annotations

import pytest

from minialex import ablate, cli
from minialex.ablation.words import WORDS


def test_the_list_of_words(capsys):
    assert cli.run(ablate.main, ["--list"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, word in WORDS.items():
        assert f"--{'adding' if word.adds else 'without'} {name} " in text and word.meaning in text
        if word.published:
            assert f"{word.published.top1:+.2f} and {word.published.top5:+.2f} points" in text


def test_help_has_a_default_for_every_option_and_examples(capsys):
    with pytest.raises(SystemExit):
        ablate.main(["--help"])
    text = capsys.readouterr().out
    assert "examples:\n  python -m minialex.ablate --base cifar_18pct" in text and "no normalisation at all" in text
    for action in ablate.parser()._actions:
        assert action.dest == "help" or "default: " in action.help, action.dest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is nothing to compare: name variants with --without or --adding, or a --recipe"),
        (("--without", "lnr"), "unknown word 'lnr' in --without; choose from lrn, "),
        (("--base", "cifar_18pct", "--without", "groups"), "leave groups out, or choose --base of alexnet_2012"),
        (("--base", "vgg", "--without", "lrn"), "'vgg'"),
        (("--without", "lrn", "--rates", "0.1"), "--rates is for a race, such as --recipe figure1: leave it out"),
        (("--without", "lrn", "--rates", "fast"), "'fast' is not a number"),
        (("--without", "lrn", "--only", "relu"), "--only relu: there is no such variant, only lrn"),
        (("--recipe", "figure2"), "unknown recipe figure2; choose one of"),
        (("--without", "lrn", "--set", "nrom=none"), "alexnet_2012 has no argument 'nrom'"),
        (("--without", "lrn", "--seeds", "31"), "'31' is not a whole number from 1 to 30"),
    ],
)
def test_what_is_refused(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(ablate.main, [*arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("error: ")
    assert not [*tmp_path.iterdir()]


def test_options_override_a_recipe():
    options = ablate.parser().parse_args(
        ["--recipe", "figure1", "--limit", "100", "--epochs", "4", "--rates", "0.1,0.2", "--seeds", "1", "--seed", "7"]
    )
    found = ablate.experiment_of(options).check()
    assert (found.limit, found.train["epochs"], found.all_seeds()) == (100, 4, [7])
    assert found.train["batch_size"] == 128 and found.set == {"norm": "none"}
    assert [one.rates for one in found.variants.values()] == [[0.1, 0.2]] * 2
    assert ablate.default_name(options, found) == "ablate-figure1-cifar10"
