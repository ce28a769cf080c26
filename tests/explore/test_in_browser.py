"""The page in a real browser: its numbers are minialex's, every one is explained, and all of it works as it is used."""

from __future__ import annotations

import itertools

import browsing
import explored
import numpy as np
import pytest
from browsing import opened
from on_pages import EXPLAINED, ROUNDING, close, go, heading, numbers, shown
from PIL import Image

from minialex import data, explore, functional, models, nn
from minialex.data.pipeline import Pipeline
from minialex.tensor import Tensor, no_grad

pytestmark = pytest.mark.heavy

# All that the page has computed.
ALL = """({ network, state }) => ({
    values: network.values.map((a) => [...a]),
    gradients: network.gradients.map((a) => [...a]),
    parameters: network.layers.map((_, n) =>
        Object.fromEntries(Object.entries(network.parameterGradients[n] ?? {}).map(([name, a]) => [name, [...a]]))),
    loss: state.loss,
})"""


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A page of shapes_net with random weights, two pictures and ten classes; the model and the inputs."""
    rng = np.random.default_rng(0)
    model = explored.filled(models.build("shapes_net"), rng)
    pictures = [explored.picture((3, 32, 32), rng, f"picture {n}", label) for n, label in enumerate((4, None))]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(explored.html(model, pictures), encoding="utf-8")
    return path, model, pictures


def preset(name):
    size = models.get_preset(name).input_size
    return models.build(name), (3, size, size)


NETWORKS = [
    *explored.NETWORKS,
    *(lambda name=name: preset(name) for name in ("shapes_net", "cifar_quick", "cifar_18pct")),
]


@pytest.mark.parametrize(
    "make", NETWORKS, ids=lambda make: make.__defaults__[0] if make.__defaults__ else make.__name__
)
def test_numbers_are_minialex_s_and_every_one_is_explained(browser, make, tmp_path, rng):
    model, shape = make()
    explored.filled(model, rng)
    picture = explored.picture(shape, rng, label=3)
    (tmp_path / "page.html").write_text(explored.html(model, [picture]), encoding="utf-8")
    values, gradients, parameters, loss = explored.computed(model, picture.input, 3)
    with opened(browser, tmp_path / "page.html") as page:
        found = page.evaluate(f"({ALL})(explorer)")
        names = page.evaluate("explorer.network.layers.map(({ name }) => name)")
        assert len(names) == len(values) == len(gradients) == len(parameters)
        places, expected, scales = [], [], []
        for n, name in enumerate(names):
            arrays = {"value": values[n], "gradient": gradients[n], **parameters[n]}
            close(found["values"][n], values[n], f"values of {name}")
            if n < len(names) - 1:
                close(found["gradients"][n], gradients[n], f"gradients of {name}")
            assert found["parameters"][n].keys() == parameters[n].keys()
            for kind, array in parameters[n].items():
                close(found["parameters"][n][kind], array, f"gradient of {name}.{kind}")
            for kind, array in arrays.items():
                for place in () if array is None else [rng.integers(0, array.shape) for _ in range(6)]:
                    at = [int(k) for k in place]
                    places.append([n, kind, [*at, 0, 0][:3] if kind in ("value", "gradient") else at])
                    expected.append(float(array[tuple(at)]))
                    scales.append(float(np.abs(array).max()))
        explained = np.array(page.evaluate(EXPLAINED, places))
        off = np.abs(explained - expected) / scales
        assert off.max() <= ROUNDING, places[int(off.argmax())]
        assert abs(found["loss"] - loss) <= ROUNDING * max(1, np.abs(values[-2]).max())


def not_finite(kind):
    """A network with numbers that are not finite: a weight, a margin, or a window that holds padding alone."""
    if kind == "margin":
        layers = nn.ConstantPad2d(1, -np.inf), nn.Call("clamp", min=-np.inf, max=2.0), nn.MaxPool2d(2, 2)
    elif kind == "padding":
        layers = nn.AdaptiveAvgPool2d(2), nn.MaxPool2d(2, padding=1, dilation=3), nn.Sigmoid()
    else:
        layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.LocalResponseNorm(3, 0.5), nn.MaxPool2d(2)
    return explored.classifier((3, 7, 6), *layers)


@pytest.mark.parametrize("kind", ["margin", "padding", np.nan, np.inf])
def test_numbers_that_are_not_finite_are_minialex_s(browser, kind, tmp_path, rng):
    model, shape = not_finite(kind)
    explored.filled(model, rng)
    if isinstance(kind, float):
        next(model.parameters()).data[0, 0] = kind
    picture = explored.picture(shape, rng, label=3)
    (tmp_path / "page.html").write_text(explored.html(model, [picture]), encoding="utf-8")
    with np.errstate(all="ignore"):
        values, gradients, parameters, _ = explored.computed(model, picture.input, 3)
    with opened(browser, tmp_path / "page.html", place="1;training") as page:
        page.keyboard.press("End")  # through every array of a training step
        found = page.evaluate(f"({ALL})(explorer)")
        for n, (value, gradient) in enumerate(zip(values, gradients)):
            pairs = [(found["values"][n], value), *((found["parameters"][n][k], g) for k, g in parameters[n].items())]
            for mine, theirs in pairs if gradient is None else [*pairs, (found["gradients"][n], gradient)]:
                assert np.allclose(mine, theirs.ravel(), ROUNDING, 1e-5, equal_nan=True), n
        place = [len(values) - 3, "gradient", [0, 0, 0]]
        assert np.allclose(page.evaluate(EXPLAINED, [place]), gradients[-3].ravel()[0], equal_nan=True)


def test_what_a_pixel_sees_of_the_picture(browser, small):
    """No pixel outside the frame changes the number, and each of its sides does."""
    path, _, _ = small
    changed = """([n, at, [c, y, x]]) => {
        const { network } = explorer;
        const before = network.valueAt(n, at);
        const picture = network.values[0].slice();
        picture[(c * 32 + y) * 32 + x] += 5;
        network.forward(picture);
        const differs = network.valueAt(n, at) !== before;
        picture[(c * 32 + y) * 32 + x] = explorer.state.pictures[0].input[(c * 32 + y) * 32 + x];
        network.forward(picture);
        return differs;
    }"""
    with opened(browser, path) as page:
        for n, at in ((1, [3, 5, 7]), (1, [3, 0, 15]), (3, [0, 4, 4])):
            field = page.evaluate("([n, at]) => explorer.network.receptiveField(n, at)", [n, at])
            (box,) = [f for f in field if f["layer"] == 0]
            (top, bottom), (left, right) = box["rows"], box["columns"]
            extent = [2 * k + np.array([-2, 2]) for k in at[1:]]
            assert [[top, bottom], [left, right]] == [np.clip(e, 0, 31).tolist() for e in extent]
            if n == 1:  # with random weights no product is 0
                assert page.evaluate(changed, [n, at, [0, top, left]]) and page.evaluate(
                    changed, [n, at, [2, bottom, right]]
                )
            for y, x in ((top - 1, left), (bottom + 1, left), (top, left - 1), (top, right + 1)):
                if 0 <= y < 32 and 0 <= x < 32:
                    assert not page.evaluate(changed, [n, at, [1, y, x]])


@pytest.mark.parametrize("make", explored.NETWORKS, ids=lambda make: make.__name__)
def test_what_is_outside_the_receptive_field_changes_nothing(browser, make, tmp_path, rng):
    model, shape = make()
    explored.filled(model, rng)
    picture = explored.picture(shape, rng)
    (tmp_path / "page.html").write_text(explored.html(model, [picture]), encoding="utf-8")
    outside = """([n, share]) => {
        const { network, state } = explorer;
        const { output } = network.layers[n];
        const at = output.map((length, axis) => Math.floor(share[axis] * length));
        const field = network.receptiveField(n, at).find(({ layer }) => layer === 0);
        const before = network.valueAt(n, at);
        const { input } = state.pictures[0];
        const [channels, height, width] = network.layers[0].output;
        const changed = Float32Array.from(input, (x, k) => {
            const [y, column] = [Math.floor(k / width) % height, k % width];
            const within = y >= field.rows[0] && y <= field.rows[1];
            return within && column >= field.columns[0] && column <= field.columns[1] ? x : x + 3;
        });
        network.forward(changed);
        const after = network.valueAt(n, at);
        network.forward(input);
        return before - after;
    }"""
    with opened(browser, tmp_path / "page.html") as page:
        for n in range(1, page.evaluate("explorer.network.end")):
            for share in rng.random((3, 3)).tolist():
                assert page.evaluate(outside, [n, share]) == 0, n


def test_the_pointer_chooses_and_follows_numbers(browser, small):
    path, model, pictures = small
    values, gradients, parameters, _ = explored.computed(model, pictures[0].input, 4)
    with opened(browser, path) as page:
        maps = page.locator(".strip section:has(button:text-is('conv1')) canvas")
        maps.click(position={"x": 2 + (32 + 2) * 1 + 2 * 7 + 1, "y": 2 + (32 + 2) * 2 + 2 * 3 + 1})  # map 2 * 4 + 1
        assert heading(page).startswith("conv1, map 9, row 3, column 7: ")
        assert shown(heading(page)) == pytest.approx(values[1][9, 3, 7], rel=2e-3)
        page.get_by_role("button", name="relu1 [9, 3, 7]").click()
        assert heading(page).startswith("relu1, map 9, row 3, column 7")
        page.get_by_role("button", name="conv1 [9, 3, 7]").click()
        page.locator("details[open] button.link").nth(12).click()  # the middle of 5 x 5
        assert ", row 6, column 14" in heading(page) and heading(page).startswith("picture, map ")
        page.get_by_role("button", name="Backwards").click()
        n, (map_, row, column) = 0, (int(text) for text in numbers(heading(page))[:3])
        assert shown(heading(page)) == pytest.approx(gradients[n][map_, row, column], rel=2e-3)
        page.locator("details[open] button.link").first.click()
        assert heading(page).startswith("Gradient at conv1, map ")
        page.get_by_role("button", name="conv1", exact=True).click()
        assert heading(page) == "conv1"
        assert "Gradients of the weight, 32 × 3 × 5 × 5" in page.locator(".panel").inner_text()
        page.locator(".panel canvas[aria-label^='gradients of the weight']").click(position={"x": 3, "y": 3})
        assert heading(page).startswith("conv1, weight [0, 0, 0, 0]: ")
        assert shown(heading(page)) == pytest.approx(parameters[1]["weight"][0, 0, 0, 0], rel=2e-3)
        row = page.locator(".panel tbody tr", has=page.get_by_label("dy/dw is picture")).first
        _, factor = (float(cell.replace("\u2212", "-")) for cell in row.locator("td.number").all_inner_texts()[:2])
        row.get_by_label("dy/dw is picture").click()
        assert heading(page).startswith("Gradient at picture, map 0, row ")
        page.get_by_role("button", name="Forwards").click()
        assert shown(heading(page)) == pytest.approx(factor, rel=2e-3)


def test_the_keyboard_does_all_that_the_pointer_does(browser, small):
    path, _, _ = small
    with opened(browser, path, place="conv2:5,3,3") as page:
        press = page.keyboard.press
        page.locator(".strip section:has(button:text-is('conv2')) canvas").focus()
        for key, place in (
            ("ArrowLeft", "map 5, row 3, column 2"),
            ("ArrowUp", "map 5, row 2, column 2"),
            ("PageDown", "map 6, row 2, column 2"),
            ("ArrowRight", "map 6, row 2, column 3"),
            ("ArrowDown", "map 6, row 3, column 3"),
            ("PageUp", "map 5, row 3, column 3"),
            ("End", "map 63, row 3, column 3"),
            ("PageDown", "map 63, row 3, column 3"),
            ("Home", "map 0, row 3, column 3"),
        ):
            press(key)
            assert heading(page).startswith(f"conv2, {place}: "), key
        press("Enter")
        assert page.evaluate("document.activeElement === document.querySelector('.panel h2')")
        page.locator(".strip section:has(button:text-is('fc4')) canvas").focus()
        press("Home")
        press("ArrowDown")
        press("ArrowRight")
        assert heading(page).startswith("fc4, number 9: ")
        page.get_by_role("button", name="Backwards").focus()
        press("Enter")
        assert heading(page).startswith("Gradient at fc4, number 9: ")
        page.get_by_role("button", name="norm1", exact=True).focus()
        press("Space")
        assert heading(page) == "norm1"
        page.locator(".bars button").nth(1).focus()
        press("Enter")
        assert heading(page).startswith("Gradient at fc5, class class ")


def test_the_keyboard_keeps_its_place(browser, small):
    """Where a choice draws anew what has the focus."""
    path, _, _ = small
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
    with opened(browser, path, place="conv2:5,3,3") as page:
        page.locator(".figures canvas").nth(2).focus()
        for key, place in (("ArrowLeft", "row 3, column 2"), ("ArrowDown", "row 4, column 2")):
            page.keyboard.press(key)
            assert f"map 5, {place}" in heading(page)
            assert page.evaluate(focused).startswith("conv2, map 5, enlarged")
        page.locator(".panel details[open] button.link").first.focus()
        page.keyboard.press("Enter")
        assert heading(page).startswith("pool1, map ") and page.evaluate(focused) == heading(page)
        page.locator(".bars button").nth(2).focus()
        before = page.evaluate(focused)
        page.keyboard.press("Enter")
        assert page.evaluate(focused) == before and heading(page).startswith("softmax")
        go(page, "fc5")
        page.locator("canvas[aria-label^='bias']").focus()
        for key, n in (("ArrowRight", 1), ("ArrowRight", 2), ("Home", 0), ("End", 9)):
            page.keyboard.press(key)
            assert heading(page).startswith(f"fc5, bias [{n}]"), key
        go(page, "conv2:weight:3,2,1,1")
        page.locator("canvas[aria-label^='weight']").focus()
        for key, place in (("ArrowRight", "3, 2, 1, 2"), ("ArrowUp", "3, 2, 0, 2"), ("PageDown", "3, 3, 0, 2")):
            page.keyboard.press(key)
            assert heading(page).startswith(f"conv2, weight [{place}]"), key


def test_step_by_step(browser, small):
    path, _, _ = small
    with opened(browser, path, place="pool2:3,1,2") as page:
        page.get_by_role("button", name="one step on").click()
        assert heading(page).startswith("pool2, map 3, row 2, column 0")
        page.get_by_role("button", name="one step back").click()
        page.get_by_role("button", name="one step back").click()
        assert heading(page).startswith("pool2, map 3, row 1, column 1")
        go(page, "pool2:63,2,0")
        page.get_by_role("button", name="play").click()
        page.locator(".panel h2", has_text="map 63, row 2, column 1").wait_for()
        page.get_by_role("button", name="pause").click()
        page.wait_for_timeout(900)
        assert heading(page).startswith("pool2, map 63, row 2, column 1")
        page.get_by_role("button", name="play").press("Enter")
        page.locator(".stepper", has_text="play").wait_for()
        assert heading(page).startswith("pool2, map 63, row 2, column 2"), "it ends at the last place"
        page.get_by_role("button", name="one step on").click()
        assert heading(page).startswith("pool2, map 63, row 2, column 2")
        go(page, "pool2")
        assert not page.get_by_role("button", name="play").is_visible()
        go(page, "pool2:3,1,2")
        page.get_by_role("button", name="play").click()
        page.get_by_role("button", name="one training step").click()
        page.wait_for_timeout(900)
        assert heading(page) == "Forwards: conv1", "another view ends the play"


def test_tab_reaches_every_layer_and_the_explanation(browser, small):
    path, _, _ = small
    with opened(browser, path) as page:
        reached = []
        for _ in range(120):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
            )
        for name in page.evaluate("explorer.network.layers.map(({ name }) => name)"):
            assert name in reached
            assert name == "softmax" or any(text.startswith(f"{name}: arrow keys") for text in reached)
        assert "about the layer conv1" in reached


def test_another_picture_and_another_class_of_the_loss(browser, small):
    path, model, pictures = small
    with opened(browser, path) as page:
        assert "The loss of class 4 is" in page.locator("[role=status]").inner_text()
        page.get_by_role("button", name="picture 1").click()
        values, *_ = explored.computed(model, pictures[1].input, 0)
        best = int(values[-1].argmax())
        said = page.locator("[role=status]").inner_text()
        assert f"The network says class {best}," in said and f"The loss of class {best} is" in said
        page.get_by_label("class of the loss").select_option(label="class 7")
        _, gradients, _, loss = explored.computed(model, pictures[1].input, 7)
        assert shown(page.locator("[role=status]").inner_text().rstrip(".")) == pytest.approx(loss, rel=1e-3)
        close(page.evaluate("[...explorer.network.gradients[0]]"), gradients[0], "gradient of the picture")


def test_an_address_leads_to_its_place(browser, small):
    path, _, _ = small
    with opened(browser, path, place="pool1:2,3,4;backward;picture=1") as page:
        assert heading(page).startswith("Gradient at pool1, map 2, row 3, column 4: ")
        assert page.url.endswith("#pool1:2,3,4;backward;picture=1")
        visible = "(e) => { const [a, b] = [e, e.parentElement].map((x) => x.getBoundingClientRect());"
        visible += "return a.left >= b.left && a.right <= b.right; }"
        column = page.locator(".strip section:has(button:text-is('softmax'))")
        go(page, "softmax:3,0,0")
        assert heading(page).startswith("softmax, class class 3: ")
        assert column.evaluate(visible), "the strip scrolls to what is chosen"
        for nowhere in ("pool1:99,3,4", "lost:1,2,3", "conv1:1,2", "conv1:1.5,0,0", ";picture=9", "fc4:weight:0,x"):
            go(page, nowhere)
            assert heading(page)
    with opened(browser, path, place="%;;:,") as page:
        assert heading(page)


VIEWS = [
    "conv1:3,4,5",
    "conv1",
    "fc4:7,0,0",
    "norm1:3,4,5;backward",
    "conv2:weight:3,2,1,1",
    "softmax:2,0,0",
    "picture",
]


@pytest.mark.parametrize("width, scheme", browsing.LOOKS)
def test_every_view_fits_and_can_be_read(browser, small, width, scheme):
    """Nothing reaches beyond the window, and axe-core finds neither roles nor contrasts amiss."""
    path, _, _ = small
    axe = browsing.checker()
    with opened(browser, path, width, scheme) as page:
        for view in VIEWS:
            go(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view
            found = axe.run(page).response["violations"] if axe else []
            assert not found, (view, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found])


@pytest.mark.parametrize("kind", ["channels, blue first", "mean image", "mean of whole pictures"])
def test_a_picture_of_one_s_own(browser, kind, tmp_path, rng):
    """Without resizing, the network is given what minialex gives it."""
    model = explored.filled(models.build("shapes_net"), rng)
    shape = {"channels, blue first": (3, 1, 1), "mean image": (3, 32, 32), "mean of whole pictures": (3, 40, 40)}[kind]
    std = rng.uniform(40, 60, (3, 1, 1)) if kind.startswith("channels") else 2.0
    normalize = data.Normalize(rng.uniform(90, 160, shape), std)
    order = "BGR" if "blue" in kind else "RGB"
    reading = explore.Reading(40, normalize, order)
    page_file = tmp_path / "page.html"
    layers = explore.describe(model, (3, 32, 32))
    classes = [f"class {n}" for n in range(10)]
    page_file.write_text(explore.page(layers, [explored.picture((3, 32, 32), rng)], classes, "own", reading))
    pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "<b>.png")
    (tmp_path / "text.png").write_text("no picture")
    expected = Pipeline(normalize, 32, order).views(pixels.transpose(2, 0, 1)[None], 1)[0, 0]
    with opened(browser, page_file) as page:
        page.get_by_label("one of your own").set_input_files(tmp_path / "<b>.png")
        page.locator("button[aria-label='<b>.png'][aria-pressed=true]").wait_for()
        close(page.evaluate("[...explorer.network.values[0]]"), expected, "the input")
        logits = model(Tensor(expected[None])).numpy()[0]
        close(page.evaluate("[...explorer.network.logits]"), logits, "the logits")
        assert page.locator("[role=status]").inner_text().startswith("<b>.png. The network says class")
        page.get_by_label("one of your own").set_input_files(tmp_path / "text.png")
        said = page.locator("[role=status]", has_text="text.png is no picture that this browser can read")
        said.wait_for()
        assert page.evaluate("explorer.state.pictures.length") == 2
        page.evaluate(
            """(bytes) => {
                const data = new DataTransfer();
                data.items.add(new File([Uint8Array.from(bytes)], "dropped.png", { type: "image/png" }));
                const options = { dataTransfer: data, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent("drop", options));
            }""",
            [*(tmp_path / "<b>.png").read_bytes()],
        )
        page.locator("button[aria-label='dropped.png'][aria-pressed=true]").wait_for()


def test_numbers_that_are_none(browser, tmp_path, rng):
    """A network that training has ruined is shown as it is."""
    model = explored.filled(explored.branches()[0], rng)
    weight = model.get_submodule("conv1").weight
    weight.data[1], weight.data[2] = np.nan, np.inf
    (tmp_path / "page.html").write_text(explored.html(model, [explored.picture((3, 6, 5), rng)]), encoding="utf-8")
    with opened(browser, tmp_path / "page.html") as page:
        assert "The network says class 0, NaN %" in page.locator("[role=status]").inner_text()
        for view in ("conv1:1,2,2", "conv1:2,2,2", "conv1", "conv1:1,2,2;backward", "conv1;backward", "softmax:1,0,0"):
            go(page, view)
            assert "conv1" in heading(page) or "softmax" in heading(page)


def test_grad_cam_and_occlusion(browser, small):
    """Grad-CAM by a gradient hook; the least probable of all covered pictures, one by one."""
    path, model, pictures = small
    x = Tensor(pictures[0].input[None], requires_grad=True)
    maps = model.relu2(model.conv2(model.pool1(model.norm1(model.relu1(model.conv1(x))))))
    maps.retain_grad()
    y = maps
    for layer in list(model)[6:]:
        y = layer(y)
    y[0, 4].backward()
    expected = np.maximum((maps.grad.numpy()[0].mean((1, 2))[:, None, None] * maps.numpy()[0]).sum(0), 0)
    covered = []
    for row, column in itertools.product(range(0, 25, 4), repeat=2):
        image = pictures[0].input.copy()
        image[:, row : row + 8, column : column + 8] = 0
        covered.append(image)
    with no_grad():
        p = functional.softmax(model(Tensor(np.stack(covered))), 1).numpy()[:, 4]
    with opened(browser, path, place="picture") as page:
        close(page.evaluate("[...explorer.gradCam(explorer.network, 6, 4)]"), expected, "Grad-CAM of relu2")
        squares = "[...explorer.occlusion(explorer.network, explorer.state.pictures[0].input, 4, 8, 4)]"
        found = page.evaluate(squares)
        assert [(s["row"], s["column"]) for s in found] == [*itertools.product(range(0, 25, 4), repeat=2)]
        assert np.abs(np.array([s["probability"] for s in found]) - p).max() < 1e-5
        page.get_by_role("button", name="cover the picture").click()
        said = page.locator("figcaption", has_text="loses most").inner_text(timeout=20_000)
        row, column = divmod(int(p.argmin()), 7)
        assert "squares of 8 × 8 pixels" in said and said.endswith(f"at row {4 * row}, column {4 * column}")
        page.get_by_role("button", name="relu2", exact=True).click()
        assert page.get_by_role("img", name="Grad-CAM of class 4").is_visible()
        assert page.get_by_role("img", name="histogram of the values").is_visible()
        close(page.evaluate("[...explorer.network.values[6]]"), maps.numpy(), "the network is at work on the picture")


def test_in_the_frame_of_a_notebook(browser, rng, tmp_path):
    """As in Jupyter: sandboxed, without an address of its own."""
    model = explored.filled(explored.branches()[0], rng)
    cell = explore.show(model, rng.normal(size=(2, 3, 6, 5)))._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{cell}", encoding="utf-8")
    context = browser.new_context()
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Backwards").click()
    frame.get_by_role("button", name="fc", exact=True).click()
    assert frame.locator(".panel h2").inner_text() == "fc"
    context.close()
    assert not troubles


def test_hostile_names_are_shown_as_they_are_and_run_nothing(browser, tmp_path, rng):
    model = explored.filled(explored.branches()[0], rng)
    names = [
        "</script><script>hacked = 1</script>",
        "<img src=x onerror='hacked = 1'>",
        *explored.HOSTILE[:2],
        "long" * 100,
    ]
    pictures = [explored.picture((3, 6, 5), rng, name, 1) for name in names]
    (tmp_path / "page.html").write_text(explored.html(model, pictures, names, names[0]), encoding="utf-8")
    with opened(browser, tmp_path / "page.html", 390) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("h1").inner_text() == page.title() == names[0]
        assert names[1] in page.locator("[role=status]").inner_text()
        assert sorted(page.locator("option").all_inner_texts()) == sorted(names)
        page.locator(".bars button").first.click()
        assert any(name in heading(page) for name in names)
        assert page.locator("img, iframe, object").count() == 0
        assert page.evaluate("globalThis.hacked") is None


def test_the_policy_keeps_other_code_and_addresses_out(browser, small):
    path, _, _ = small
    with opened(browser, path, errors=False) as page:
        page.evaluate("""() => {
            globalThis.refused = [];
            document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "hacked = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='https://example.org/x.png' onerror='hacked = 2'>");
        }""")
        assert page.evaluate("fetch('https://example.org/').then(() => 'came', () => 'refused')") == "refused"
        page.wait_for_timeout(200)
        assert page.evaluate("globalThis.hacked") is None
        assert {"script-src-elem", "img-src", "connect-src"} <= set(page.evaluate("refused"))
