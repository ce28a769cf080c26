"""What is inside a network, against slow and plain ways to the same numbers, and how it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minialex import look, nn, plotting
from minialex.plotting import style
from minialex.tensor import Tensor


@pytest.fixture
def model(rng):
    made = nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 4, 3),
            "bn1": nn.BatchNorm2d(4),
            "relu1": nn.ReLU(inplace=True),
            "pool1": nn.MaxPool2d(2),
            "flat": nn.Flatten(),
            "drop": nn.Dropout(0.5),
            "fc2": nn.Linear(36, 7),
            "tanh2": nn.Tanh(),
            "fc3": nn.Linear(7, 5),
        }
    )
    return made.train()


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_feature_maps_are_those_of_the_layers_one_by_one(model, rng):
    images = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    found = look.feature_maps(model, images)
    assert model.training and all((array == before[name]).all() for name, array in model.state_dict().items())
    assert [made.name for made in found] == ["conv1", "bn1", "relu1", "pool1"]
    model.eval()
    x = Tensor(images)
    for made, layer in zip(found, model):
        x = layer(x)
        if made.name != "bn1":  # the ReLU behind it writes over its output
            np.testing.assert_array_equal(made.maps, x.numpy())
    assert found[1].maps.min() < 0 <= found[2].maps.min(), "taken before the ReLU wrote over it"


def test_input_gradient_is_the_difference_of_a_logit(model, rng):
    model.to(np.float64).eval()
    images = rng.standard_normal((3, 3, 8, 8))
    targets = [4, 0, 2]
    gradient, logits, used = look.input_gradient(model, images, targets)
    assert used.tolist() == targets and gradient.shape == images.shape
    step = 1e-6
    for n, c, i, j in [(0, 0, 0, 0), (0, 2, 3, 5), (1, 1, 7, 7), (2, 0, 4, 2), (2, 2, 6, 1)]:
        moved = [images.copy(), images.copy()]
        moved[0][n, c, i, j] += step
        moved[1][n, c, i, j] -= step
        up, down = (model(Tensor(m)).numpy()[n, targets[n]] for m in moved)
        assert gradient[n, c, i, j] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-8)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    np.testing.assert_array_equal(look.input_gradient(model, images)[2], logits.argmax(1))
    with pytest.raises(ValueError, match="3 classes from 0 to 4, got"):
        look.input_gradient(model, images, [0, 1, 5])


def test_hidden_values_are_what_the_last_layer_is_given(model, rng):
    images = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    values = look.hidden_values(model, images)
    assert look.hidden_layer(model)[1] == "fc2" and values.shape == (2, 7)
    model.eval()
    np.testing.assert_allclose(
        values @ model.fc3.weight.numpy().T + model.fc3.bias.numpy(),
        model(Tensor(images)).numpy(),
        rtol=1e-5,
        atol=1e-6,
    )
    with pytest.raises(ValueError, match="no fully connected layer"):
        look.hidden_layer(nn.Sequential(nn.Conv2d(3, 4, 3)))


@pytest.mark.parametrize("sizes", [(50,), (7, 1, 20, 22), (2, 1)])
def test_nearest_are_those_of_all_pairs(rng, sizes):
    queries, batches = rng.standard_normal((4, 9)), [rng.standard_normal((n, 9)) for n in sizes]
    batches[-1][-1] = batches[0][0]  # equals: the first one comes first
    indices, distances = look.nearest(queries, iter(batches), 6)
    pool = np.concatenate(batches)
    for query, row, far in zip(queries, indices, distances):
        all_of_them = np.array([np.linalg.norm(query - other) for other in pool])
        expected = np.argsort(all_of_them, kind="stable")[:6]
        np.testing.assert_allclose(far, all_of_them[expected], rtol=1e-9)
        np.testing.assert_allclose(all_of_them[row], all_of_them[expected], rtol=1e-9)
        assert len(set(row)) == len(row) == min(6, len(pool))


def test_filters_of_two_gpus_stand_apart_and_in_order(tmp_path):
    weight = np.zeros((6, 3, 4, 4))
    weight[0, 0], weight[2, 1], weight[3, 2], weight[5, 0] = 1, 1, 1, -1
    plotting.filters(weight, tmp_path / "filters.png", gpus=2)
    picture = pixels(tmp_path / "filters.png")
    side, gap, margin, name, head = 48, 4, 12, 22, 30
    assert picture.shape[0] == 2 * (side + margin + name) + head
    for number in range(6):
        bottom = picture.shape[0] - margin - (1 - number // 3) * (side + margin + name)
        x = margin + number % 3 * (side + gap)
        tile = picture[bottom - side : bottom, x : x + side]
        expected = {0: (255, 127, 127), 2: (127, 255, 127), 3: (127, 127, 255), 5: (0, 127, 127)}
        assert (abs(tile - expected.get(number, (127, 127, 127))) <= 1).all(), number
    with pytest.raises(ValueError, match="5 filters do not divide evenly among 2 GPUs"):
        plotting.filters(weight[:5], tmp_path / "filters.png", gpus=2)


def test_no_more_filters_than_asked_for(tmp_path):
    plotting.filters(np.zeros((10, 8, 3, 3)), tmp_path / "some.png", most=32)
    plotting.filters(np.zeros((10, 8, 3, 3)), tmp_path / "all.png")
    assert pixels(tmp_path / "some.png").shape[0] == 2 * 52 - 4 + 42  # two rows of 16
    assert pixels(tmp_path / "all.png").shape[0] == 5 * 52 - 4 + 42


def test_features_draw_every_map_in_its_place(tmp_path, model, rng):
    image = rng.standard_normal((3, 8, 8)).astype(np.float32)
    found = look.feature_maps(model, image[None])
    plotting.features(found, tmp_path / "features.png", most=12)
    picture = pixels(tmp_path / "features.png")
    for row, name in enumerate(["conv1", "bn1", "relu1", "pool1"]):
        maps = found[row].maps[0]
        for column in range(4):
            y, x = 34 + row * 81 + 13, 14 + 138 + column * 68
            side = maps.shape[-1]
            for i, j in [(1, 1), (side - 2, 1), (side // 2, side // 2)]:
                value = maps[column, i, j] / abs(maps).max()
                drawn = picture[y + int((i + 0.5) * 62 / side), x + int((j + 0.5) * 62 / side)]
                if name in ("relu1", "pool1"):
                    assert abs(drawn - (255 - (255 - 0x33) * value)).max() < 5, (name, column)
                elif abs(value) > 0.1:
                    assert (drawn[0] > drawn[2]) == (value > 0), "orange above 0, blue below"
    with pytest.raises(ValueError, match=r"\(1, C, H, W\) of one image, got shape \(2, 4, 6, 6\)"):
        plotting.features(look.feature_maps(model, np.stack([image, image])), tmp_path / "features.png")


def test_saliency_is_bright_where_the_logit_depends_on_the_picture(tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    weight = np.zeros((2, 3, 8, 8), np.float32)
    weight[1, 2, 5, 1] = -3  # class 1 looks at one pixel, in one channel
    model.load_state_dict({"1.weight": weight.reshape(2, -1), "1.bias": np.array([1, 0], np.float32)})
    images, pictures = np.zeros((1, 3, 8, 8), np.float32), np.full((1, 3, 8, 8), 200, np.uint8)
    found = look.input_gradient(model, images, [1])
    plotting.saliency(*found, pictures, tmp_path / "s.png", classes=["a", "b"])
    picture = pixels(tmp_path / "s.png")
    top, left, size = 34 + 24, 14 + 156, 152
    glow = picture[top : top + size, left : left + size].sum(-1)
    bright = np.argwhere(glow > 600)
    assert len(bright) > 200 and (bright // (size / 8)).astype(int).tolist() == [[5, 1]] * len(bright)


def test_neighbours_mark_those_of_another_class(tmp_path):
    def plain(value):
        return np.full((3, 4, 4), value, np.uint8)

    queries = [(plain(10), "cat"), (plain(20), None)]
    found = [[(plain(30), "cat"), (plain(40), "dog")], [(plain(50), "dog"), (plain(60), "cat")]]
    plotting.neighbours(queries, found, tmp_path / "n.png", distances=[[1, 2], [3, 4]])
    picture = pixels(tmp_path / "n.png")
    colors = {
        name: [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        for name, color in {"right": style.RIGHT, "wrong": style.WRONG, "ink": style.INK}.items()
    }
    for row, grey in enumerate([10, 20]):
        assert (picture[40 + row * 156 + 58, 14 + 58] == grey).all()
    for row, column, grey, edge in [(0, 0, 30, "right"), (0, 1, 40, "wrong"), (1, 0, 50, "ink"), (1, 1, 60, "ink")]:
        y, x = 40 + row * 156, 14 + 116 + 26 + column * 124
        assert (picture[y + 58, x + 58] == grey).all()
        assert (picture[y + 58, x] == colors[edge]).all()


def test_curves_of_several_runs_have_a_colour_each(tmp_path):
    def rows(epochs, validation):
        made = [{"epoch": e, "train_loss": 2 / e, "train_error": 0.9 / e} for e in range(1, epochs + 1)]
        return [row | ({"val_loss": 2.0, "val_top1_error": 0.5} if validation else {}) for row in made]

    plotting.compare({"one": rows(3, True), "two": rows(5, False)}, tmp_path / "c.png")
    picture = pixels(tmp_path / "c.png")
    first, second, third = (
        (picture == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).sum()
        for color in (style.BLUE, style.VERMILION, "#009E73")
    )
    assert first > 100 and second > 100 and not third
    with pytest.raises(ValueError, match="the run two has not finished an epoch"):
        plotting.compare({"one": rows(3, True), "two": []}, tmp_path / "c.png")
    with pytest.raises(ValueError, match="one figure can compare 1 to 7 runs, got 8"):
        plotting.compare({str(n): rows(1, True) for n in range(8)}, tmp_path / "c.png")
