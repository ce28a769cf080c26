"""Every README and CONTRIBUTING: links lead somewhere, files and modules that they name exist, numbers agree."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from minialex import coursework, models
from minialex.coursework import tree

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
FOLDERS = ("minialex", "kernels", "tests", "tutorials")
PAGES = [CONTRIBUTING, *(ROOT / "tutorials" / name for name in ("AUTHORS.md", "coming_from_torch.md"))]
DOCUMENTS = [
    ROOT / "README.md",
    *PAGES,
    *(p for f in FOLDERS for p in sorted((ROOT / f).rglob("README.md")) if "node_modules" not in p.parts),
]
SUFFIXES = "py|cu|cuh|h|md|toml|ipynb|yml"
# Files of data sets, and those that a student's folder has.
ELSEWHERE = {
    "cifar-10-batches-bin/",
    "D/train/CLASS/*.jpg",
    "D/val/CLASS/*.jpg",
    "D/val/*.JPEG",
    "D/CLASS/*.jpg",
    "written.md",
    "my_net.py",
    "tutorials/work/",  # a learner's copies
}
PLACEHOLDER = re.compile(r"(?<![A-Za-z])(NN|aN|NAME)(?![A-Za-z])")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document):
    """The text without its fenced and indented blocks of code."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}\S.*\n", "", text, flags=re.MULTILINE)


def anchors(document):
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def paths(text):
    """Every `path` in backticks: what has a slash, or the suffix of a source file."""
    words = re.findall(r"`([\w.*-]+(?:/[\w.*-]+)*/?)`", text)
    return [w for w in words if (("/" in w and not w.startswith("runs/")) or re.search(rf"\w\.({SUFFIXES})$", w))]


def exists(path, document):
    """From the root, from beside the document or from the package; a plain name may be of any file."""
    if "/" not in path:
        return any(True for folder in FOLDERS for _ in (ROOT / folder).rglob(path)) or any(document.parent.glob(path))
    return any(any(folder.glob(path.rstrip("/"))) for folder in (ROOT, document.parent, ROOT / "minialex"))


@every_document
def test_links_lead_somewhere(document):
    text = prose(document)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'\bsrc="([^"]+)"', text)
    for link in links:
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists() and target.is_relative_to(ROOT), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading {anchor}"


@every_document
def test_paths_and_modules_exist(document):
    for path in paths(prose(document)):
        assert path in ELSEWHERE or PLACEHOLDER.search(path) or exists(path, document), f"`{path}` does not exist"
    text = document.read_text(encoding="utf-8")
    for path in re.findall(rf"\bpython3? ((?:tests|tutorials|minialex)/[\w/]+\.(?:{SUFFIXES}))\b", text):
        assert (ROOT / path).is_file(), f"python {path}: it does not exist"
    for name in set(re.findall(r"-m (minialex(?:\.[a-z]\w*)*)", text)):
        assert importlib.util.find_spec(name), f"python -m {name}: it does not exist"


def test_what_is_not_there_is_found(tmp_path):
    text = "`minialex/tape.py`, `pool.cu`, `tests/`, `minialex/*/loader.py`, `runs/first`, `a.b`, `.cu`, `lost.py`"
    assert [p for p in paths(text) if not exists(p, ROOT / "README.md")] == ["lost.py"]
    assert paths("`minialex/lost/`") and not exists("minialex/lost/", ROOT / "README.md")
    page = tmp_path / "page.md"
    page.write_text("# Which `AlexNet`?\n\n```\n# code\n```\n## ImageNet, or A-B\n")
    assert anchors(page) == {"which-alexnet", "imagenet-or-a-b"}


def test_every_folder_that_readme_sends_readers_to_has_a_readme():
    links = re.findall(r"\]\(([^)]+/README\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    linked = {(ROOT / link).resolve() for link in links}
    assert set(DOCUMENTS) - linked - {ROOT / "README.md", *PAGES} == set(
        (ROOT / "tutorials" / "assignments").glob("a?/README.md")
    )


def test_the_table_of_networks_is_complete():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| name \| whose .*?\n\n", text, re.MULTILINE | re.DOTALL)[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:] if row]
    assert {name for row in rows for name in row} == set(models.PRESETS) - {"shapes_net"}


def test_the_performance_table_is_of_the_measured_output():
    measured = (ROOT / "minialex" / "bench" / "README.md").read_text(encoding="utf-8").split()
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| network, batch .*?\n\n", text, re.MULTILINE | re.DOTALL)[0]
    figures = re.findall(r"(?<=\| )[\d,]+\.\d(?= \|)", table)
    assert len(figures) == 20 and set(figures) <= set(measured)


def test_transcripts_of_the_assignments_name_the_right_lines():
    text = (ROOT / "tutorials" / "assignments" / "README.md").read_text(encoding="utf-8")
    skeleton = tree.skeleton(coursework.assignment("a1"))
    named = re.findall(r"not written yet \((\w+\.py), line (\d+)\)", text)
    assert named
    for file, number in named:
        right = [n for n, line in enumerate(skeleton[file].splitlines(), 1) if "yours to write" in line]
        assert int(number) in right, f"{file}, line {number}: functions are to be written in lines {right}"
