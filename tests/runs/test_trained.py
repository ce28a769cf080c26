"""Trained networks as the commands open them."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import data, models, random
from minialex.runs import checkpoint, trained
from minialex.training import evaluation


def snapshot(seed=0, **changes):
    random.manual_seed(seed)
    weights = models.build("shapes_net").state_dict()
    norm = data.Normalize(np.array([100, 120, 140])[:, None, None], 50)
    values = dict(
        model="shapes_net",
        arguments={},
        weights=weights,
        input_size=32,
        normalization=norm.to_arrays(),
        classes=list("abcdefghij"),
        configuration={},
    )
    return checkpoint.Checkpoint(**values | changes)


def test_a_folder_gives_its_best_network_or_else_its_last(tmp_path):
    checkpoint.save(tmp_path / "last.npz", snapshot(1))
    assert trained.load(tmp_path).path == tmp_path / "last.npz"
    checkpoint.save(tmp_path / "best.npz", snapshot(2))
    network = trained.load(str(tmp_path))
    assert network.path == tmp_path / "best.npz" and not network.model.training
    np.testing.assert_array_equal(network.model.state_dict()["conv1.weight"], snapshot(2).weights["conv1.weight"])


def test_what_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither best.npz nor last.npz"):
        trained.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        trained.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"w\.pth is not a minialex checkpoint: .* python -m minialex\.convert"):
        trained.load(tmp_path / "w.pth")


def test_photographs_are_resized_as_recorded_or_to_the_networks_size(tmp_path):
    for resize, expected in ((None, 32), (40, 40)):
        checkpoint.save(tmp_path / "n.npz", snapshot(resize=resize))
        assert trained.load(tmp_path / "n.npz").resize == expected


def test_a_network_that_expects_blue_first_sees_what_its_twin_sees(tmp_path, rng):
    twin = snapshot(channel_order="BGR")
    twin.weights["conv1.weight"] = twin.weights["conv1.weight"][:, ::-1]
    images = rng.integers(0, 256, (4, 3, 35, 35), np.uint8)
    said = []
    for saved in (snapshot(), twin):
        checkpoint.save(tmp_path / "n.npz", saved)
        said.append(evaluation.log_probabilities(trained.load(tmp_path / "n.npz"), images, 10))
    np.testing.assert_allclose(said[0], said[1], rtol=1e-5)


def test_columns(tmp_path):
    checkpoint.save(tmp_path / "n.npz", snapshot(classes=["ant", "bee", "cat", *"defghij"]))
    network = trained.load(tmp_path / "n.npz")
    assert network.columns(tuple(network.classes)).tolist() == list(range(10))
    assert network.columns(network.classes[::-1]).tolist() == list(range(9, -1, -1))
    with pytest.raises(ValueError, match=r"the data has 2 classes \(ant, dog\), and only one of them has 10 classes"):
        network.columns(["ant", "dog"])
    with pytest.raises(ValueError, match="two classes have the same name"):
        network.columns([*network.classes, "ant"])


def test_equal_names_are_told_apart_by_their_place(tmp_path):
    names = ["crane", "crane", *"abcdefgh"]
    checkpoint.save(tmp_path / "n.npz", snapshot(classes=names))
    assert trained.load(tmp_path / "n.npz").columns(names).tolist() == list(range(10))
    with pytest.raises(ValueError, match="two classes have the same name"):
        trained.load(tmp_path / "n.npz").columns(names[::-1])


def test_images_are_as_large_as_a_mean_image_that_is_subtracted_before_the_crop(tmp_path, rng):
    norm = data.Normalize(rng.uniform(90, 140, (3, 37, 37)), 40)
    checkpoint.save(tmp_path / "n.npz", snapshot(normalization=norm.to_arrays()))
    network = trained.load(tmp_path / "n.npz")
    assert network.resize == 37
    images = rng.integers(0, 256, (2, 3, network.resize, network.resize), np.uint8)
    assert evaluation.log_probabilities(network, images).shape == (2, 10)


def test_a_module_that_the_weights_do_not_fit(tmp_path):
    """The message names the file."""
    checkpoint.save(tmp_path / "n.npz", snapshot())
    with pytest.raises(ValueError, match=r"n\.npz: this state does not fit Sequential: misshapen: fc5"):
        trained.load(tmp_path / "n.npz", models.build("shapes_net", num_classes=3))
