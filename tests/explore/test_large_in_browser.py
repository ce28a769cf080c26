"""Networks that a page does not compute, in a real browser: carried by a file, or served and computed by minialex."""

from __future__ import annotations

import browsing
import explored
import numpy as np
import pytest
from browsing import opened
from on_pages import EXPLAINED, ROUNDING, close, go, heading, shown
from PIL import Image

from minialex import cli, data, explore, models
from minialex.explore import __main__ as command

pytestmark = pytest.mark.heavy

# The maps, gradients and summaries of all layers, as the page has them.
DRAWN = """({ network }) => ({
    values: network.values.map((a) => [...a]),
    gradients: network.gradients.map((a) => [...a]),
    summaries: network.layers.map((_, n) => network.summary("gradients", n)),
})"""
# For each explained place: its number of the terms, that of the 8-bit map, and how far they may be apart.
TWICE = """() => {
    const { network } = explorer;
    return network.layers.slice(0, -1).map(({ output: [, height, width] }, n) => {
        const at = network.explainedIn(n)[0];
        const { smallest, largest } = network.summary("values", n);
        const drawn = network.values[n][(at[0] * height + at[1]) * width + at[2]];
        return [n, network.explain(n, at).steps.at(-1)[1], drawn, (largest - smallest) / 255];
    });
}"""
ASK = "async (places) => { for (const [layer, at] of places) await explorer.network.ask({ layer, at }); }"


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


@pytest.fixture(autouse=True)
def every_network_is_large(monkeypatch):
    monkeypatch.setattr("minialex.explore.describing.LARGEST", 0)
    monkeypatch.setattr("minialex.explore.describing.CARRIED", 10)


def known_to(found, expected, error, what):
    """Whether a map is known up to an error, as a share of its range."""
    found, expected = np.asarray(found, np.float64), np.ravel(expected)
    assert found.shape == expected.shape, what
    assert np.abs(found - expected).max() <= error, f"{what}: {np.abs(found - expected).max()} of {error}"


@pytest.mark.parametrize("make", explored.NETWORKS, ids=lambda make: make.__name__)
def test_numbers_are_minialex_s_and_every_one_is_explained(browser, make, rng):
    model, shape = make()
    explored.filled(model, rng)
    picture = explored.picture(shape, rng, label=3)
    values, gradients, _, loss = explored.computed(model, picture.input, 3)
    answers = explored.answers(model, [picture])
    with explored.served(answers) as server, opened(browser, server.address) as page:
        found = page.evaluate(f"({DRAWN})(explorer)")
        places, wanted, expected, scales = [], [], [], []
        for n, (value, gradient) in enumerate(zip(values[:-1], gradients[:-1])):
            known_to(found["values"][n], value, (value.max() - value.min()) / 255, f"values of {n}")
            known_to(found["gradients"][n], gradient, np.abs(gradient).max() / 127, f"gradients of {n}")
            assert found["summaries"][n]["largest"] == pytest.approx(gradient.max())
            for _ in range(6):
                at = [int(rng.integers(size)) for size in value.shape]
                places.append([n, [*at, 0, 0][:3]])
                for kind, array in (("value", value), ("gradient", gradient)):
                    wanted.append([n, kind, [*at, 0, 0][:3]])
                    expected.append(float(array[tuple(at)]))
                    scales.append(float(np.abs(array).max()) or 1.0)
        close(found["values"][-1], values[-1], "probabilities")
        page.evaluate(ASK, places)
        off = np.abs(np.array(page.evaluate(EXPLAINED, wanted)) - expected) / scales
        assert off.max() <= ROUNDING, wanted[int(off.argmax())]
        scale = max(1.0, float(np.abs(values[-2]).max()))
        assert page.evaluate("explorer.state.loss") == pytest.approx(loss, abs=ROUNDING * scale)


@pytest.fixture(scope="module")
def shapes():
    """shapes_net with random weights, two pictures, and what minialex computes of the first."""
    rng = np.random.default_rng(0)
    model = explored.filled(models.build("shapes_net"), rng)
    pictures = [explored.picture((3, 32, 32), rng, f"picture {n}", label) for n, label in enumerate((4, None))]
    return model, pictures, explored.computed(model, pictures[0].input, 4)


@pytest.fixture
def file(shapes, tmp_path):
    """The page of it in a file, as of a network that is too large to compute."""
    model, pictures, _ = shapes
    layers = explore.describe(model, (3, 32, 32))
    carried = explore.results(layers, explore.layers_of(model, (3, 32, 32)), pictures)
    text = explore.page(layers, pictures, [f"class {n}" for n in range(10)], "large", results=carried)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    return tmp_path / "page.html"


def test_a_file_explains_the_largest_of_each_layer(browser, shapes, file):
    _, _, (values, gradients, _, _) = shapes
    with opened(browser, file) as page:
        names = page.evaluate("explorer.network.layers.map(({ name }) => name)")
        for n, name in enumerate(names[:-1]):
            at = np.unravel_index(values[n].argmax(), values[n].shape)
            place = ",".join(map(str, [*at, 0, 0][:3]))
            go(page, f"{name}:{place}")
            assert "≈" not in heading(page) and shown(heading(page)) == pytest.approx(values[n][at], rel=2e-3)
            assert page.locator(".panel table").count() >= 1, name
            go(page, f"{name}:{place};backward")
            assert "≈" not in heading(page) and shown(heading(page)) == pytest.approx(gradients[n][at], rel=2e-3)
        assert page.locator("#target").is_disabled() and page.locator("input[type=file]").count() == 0


def test_a_file_says_where_another_place_is_explained(browser, shapes, file):
    _, _, (values, *_) = shapes
    with opened(browser, file) as page:
        maps = page.locator(".strip section:has(button:text-is('conv1')) canvas")
        maps.click(position={"x": 2 + 34 * 1 + 2 * 7 + 1, "y": 2 + 34 * 2 + 2 * 3 + 1})
        assert heading(page).startswith("conv1, map 9, row 3, column 7: ≈ ")
        assert abs(shown(heading(page)) - values[1][9, 3, 7]) <= np.ptp(values[1]) / 255
        said = page.locator(".panel").inner_text()
        assert "python -m minialex.explore RUN --out page.html --explain conv1:9,3,7" in said
        page.locator(".panel button", has_text="conv1 [").click()
        at = np.unravel_index(values[1].argmax(), values[1].shape)
        assert heading(page).startswith("conv1, map {}, row {}, column {}: ".format(*at)) and "≈" not in heading(page)
        page.get_by_role("button", name="picture 1").click()
        page.locator("button[aria-label='picture 1'][aria-pressed=true]").wait_for()
        page.get_by_role("button", name="conv2", exact=True).click()
        assert page.get_by_role("img", name="histogram of the weight, 64").is_visible()
        assert page.locator(".panel canvas[aria-label^='weight']").count() == 0, "it is larger than what is carried"
        assert page.locator(".panel canvas[aria-label^='bias']").is_visible()
        assert page.get_by_role("img", name="Grad-CAM of class").is_visible()


def test_served_every_place_is_explained_where_it_is_pressed(browser, shapes):
    model, pictures, (values, gradients, parameters, _) = shapes
    with explored.served(explored.answers(model, pictures)) as server, opened(browser, server.address) as page:
        maps = page.locator(".strip section:has(button:text-is('conv1')) canvas")
        maps.click(position={"x": 2 + 34 * 1 + 2 * 7 + 1, "y": 2 + 34 * 2 + 2 * 3 + 1})
        page.locator("details[open] button.link").first.wait_for()
        assert heading(page).startswith("conv1, map 9, row 3, column 7: ") and "≈" not in heading(page)
        assert shown(heading(page)) == pytest.approx(values[1][9, 3, 7], rel=2e-3)
        page.locator("details[open] button.link").nth(12).click()
        page.get_by_role("button", name="Backwards").click()
        page.locator("details[open] button.link").first.wait_for()
        map_, row, column = (int(word.strip(",:")) for word in heading(page).split() if word.strip(",:").isdigit())
        assert shown(heading(page)) == pytest.approx(gradients[0][map_, row, column], rel=2e-3)
        maps.focus()
        for key in ("ArrowRight", "ArrowDown", "PageDown"):
            page.keyboard.press(key)
        page.locator(".panel pre.formula", has_text="relu1").wait_for()
        go(page, "fc5:bias:3;backward")
        page.locator(".panel h2", has_text="its gradient").wait_for()
        assert shown(heading(page)) == pytest.approx(parameters[-2]["bias"][3], rel=2e-3)
        page.get_by_label("class of the loss").select_option(label="class 7")
        page.locator("[role=status]", has_text="The loss of class 7 is").wait_for()
        expected = explored.computed(model, pictures[0].input, 7)
        found, gradient = page.evaluate("[...explorer.network.gradients[3]]"), expected[1][3]
        known_to(found, gradient, np.abs(gradient).max() / 127, "gradients of another class")


def test_served_pictures_of_one_s_own(browser, shapes, tmp_path, rng):
    """Dropped, drawn, and taken by number: minialex computes each."""
    model, pictures, _ = shapes
    of_data = explored.picture((3, 32, 32), rng, "test image 1", 8)
    pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "<b>.png")
    (tmp_path / "text.png").write_text("no picture")
    answers = explored.answers(model, pictures, lambda number: of_data, 2)
    with explored.served(answers) as server, opened(browser, server.address, errors=False) as page:
        page.get_by_label("one of your own").set_input_files(tmp_path / "<b>.png")
        page.locator("button[aria-label='<b>.png'][aria-pressed=true]").wait_for()
        expected = explored.computed(model, pixels.transpose(2, 0, 1).astype(np.float32), 0)[0]
        close(page.evaluate("[...explorer.network.logits]"), expected[-2], "logits of a file")
        page.get_by_label("one of your own").set_input_files(tmp_path / "text.png")
        page.locator("[role=status]", has_text="text.png is damaged or not an image").wait_for()
        page.get_by_label("test image, 0 to 1").fill("1")
        page.get_by_role("button", name="take it").click()
        page.locator("button[aria-label='test image 1: class 8'][aria-pressed=true]").wait_for()
        drawn_on(page)
        expected = explored.computed(model, drawn_pixels(page), 0)[0]
        close(page.evaluate("[...explorer.network.logits]"), expected[-2], "logits of a drawing")
        page.get_by_role("button", name="picture", exact=True).click()
        page.get_by_role("button", name="cover the picture").click()
        page.locator("figcaption", has_text="loses most").wait_for(timeout=20_000)


def drawn_on(page):
    """Draw a stroke by pointer and one by keyboard, and show it."""
    page.get_by_text("draw one").click()
    canvas = page.locator("canvas[aria-label^='drawing']")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
    page.mouse.up()
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.get_by_role("button", name="show it").click()
    page.locator("button[aria-label='a drawing'][aria-pressed=true]").wait_for()


def drawn_pixels(page):
    """What was drawn, as the input of a network that takes pixels as they are."""
    pixels = np.array(page.evaluate("[...explorer.state.pictures.at(-1).pixels]"), np.float32).reshape(3, 32, 32)
    ink = (pixels < 128).all(0)
    assert 30 < ink.sum() < 400 and ink[:14, :14].any(), "a thick stroke on white"
    return pixels


def test_a_small_network_draws_and_is_served(browser, shapes, monkeypatch):
    monkeypatch.undo()
    model, pictures, _ = shapes
    answers = explored.answers(model, pictures, lambda number: pictures[1], 5)
    with explored.served(answers) as server, opened(browser, server.address) as page:
        drawn_on(page)
        expected = explored.computed(model, drawn_pixels(page), 0)[0]
        close(page.evaluate("[...explorer.network.values[3]]"), expected[3], "values of a drawing")
        page.get_by_label("test image, 0 to 4").fill("3")
        page.get_by_role("button", name="take it").click()
        page.locator("button[aria-label='picture 1'][aria-pressed=true]").wait_for()


def test_a_page_in_a_file_is_drawn_on(browser, shapes, tmp_path, monkeypatch):
    monkeypatch.undo()
    model, pictures, _ = shapes
    reading = explore.Reading(40, data.Normalize(np.full((3, 1, 1), 100), 50))
    layers = explore.describe(model, (3, 32, 32))
    text = explore.page(layers, pictures, [f"class {n}" for n in range(10)], "small", reading)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with opened(browser, tmp_path / "page.html") as page:
        drawn_on(page)
        expected = explored.computed(model, (drawn_pixels(page) - 100) / 50, 0)[0]
        close(page.evaluate("[...explorer.network.values[3]]"), expected[3], "values of a drawing")


def test_where_minialex_has_stopped_the_page_says_so(browser, shapes):
    model, pictures, _ = shapes
    with explored.served(explored.answers(model, pictures)) as server:
        address = server.address
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.locator(".panel h2").wait_for()
    page.get_by_role("button", name="picture 1").click()
    page.locator("[role=status]", has_text="minialex has stopped").wait_for()
    go(page, "conv1:0,0,0")
    assert heading(page).startswith("conv1, map 0, row 0, column 0: ≈ ")
    context.close()


VIEWS = ["conv1:3,4,5", "conv1", "fc4:7,0,0", "norm1:3,4,5;backward", "softmax:2,0,0", "picture", "conv2;backward"]


@pytest.mark.parametrize("width, scheme", browsing.LOOKS)
def test_every_view_fits_and_can_be_read(browser, shapes, file, width, scheme):
    model, pictures, _ = shapes
    axe = browsing.checker()
    with explored.served(explored.answers(model, pictures, pictures.__getitem__, 2)) as server:
        for address in (file, server.address):
            with opened(browser, address, width, scheme) as page:
                if address != file:
                    page.get_by_text("draw one").click()
                for view in VIEWS:
                    go(page, view)
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, view
                    found = axe.run(page).response["violations"] if axe else []
                    assert not found, (view, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found])


def test_hostile_names_that_are_served_run_nothing(browser, tmp_path, rng):
    names = ["</script><script>hacked = 1</script>", "<img src=x onerror='hacked = 1'>", *explored.HOSTILE[:3]]
    model, shape = explored.branches()
    explored.filled(model, rng)
    pictures = [explored.picture(shape, rng, names[1], 1)]
    of_data = explored.picture(shape, rng, names[0], 0)
    answers = explored.answers(model, pictures, lambda number: of_data, 1, names, names[0])
    with explored.served(answers) as server, opened(browser, server.address, 390) as page:
        page.get_by_role("button", name="take it").click()
        page.locator("[role=status]", has_text=names[0]).wait_for()
        assert page.locator("h1").inner_text() == page.title() == names[0]
        assert page.locator("img, iframe, object").count() == 0 and page.evaluate("globalThis.hacked") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_of_an_alexnet(browser, tmp_path, monkeypatch, capsys):
    """Its size, and that it opens; how fast is measured, not asserted."""
    monkeypatch.undo()
    monkeypatch.setattr(command, "NORMALIZED_BY", 3)
    page_file = tmp_path / "alexnet.html"
    assert cli.run(command.main, ["alexnet", "--out", str(page_file), "--backend", "numpy"]) == 0, capsys.readouterr()
    assert page_file.stat().st_size < 15_000_000
    with opened(browser, page_file, place="fc8") as page:
        assert page.evaluate("explorer.state.pictures.length") == 3
        assert heading(page) == "fc8" and page.locator(".strip section").count() == 25
        for n, explained, drawn, error in page.evaluate(TWICE):
            assert abs(explained - drawn) <= error, n
