"""The steppers in a real browser: traces of the tape, training steps and windows of a network, blocks of a kernel."""

from __future__ import annotations

import browsing
import explored
import numpy as np
import pytest
import usable
from browsing import opened
from on_pages import close, heading

from minialex import explore, functional, models, nn, optim
from minialex.models import layout
from minialex.tensor import Tensor

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


def plays_and_pauses(page):
    """From where it is, at its fastest, until it is told to stop."""
    slider, before = page.locator(".player input"), page.locator(".player .small").inner_text()
    page.get_by_label("speed of play").select_option("fast")
    first = int(slider.input_value())
    page.get_by_role("button", name="play", exact=True).click()
    while int(slider.input_value()) < first + 2:
        page.wait_for_timeout(50)
    page.get_by_role("button", name="pause").click()
    paused = page.locator(".player .small").inner_text()
    page.wait_for_timeout(300)
    assert page.locator(".player .small").inner_text() == paused != before


def without_faults(page, width, axe, what):
    """Nothing reaches beyond the window, and axe-core finds neither roles nor contrasts amiss."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    found = axe.run(page).response["violations"] if axe else []
    assert not found, (what, [(v["id"], [n["html"][:300] for n in v["nodes"][:3]]) for v in found])


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """(the page of a small graph in which h is used twice, its steps, h)"""
    rng = np.random.default_rng(1)
    x, w = (Tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True) for shape in ((2, 3), (3, 2)))
    with explore.trace() as steps:
        h = x @ w
        h.retain_grad()
        loss = (h * h.sigmoid()).sum()
        loss.backward()
    path = tmp_path_factory.mktemp("trace") / "page.html"
    path.write_text(steps.page("</script><b>hostile"), encoding="utf-8")
    return path, steps, h


def cells(figure):
    return [float(text.replace("\u2212", "-")) for text in figure.locator("td").all_inner_texts()]


def test_a_trace_shows_the_engine_s_numbers_to_the_last_digit(browser, traced):
    path, _, h = traced
    with opened(browser, path) as page:
        assert page.title() == page.locator("h1").inner_text() == "</script><b>hostile"
        assert heading(page) == "Forwards: matmul makes h"
        rounded = cells(page.locator("figure", has_text="y, the result: h"))
        assert rounded == pytest.approx(h.numpy().ravel(), rel=1e-3)
        page.get_by_role("button", name="all digits").click()
        exact = cells(page.locator("figure", has_text="y, the result: h"))
        assert np.array_equal(np.array(exact, np.float32), h.numpy().ravel())
        page.locator(".node", has_text="matmul").click()  # h's next step: a second gradient arrives
        assert heading(page) == "Backwards: one more gradient arrives at h, and is added"
        so_far, arriving, total = (np.array(cells(page.locator("figure").nth(k)), np.float32) for k in range(3))
        assert np.array_equal(so_far + arriving, total) and np.array_equal(total, h.grad.numpy().ravel())
        assert page.locator(".sign").all_inner_texts() == ["+", "="]


def test_a_trace_is_played_and_stepped_by_pointer_and_keyboard(browser, traced):
    path, steps, _ = traced
    last = len(steps) - 1
    with opened(browser, path) as page:
        where = page.locator(".player .small")
        page.get_by_role("button", name="one step on").click()
        assert where.inner_text() == f"step 2 of {last + 1}" and heading(page) == "Forwards: sigmoid"
        assert page.url.endswith("#step=1")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        assert where.inner_text() == f"step 3 of {last + 1}"
        page.keyboard.press("End")
        assert heading(page) == "Backwards: a gradient reaches the leaf x"
        assert "the first to arrive is kept as it is; .grad was empty" in page.locator(".panel").last.inner_text()
        page.keyboard.press("ArrowRight")
        assert where.inner_text() == f"step {last + 1} of {last + 1}"
        assert page.get_by_role("button", name="one step on").is_disabled()
        slider = page.get_by_role("slider", name="step of the trace")
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert where.inner_text() == f"step {last} of {last + 1}"
        assert slider.get_attribute("aria-valuetext") == f"step {last}: {heading(page)}"
        page.keyboard.press("Home")
        plays_and_pauses(page)
        page.locator(".node", has_text="sigmoid").click()
        assert heading(page).startswith("Backwards: sigmoid")
        lines = page.locator(".line.lit").all_inner_texts()
        assert lines[0].strip().endswith("loss = (h * h.sigmoid()).sum()")
        assert any("def backward(gy):" in line for line in lines)


def test_numbers_stand_in_the_graph(browser, tmp_path):
    """d (a b + a) / da = b + 1 arrives in two parts."""
    a, b = Tensor(3.0, requires_grad=True), Tensor(-2.0, requires_grad=True)
    with explore.trace() as steps:
        y = a * b + a
        y.backward()
    (tmp_path / "page.html").write_text(steps.page(), encoding="utf-8")
    with opened(browser, tmp_path / "page.html") as page:
        nodes = page.locator(".node")
        assert [text.split("\n")[-1] for text in nodes.all_inner_texts()] == ["3", "−2", "−6", "y ()"]
        page.keyboard.press("End")
        found = dict(text.split("\n") for text in nodes.all_inner_texts())
        assert found == {"a": "3, ∇ −1", "b": "−2, ∇ 3", "mul": "−6, ∇ 1", "add": "y −3, ∇ 1"}
        assert nodes.first.get_attribute("aria-label") == "leaf a, 3, gradient −1"


def test_a_trace_of_a_training_step_fits_and_can_be_read(browser, tmp_path, rng):
    model = models.build("shapes_net")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images = rng.normal(size=(4, 3, 32, 32)).astype(np.float32)
    images[0, 0, 0, 0] = np.nan
    with explore.trace() as steps:
        loss = functional.cross_entropy(model(Tensor(images)), np.arange(4))
        loss.backward()
        optimizer.step()
    (tmp_path / "page.html").write_text(steps.page(), encoding="utf-8")
    for width, scheme in browsing.LOOKS:
        axe = browsing.checker()
        with opened(browser, tmp_path / "page.html", width, scheme, "step=0") as page:
            for phase in ("forward", "backward", "leaf", "update"):
                n = next(k for k, step in enumerate(steps.data["steps"]) if step["phase"] == phase)
                page.evaluate("(n) => steps.player.go(n)", n)
                without_faults(page, width, axe, (phase, width, scheme))


def test_a_trace_in_the_frame_of_a_notebook(browser, tmp_path, rng):
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with explore.trace() as steps:
        model(Tensor(rng.normal(size=(2, 3)).astype(np.float32))).sum().backward()
    (tmp_path / "cell.html").write_text(f"<!DOCTYPE html><body>{steps._repr_html_()}", encoding="utf-8")
    context = browser.new_context()
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "cell.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="one step on").click()
    assert frame.locator(".panel h2").inner_text() == "Forwards: relu"
    context.close()
    assert not troubles


def page_of(model, shape, rng, folder, label=4):
    """A page of a network in the folder; its picture."""
    explored.filled(model, rng)
    pictures = [explored.picture(shape, rng, f"picture {n}", label) for n in range(2)]
    (folder / "page.html").write_text(explored.html(model, pictures), encoding="utf-8")
    return folder / "page.html", pictures[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(a page of shapes_net with random weights, the model, its picture)"""
    model = models.build("shapes_net")
    path, picture = page_of(model, (3, 32, 32), np.random.default_rng(0), tmp_path_factory.mktemp("page"))
    return path, model, picture


def preset(name):
    size = models.get_preset(name).input_size
    return models.build(name), (3, size, size)


PARAMETERS = """explorer.below.views.training.training.network.layers.map((layer, n) =>
    ["weight", "bias"]
        .filter((name) => layer[name] && (layer[name].tied?.[0] ?? n) === n)
        .map((name) => [...layer[name].data]))"""


@pytest.mark.parametrize("make", [lambda: preset("shapes_net"), explored.branches, explored.shared])
def test_training_in_the_page_is_minialex_s(browser, make, tmp_path, rng):
    """Two steps of SGD with momentum; a network whose gradients meet, and one whose layers share a weight, too."""
    model, shape = make()
    path, picture = page_of(model, shape, rng, tmp_path)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.8)
    losses = []
    with opened(browser, path, place="picture;training") as page:
        page.get_by_label("lr").fill("0.05")
        page.get_by_label("momentum").fill("0.8")
        page.get_by_label("momentum").press("Enter")
        for _ in range(2):
            page.get_by_role("button", name="take this step").click()
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(Tensor(picture.input[None])), np.array([4]))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        found = [array for arrays in page.evaluate(PARAMETERS) for array in arrays]
        expected = [p for _, p in model.named_parameters()]
        assert len(found) == len(expected)
        for array, (name, p) in zip(found, model.named_parameters()):
            close(array, p.numpy(), name)
        close(page.evaluate("explorer.below.views.training.training.losses.slice(0, 2)"), losses, "losses")
        assert heading(page) == f"Forwards: {page.evaluate('explorer.network.layers[1].name')}"
        untouched = page.evaluate("[...explorer.network.layers[1].weight.data]")
        page.get_by_role("button", name="begin again").click()
        assert page.evaluate(PARAMETERS)[1][0] == untouched, "the page's own network is as it was"


def test_a_training_step_is_stepped_through(browser, small):
    path, model, picture = small
    _, gradients, parameters, loss = explored.computed(model, picture.input, 4)
    with opened(browser, path) as page:
        page.get_by_role("button", name="one training step").click()
        assert heading(page) == "Forwards: conv1" and page.url.endswith(";training")
        page.locator(".node", has_text="cross_entropy").click()
        assert heading(page) == "Forwards: the loss"
        assert cells(page.locator("figure", has_text="y, the result"))[0] == pytest.approx(loss, rel=1e-3)
        page.keyboard.press("ArrowRight")
        assert heading(page).startswith("Backwards: cross_entropy")
        handed = cells(page.locator("figure", has_text="gradient of input 1: fc5"))
        assert handed == pytest.approx(gradients[-2], rel=1e-2, abs=1e-5)
        page.keyboard.press("ArrowRight")
        bias = cells(page.locator("figure", has_text="gradient of the bias: fc5.bias"))
        assert bias == pytest.approx(parameters[-2]["bias"], rel=1e-2, abs=1e-5)
        page.keyboard.press("End")
        assert heading(page) == "Update: the optimiser changes conv1.bias"
        before, g, v, after = (np.array(cells(page.locator("figure.array").nth(k))) for k in range(4))
        assert g == pytest.approx(v) and before - 0.01 * v == pytest.approx(after, rel=2e-3, abs=1e-4)
        where = page.locator(".player .small").inner_text()
        with opened(browser, path, place=page.url.partition("#")[2]) as other:
            assert other.locator(".player .small").inner_text() == where, "the address leads to the step"
        page.get_by_role("button", name="picture 1").click()
        page.get_by_label("class of the loss").select_option(label="class 7")
        assert "loss of class 7 before this step" in page.locator("[role=status]").last.inner_text()
        page.get_by_role("button", name="pool1", exact=True).click()
        assert heading(page) == "pool1", "what is chosen is explained"


def loops(x, window, fill):
    """im2col by loops over (C, H, W): (C KH KW, OH OW), where nothing of x lies `fill`."""
    (height, width), (oh, ow) = window.kernel, window.output
    columns = np.full((len(x) * height * width, oh * ow), fill, np.float64)
    for c, u, v, i, j in np.ndindex(len(x), height, width, oh, ow):
        y = i * window.stride[0] + u * window.dilation[0] - window.padding[0][0]
        z = j * window.stride[1] + v * window.dilation[1] - window.padding[1][0]
        if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
            columns[(c * height + u) * width + v, i * ow + j] = x[c, y, z]
    return columns


SUBJECT = """([n, o]) => {
    const layer = explorer.network.layers[n];
    explorer.below.open("windows");
    explorer.below.views.windows.choose({ layer: n, at: [o, 0, 0] });
    const { subject, whole } = explorer.below.views.windows;
    const columns = [...subject.columns].map((x) => (isFinite(x) ? x : -1e9));
    return { columns, gradients: [...subject.gradients], whole: [...whole], first: subject.first, seen: subject.seen };
}"""


@pytest.mark.parametrize("make", [explored.convolutions, explored.pools])
def test_columns_are_im2col_and_add_up_to_the_gradient(browser, make, tmp_path, rng):
    """Strides, dilation, groups, one-sided padding, overlap: against loops, and against the engine's gradients."""
    model, shape = make()
    path, picture = page_of(model, shape, rng, tmp_path)
    values, gradients, _, _ = explored.computed(model, picture.input, 4)
    rows = layout.layout(model, shape)
    tried = 0
    with opened(browser, path) as page:
        for n, row in enumerate(rows, 1):
            if not isinstance(row.layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
                continue
            is_conv = isinstance(row.layer, nn.Conv2d)
            window = layout.window_of(row.layer, row.input)
            for o in (0, row.output[0] - 1):
                found = page.evaluate(SUBJECT, [n, o])
                maps = slice(found["first"], found["first"] + found["seen"])
                fill = -1e9 if isinstance(row.layer, nn.MaxPool2d) else 0
                columns = loops(values[n - 1][maps], window, fill)
                assert np.allclose(found["columns"], columns.ravel(), atol=2e-5), row.name
                if is_conv:
                    y = row.layer.weight.numpy()[o].ravel() @ columns
                    y += 0 if row.layer.bias is None else row.layer.bias.numpy()[o]
                    close(values[n][o].ravel(), y, "row times columns")
                whole = np.array(found["whole"]).reshape(row.input)
                close(whole[maps].ravel(), gradients[n - 1][maps], f"col2im of {row.name}")
                assert not np.delete(whole, np.r_[maps], axis=0).any()
                tried += 1
    assert tried == (6 if make is explored.convolutions else 10)


def test_a_window_slides(browser, small):
    path, model, picture = small
    values, *_ = explored.computed(model, picture.input, 4)
    conv2 = model.get_submodule("conv2")
    with opened(browser, path, place="conv2:5,3,3;windows") as page:
        assert heading(page).startswith("conv2, map 5: the window of row 3, column 3, value ")
        c = int(page.get_by_label("input map").input_value())
        x, w, products = (np.array(cells(page.locator("figure.grid").nth(k))) for k in range(3))
        assert x == pytest.approx(values[4][c, 2:5, 2:5].ravel(), rel=1e-3)
        assert w == pytest.approx(conv2.weight.numpy()[5, c].ravel(), rel=1e-3)
        assert products == pytest.approx(x * w, rel=5e-3, abs=1e-5)
        page.get_by_role("button", name="one step on").click()
        assert heading(page).startswith("conv2, map 5: the window of row 3, column 4") and page.url.endswith(
            "#conv2:5,3,4;windows"
        )
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Home")
        assert heading(page).startswith("conv2, map 5: the window of row 0, column 0")
        assert page.locator("figure.grid").first.locator(".padding").count() == 5
        so_far = cells(page.locator("figure.grid", has_text="sum so far"))
        column, total = (cells(page.locator("figure.grid", has_text=text)) for text in ("column 0", "sum now"))
        assert so_far == [0] * 9 and column[4:6] == total[4:6] and any(total)
        page.keyboard.press("ArrowRight")
        so_far, column, total = (
            np.array(cells(page.locator("figure.grid", has_text=text)))
            for text in ("sum so far", "column 1", "sum now")
        )
        inside = np.arange(9) > 2
        assert (so_far + column)[inside] == pytest.approx(total[inside], rel=1e-2, abs=1e-5) and so_far.any()
        page.get_by_label("filter", exact=True).select_option("7")
        page.get_by_label("input map").select_option("3")
        assert heading(page).startswith("conv2, map 7: ") and "pool1, map 3: the window" in page.inner_text(".columns")
        page.locator(".strip section:has(button:text-is('pool1')) canvas").click(position={"x": 4, "y": 4})
        assert heading(page).startswith("pool1, map 0: the window of row 0, column 0")
        assert not page.get_by_label("input map").is_visible()
        plays_and_pauses(page)
        page.get_by_role("button", name="play").click()
        page.get_by_role("button", name="the explanation").click()
        assert heading(page).startswith("pool1, map 0, row ")
        before = heading(page)
        page.wait_for_timeout(300)
        assert heading(page) == before, "the play has ended"
        page.get_by_role("button", name="fc4", exact=True).click()
        page.get_by_role("button", name="a sliding window").click()
        assert heading(page).startswith("conv1, map ")


def test_a_network_without_windows_has_none(browser, tmp_path, rng):
    path, _ = page_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2), rng, tmp_path)
    with opened(browser, path, place="1:2,0,0;windows") as page:
        assert page.get_by_role("button", name="a sliding window").count() == 0
        assert heading(page).startswith("1, number 2: ")
        page.get_by_role("button", name="one training step").click()
        page.keyboard.press("End")
        assert heading(page) == "Update: the optimiser changes 1.bias"


PLACES = ["conv1;training", "conv1;training=20", "conv1;training=41", "conv1:5,3,3;windows", "pool1:5,0,3;windows"]


@pytest.mark.parametrize("width, scheme", browsing.LOOKS)
def test_steps_of_a_network_fit_and_can_be_read(browser, small, width, scheme):
    axe = browsing.checker()
    for place in PLACES:
        with opened(browser, small[0], width, scheme, place) as page:
            assert page.url.endswith(place)
            without_faults(page, width, axe, (place, width, scheme))


TILED = """
extern "C" __global__ void product(global<const REAL> a, global<const REAL> b, global<REAL> c, int n) {
    SHARED2(REAL, a_tile, 4, 4);
    SHARED2(REAL, b_tile, 4, 4);
    int tx = threadIdx.x, ty = threadIdx.y;
    REAL sum = 0;
    for (int first = 0; first < n; first += 4) {
        a_tile[ty][tx] = a[ty * n + first + tx];
        b_tile[ty][tx] = b[(first + ty) * n + tx];
        __syncthreads();
        for (int k = 0; k < 4; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();
    }
    if (tx < 2)
        c[ty * n + tx] = sum;
    else
        c[ty * n + tx] = -sum;
}
"""


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Pages of a tiled product, and of one without its first barrier; the matrix a."""
    usable.or_skip("emulator")
    folder, rng = tmp_path_factory.mktemp("block"), np.random.default_rng(2)
    a, b = rng.normal(size=(2, 8, 8)).astype(np.float32)
    paths = []
    for name, text in (("right", TILED), ("wrong", TILED.replace("        __syncthreads();\n", "", 1))):
        steps = explore.block("product", 1, (4, 4), a, b, np.zeros_like(a), 8, text=text)
        paths.append(folder / f"{name}.html")
        paths[-1].write_text(steps.page(), encoding="utf-8")
    return *paths, a


def lit_lines(page, style="lit"):
    return [int(text.split()[0]) for text in page.locator(f".line.{style}").all_inner_texts()]


def test_a_block_is_stepped_through(browser, blocks):
    path, _, a = blocks
    with opened(browser, path) as page:
        panel, press = page.locator(".panel"), page.keyboard.press
        assert "product: grid 1, block 0, 4 × 4 threads" in panel.inner_text()
        assert "No race, and nothing else" in panel.inner_text()
        assert heading(page) == "16 threads read a, line 8" and lit_lines(page) == [8]
        assert f"Thread 0 (0, 0) reads a[0][0]: {a[0, 0]:.5f}"[:-2].replace("-", "\u2212") in panel.inner_text()
        page.get_by_role("application").focus()
        press("ArrowRight")
        press("ArrowDown")
        assert "Thread 5 (1, 1) reads a[1][1]" in panel.inner_text()
        page.get_by_role("application").click(position={"x": 2 * 24 + 5, "y": 3 * 24 + 5})
        assert "Thread 14 (2, 3) reads a[3][2]" in panel.inner_text()
        page.get_by_role("button", name="one step on").click()
        assert heading(page) == "16 threads write a_tile, line 8" and page.url.endswith("#step=1")
        shared = "steps.valuesAt(1)[steps.block.names.findIndex((n) => n.name === 'a_tile')]"
        assert np.array_equal(np.array(page.evaluate(shared), np.float32), a[:4, :4].ravel())
        for _ in range(3):
            press("ArrowRight")
        assert heading(page) == "16 threads wait at the barrier, line 10"
        press("End")
        assert heading(page) == "8 threads write c, line 17" and lit_lines(page) == [17]
        assert "Thread 14 (2, 3) writes" in panel.inner_text()
        press("ArrowLeft")
        assert heading(page) == "8 threads write c, line 15; 8 wait: they are at another line"
        assert lit_lines(page) == [15] and lit_lines(page, "later") == [17], "where threads part, several lines"
        assert "Thread 14 (2, 3) waits for threads at another line" in panel.inner_text()
        press("Home")
        plays_and_pauses(page)
        page.get_by_text("all that thread 14 (2, 3) does").click()
        rows = page.locator("tbody tr")
        assert rows.count() == 2 * (2 + 2 + 1 + 8 + 1) + 1 and "a[3][2]" in rows.first.inner_text()


def test_a_race_is_shown(browser, blocks):
    """Both threads, the cell, the two lines; in the text, in the source and in the cells."""
    _, path, _ = blocks
    with opened(browser, path) as page:
        races = page.locator("button.race")
        text = races.first.inner_text()
        assert text.startswith("a_tile[0][0]: thread 0 writes (line 8 of product.cu) and thread 1 reads (line 10")
        races.first.focus()
        page.keyboard.press("Enter")
        assert heading(page).startswith("16 threads read a_tile, line 10")
        assert page.locator(".raced").inner_text().startswith(f"Race: {text}. What is read depends on who comes first")
        assert lit_lines(page, "race") == [8, 10]
        assert page.evaluate("steps.statesAt(steps.player.at)[1].letter") == "r!"
        page.keyboard.press("Home")
        assert page.locator(".raced").count() == 0 and lit_lines(page) == [8]


def test_a_block_fits_and_can_be_read(browser, blocks):
    for width, scheme in browsing.LOOKS:
        axe = browsing.checker()
        for path, step in ((blocks[0], 0), (blocks[0], 30), (blocks[1], 5)):
            with opened(browser, path, width, scheme, f"step={step}") as page:
                without_faults(page, width, axe, (path.name, step, width, scheme))


def test_another_epoch_begins_the_step_anew(browser, tmp_path):
    (tmp_path / "page.html").write_text(explored.timeline_page(3), encoding="utf-8")
    with opened(browser, tmp_path / "page.html", place="1;training") as page:
        page.get_by_role("button", name="take this step").click()
        weights = [page.evaluate(PARAMETERS)]
        page.locator("#epoch").press("Home")
        weights.append(page.evaluate(PARAMETERS))
        assert weights[1] == page.evaluate(PARAMETERS.replace("below.views.training.training.", "")) != weights[0]
        assert heading(page).startswith("Forwards: ")


def test_what_the_page_does_not_compute_is_not_stepped_through(browser, rng, monkeypatch):
    for limit in ("LARGEST", "CARRIED"):
        monkeypatch.setattr(f"minialex.explore.describing.{limit}", 0)
    model, shape = explored.branches()
    explored.filled(model, rng)
    answers = explored.answers(model, [explored.picture(shape, rng)])
    with explored.served(answers) as server:
        for view in ("training=3", "windows"):
            with opened(browser, server.address, place=f"conv1:1,2,2;{view}") as page:
                assert heading(page).startswith("conv1, map 1, row 2, column 2: ") and view not in page.url
                assert not page.get_by_role("button", name="one training step").is_visible()
