"""What tests of the explorer's page do in a browser: go to a place, read the heading, compare numbers, run axe-core."""

from __future__ import annotations

import numpy as np

ROUNDING = 2e-5  # of the largest number of an array: float32, where large gradients cancel in a bias's

# For places of every array: what is written out for it.
EXPLAINED = """(places) => {
    const { network } = explorer;
    const sum = ({ terms }) => terms.reduce((total, { product }) => total + product, 0);
    return places.map(([n, kind, at]) => {
        if (kind === "value") return network.explain(n, at).steps.at(-1)[1];
        if (kind === "gradient") return sum(network.explainGradient(n, at));
        return sum(network.explainParameter(n, kind, at));
    });
}"""


def close(found, expected, what):
    found, expected = np.asarray(found, np.float64), np.ravel(expected)
    assert found.shape == expected.shape, what
    most = np.abs(expected).max()
    assert np.abs(found - expected).max() <= ROUNDING * most, f"{what}: {np.abs(found - expected).max() / most:.1e}"


def heading(page):
    return page.locator(".panel h2").inner_text()


def numbers(text):
    return [word.strip(",:") for word in text.replace("\u2212", "-").split() if word.strip(",:-")[:1].isdigit()]


def shown(text):
    """The last number of a text."""
    return float(numbers(text)[-1])


def go(page, place):
    """Change the page's address as a link within it does."""
    page.evaluate(
        """(place) => new Promise((done) => {
            addEventListener("hashchange", () => setTimeout(done), { once: true });
            location.hash = place;
        })""",
        place,
    )
