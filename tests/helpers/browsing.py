"""A real browser for tests of pages: the system's Chromium, headless, driven by Playwright; tests skip without it."""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextlib.contextmanager
def browser():
    """A context with a Playwright Browser."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no browser: apt-get install chromium")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # for whom Chromium's sandbox does not work
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if as_root else [])
        yield started
        started.close()


@contextlib.contextmanager
def opened(browser, path, width=1280, scheme="light", place="", errors=True):
    """A context with a page of a file on disk, in which nothing may go wrong and nothing else may be asked for.

    browser: a Browser.
    path: of the file.
    width: pixels of the window.
    scheme: "light" or "dark".
    place: what stands behind the # of the address.
    errors: whether the test fails for an error in the console, or where anything else is asked for.
    """
    troubles, asked = [], []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{path.as_uri()}{place and '#'}{place}")
    page.locator(".panel h2").wait_for()  # the policy of a page forbids the functions that Playwright can wait for
    yield page
    context.close()
    if errors:
        assert not troubles, troubles
        assert len(asked) == 1 and asked[0].startswith("file:"), asked


def checker():
    """What axe-core finds in a page; None where it is not installed."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        return None
    return Axe()
