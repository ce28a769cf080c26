"""A real browser for tests of pages: the system's Chromium, headless, driven by Playwright; tests skip without it."""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOOKS = [(1280, "light"), (390, "dark")]  # (width of the window in pixels, scheme) in which pages are looked at


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
def opened(browser, path, width=1280, scheme="light", place="", errors=True, ready=".panel h2", alone=True):
    """A context with a page, in which nothing may go wrong and nothing else may be asked for.

    browser: a Browser.
    path: of a file on disk, or the address of a page that is served here.
    width: pixels of the window.
    scheme: "light" or "dark".
    place: what stands behind the # of the address.
    errors: whether the test fails for an error in the console, or where anything else is asked for.
    ready: a selector of what must be there before the test begins.
    alone: whether the page is one file; else it may ask for others, but only on disk.
    """
    troubles, asked = [], []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = path if isinstance(path, str) else path.as_uri()
    page.goto(f"{address}{place and '#'}{place}")
    page.locator(ready).first.wait_for()  # the policy of a page forbids the functions that Playwright can wait for
    yield page
    context.close()
    if errors:
        assert not troubles, troubles
        here = address if alone else ("file:", "data:")
        assert all(url.startswith(here) for url in asked), asked
        assert len(asked) == 1 or not alone or isinstance(path, str), asked


def checker():
    """What axe-core finds in a page; None where it is not installed."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        return None
    return Axe()
