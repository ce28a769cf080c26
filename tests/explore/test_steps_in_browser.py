"""The steppers in a real browser: a trace of the tape."""

from __future__ import annotations

import browsing
import numpy as np
import pytest
from browsing import opened

from minialex import explore, functional, models, nn, optim
from minialex.tensor import Tensor

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


def heading(page):
    return page.locator(".panel h2").inner_text()


def without_faults(page, width, axe, what):
    """Nothing reaches beyond the window, and axe-core finds neither roles nor contrasts amiss."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    found = axe.run(page).response["violations"] if axe else []
    assert not found, (what, [(v["id"], [n["html"][:300] for n in v["nodes"][:3]]) for v in found])


def checker():
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    return axe.Axe()


LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


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
        page.get_by_label("speed of play").select_option("fast")
        page.get_by_role("button", name="play").click()
        page.locator("h2", has_text="Forwards: sigmoid").wait_for()
        page.get_by_role("button", name="pause").click()
        before = where.inner_text()
        page.wait_for_timeout(500)
        assert where.inner_text() == before
        page.locator(".node", has_text="sigmoid").click()
        assert heading(page).startswith("Backwards: sigmoid")
        lines = page.locator(".line.lit").all_inner_texts()
        assert lines[0].strip().endswith("loss = (h * h.sigmoid()).sum()")
        assert any("def backward(gy):" in line for line in lines)


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
    axe = checker()
    for width, scheme in LOOKS:
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
