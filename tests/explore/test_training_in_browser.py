"""The page of a run that kept its weights, in a real browser: the slider over its epochs, and the confusion matrix."""

from __future__ import annotations

import browsing
import explored
import kept_run
import numpy as np
import pytest
from browsing import opened

from minialex import cli, data
from minialex.explore import __main__ as command
from minialex.runs import kept, trained

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = kept_run.make(tmp_path_factory.mktemp("runs"))
    assert cli.run(command.main, [str(folder), "--out", str(folder / "explore.html")]) == 0
    return folder


def status(page):
    return page.locator("[role=status]").inner_text()


def summary(page):
    return page.locator(".confusion summary").inner_text()


def close(found, expected):
    expected = np.ravel(expected)
    assert np.abs(np.asarray(found) - expected).max() <= 2e-5 * np.abs(expected).max()


def test_the_slider_moves_all_numbers_through_training(browser, folder):
    image = trained.load(folder).pipeline.views(data.load("shapes", limit=kept_run.COUNT).test.fetch([0])[0], 1)[0, 0]
    with opened(browser, folder / "explore.html", place="conv2:5,3,3") as page:
        slider = page.get_by_label("weights after")
        slider.focus()
        for key, epoch in (("Home", 1), ("ArrowRight", 2), ("End", 3), ("ArrowLeft", 2)):
            page.keyboard.press(key)
            values, gradients, parameters, loss = explored.computed(
                trained.load(kept.found(folder)[epoch]).model, image, 0
            )
            assert slider.get_attribute("aria-valuetext") == f"{epoch} epoch{'s' * (epoch > 1)}"
            assert page.url.endswith(f"#conv2:5,3,3;epoch={epoch}") and f"after {epoch} epoch" in summary(page)
            close(page.evaluate("[...explorer.network.values[5]]"), values[5])
            close(page.evaluate("[...explorer.network.gradients[1]]"), gradients[1])
            close(page.evaluate("[...explorer.network.parameterGradients[1].weight]"), parameters[1]["weight"])
            assert abs(page.evaluate("explorer.state.loss") - loss) < 1e-4
            heading = page.locator(".panel h2").inner_text().replace("\u2212", "-")
            assert float(heading.split()[-1]) == pytest.approx(values[5][5, 3, 3], rel=2e-3)
        assert page.evaluate("document.activeElement.id") == "epoch"


def test_an_address_leads_to_an_epoch(browser, folder):
    with opened(browser, folder / "explore.html", place="conv1;epoch=3") as page:
        assert page.evaluate("explorer.state.timeline.epoch") == 3 and "after 3 epochs" in summary(page)
    with opened(browser, folder / "explore.html", place="conv1;epoch=9") as page:
        assert page.evaluate("explorer.state.timeline.epoch") == 2, "that of best.npz"


# Presses the button as soon as an epoch is shown.
PAUSED_AT = """(epoch) => new Promise((done) => {
    const timer = setInterval(() => {
        if (explorer.state.timeline.epoch !== epoch) return;
        clearInterval(timer);
        document.querySelector(".epochs button").click();
        done();
    }, 10);
})"""


def test_it_plays_and_stops_at_the_end(browser, folder):
    with opened(browser, folder / "explore.html", place="conv1;epoch=3") as page:
        page.get_by_role("button", name="play training").press("Enter")
        assert page.evaluate("explorer.state.timeline.epoch") == 1
        page.evaluate(PAUSED_AT, 2)
        page.wait_for_timeout(1100)
        assert page.evaluate("explorer.state.timeline.epoch") == 2
        page.get_by_role("button", name="play training").click()
        assert page.evaluate("explorer.state.timeline.epoch") == 3
        assert page.get_by_role("button", name="play training").is_visible()


def test_a_cell_of_the_confusion_matrix_shows_its_pictures(browser, folder):
    test = data.load("shapes", limit=kept_run.COUNT).test
    images, labels = test.fetch(range(kept_run.COUNT))
    pipeline = trained.load(folder).pipeline
    model = trained.load(kept.found(folder)[3]).model
    predicted = explored.logits(model, pipeline.views(images, 1)[0]).argmax(1)
    with opened(browser, folder / "explore.html", place="conv1;epoch=3") as page:
        page.locator(".confusion summary").click()
        right = (predicted == labels).sum()
        assert f": {100 * right / len(labels):.1f}" in summary(page) or f": {100 * right / len(labels):.2f}" in summary(
            page
        )
        cells = page.locator(".confusion td button")
        counts = np.array([int(text) for text in cells.all_inner_texts()]).reshape(10, 10)
        expected = np.zeros((10, 10), int)
        np.add.at(expected, (labels, predicted), 1)
        assert np.array_equal(counts, expected)
        i, j = np.argwhere(expected)[0]
        cells.nth(10 * i + j).click()
        members = np.flatnonzero((labels == i) & (predicted == j))
        shown = page.locator(".found button")
        assert [b.get_attribute("title") for b in shown.all()] == [f"test image {k}" for k in members][: shown.count()]
        assert shown.count() == len(members)
        shown.first.press("Enter")
        assert status(page).startswith(
            f"test image {members[0]}: {test.classes[i]}. The network says {test.classes[j]}"
        )
        close(page.evaluate("[...explorer.network.values[0]]"), pipeline.views(images[members[:1]], 1)[0, 0])
        before = page.evaluate("explorer.state.pictures.length")
        shown.first.click()
        assert page.evaluate("explorer.state.pictures.length") == before, "it is there already"


def test_the_confusion_matrix_by_keyboard(browser, folder):
    focused = "document.activeElement.getAttribute('aria-label')"
    names = data.load("shapes", limit=1).test.classes
    with opened(browser, folder / "explore.html") as page:
        page.locator(".confusion summary").press("Enter")
        assert page.locator(".confusion td button[tabindex='0']").count() == 1
        page.locator(".confusion td button[tabindex='0']").focus()
        for key in ("Home", *["ArrowUp"] * 9):
            page.keyboard.press(key)
        assert page.evaluate(focused).startswith(f"{names[0]}, recognised: ")
        for key, start in (
            ("ArrowRight", f"{names[0]} taken for {names[1]}: "),
            ("ArrowDown", f"{names[1]}, recognised: "),
            ("End", f"{names[1]} taken for {names[9]}: "),
            ("ArrowRight", f"{names[1]} taken for {names[9]}: "),
        ):
            page.keyboard.press(key)
            assert page.evaluate(focused).startswith(start), key
            assert page.locator(".confusion h3").inner_text().startswith(start)


@pytest.mark.parametrize("width, scheme", browsing.LOOKS)
def test_it_fits_and_can_be_read(browser, folder, width, scheme):
    axe = browsing.checker()
    with opened(browser, folder / "explore.html", width, scheme, place="conv1;epoch=1") as page:
        page.locator(".confusion summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.run(page).response["violations"] if axe else []
        assert not found, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found]


def test_hostile_names_of_classes_are_texts(browser, tmp_path):
    page_file = tmp_path / "page.html"
    page_file.write_text(explored.timeline_page(5, explored.HOSTILE), encoding="utf-8")
    with opened(browser, page_file) as page:
        page.locator(".confusion summary").click()
        assert page.locator(".confusion th[scope=row]").first.inner_text() == explored.HOSTILE[0]
        assert page.evaluate("document.images.length") == 0


def test_many_classes_are_colours(browser, tmp_path):
    """Of more than 20 classes the matrix is a canvas, which keys and the pointer choose from."""
    page_file = tmp_path / "page.html"
    page_file.write_text(explored.timeline_page(25), encoding="utf-8")
    with opened(browser, page_file) as page:
        page.locator(".confusion summary").click()
        canvas = page.locator(".confusion canvas[tabindex]")
        canvas.click(position={"x": 2 + 9 * 3 + 4, "y": 2 + 9 * 2 + 4})
        assert page.locator(".confusion h3").inner_text().startswith("class 2 taken for class 3: ")
        canvas.focus()
        page.keyboard.press("ArrowDown")
        assert page.locator(".confusion h3").inner_text().startswith("class 3, recognised: ")
