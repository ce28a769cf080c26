"""What students get: a folder for each assignment that has no solution of any, and in which everything runs."""

from __future__ import annotations

import ast
import functools
import os
import re
import textwrap
from difflib import SequenceMatcher

import pytest
from wrong_solutions import inputs_of, own, put

from minialex import cli, coursework
from minialex.coursework import NAMES, emptied, release, student, targets, tree
from minialex.coursework.__main__ import main

skeleton = functools.cache(lambda name: tree.skeleton(coursework.assignment(name)))


@functools.cache
def asked(name, check):
    """The inputs of a check."""
    assignment = coursework.assignment(name)
    return inputs_of(assignment, assignment.check(check), 0)


def test_every_assignment_asks_for_what_the_table_says():
    assert tuple(targets.TARGETS) == NAMES
    for name in NAMES:
        assert coursework.assignment(name).targets == targets.TARGETS[name]
    every = [(target.file, function) for name in NAMES for target in targets.TARGETS[name] for function in target.names]
    assert len(set(every)) == len(every), "two assignments ask for one function"


# ------------------------------------------------------------------------------ no solutions


@functools.cache
def bodies(file):
    """{function: (first line, number of lines)} of the bodies of what any assignment asks for in the source file."""
    source, found = tree.source_of(file).read_text(encoding="utf-8"), {}
    parsed = ast.parse(source) if file.endswith(".py") else None
    for name in [function for names in targets.asked_in(file).values() for function in names]:
        if parsed is None:
            first, last = (source.count("\n", 0, place) for place in emptied.kernel_body(source, name))
            found[name] = first + 1, last - first - 1
        else:
            function = emptied.definition(parsed, name)
            first = function.body[1 if ast.get_docstring(function) else 0].lineno - 1
            found[name] = first, function.end_lineno - first
    return found


def tokens(source):
    """The words and signs of Python or CUDA source: the same without its comments and written otherwise."""
    code = re.sub(r"(?:#|//(?!\s*\d)).*|/\*[^*]*\*/", "", source)
    return " ".join(re.findall(r"\w+|[^\w\s(),]", code.replace("'", '"')))


@functools.cache
def solutions():
    """({function: tokens of its body}, the lines that are in such bodies and nowhere else in the same files)."""
    whole, inside, given = {}, set(), set()
    for file in targets.files_of(NAMES):
        lines = tree.source_of(file).read_text(encoding="utf-8").splitlines()
        for name, (first, count) in bodies(file).items():
            whole[name] = tokens("\n".join(lines[first : first + count]))
            inside |= {" ".join(line.split()) for line in lines[first : first + count]}
            lines[first : first + count] = [""] * count
        given |= {" ".join(line.split()) for line in lines}
    return whole, {line for line in inside - given if len(re.sub(r"\W", "", line)) > 5}


def leaks(files):
    """The solutions in {file name: text}, whole bodies and single lines, as sentences."""
    whole, lines = solutions()
    for name, text in files.items():
        yield from (f"{name}: {line}" for line in lines & {" ".join(line.split()) for line in text.splitlines()})
        found = tokens(text)
        yield from (f"{name}: the body of {function}" for function, body in whole.items() if body in found)


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_of_any_assignment_is_in_a_release(name):
    made = release.contents(coursework.assignment(name), 3)
    texts = {file: data.decode() for file, data in made.items() if not file.endswith(".png")}
    assert {"README.md", "written.md", "test_public.py", "coursework.json"} < texts.keys()
    assert not [*leaks(texts)]
    for file, source in texts.items():
        if file.endswith(".py"):
            compile(source, file, "exec")
    rubric = [line for question in coursework.assignment(name).written for line in question.rubric]
    hints = [hint for hints in coursework.assignment(name).hints.values() for hint in hints]
    assert not [text for text in (*rubric, *hints) for made in texts.values() if text in made]


def test_solutions_are_found_where_they_are_left():
    """The test above sees what it looks for: a body under another name, a line in a handout, a later function."""
    source = tree.source_of("backends/numpy_backend.py").read_text(encoding="utf-8")
    body = ast.unparse(emptied.definition(ast.parse(source), "_neighbours").body[1:])
    assert "x.py: the body of _neighbours" in [*leaks({"x.py": f"def helper():\n{textwrap.indent(body, '    ')}\n"})]
    assert [*leaks({"README.md": "    gb = rows.sum(axis=0) if needs[2] else None\n"})]
    a2 = emptied.empty_python(source, dict.fromkeys(targets.TARGETS["a2"][0].names, "mine"))
    told = [*leaks({"numpy_backend.py": a2})]
    assert {f"numpy_backend.py: the body of {name}" for name in targets.TARGETS["a4"][0].names} < {*told}
    relu = tree.source_of("kernels/relu.cu").read_text(encoding="utf-8")
    assert "relu.cu: the body of relu_in_place" in [*leaks({"relu.cu": relu.replace(" = 0", "=0  /* why */")})]


PATTERNS = {("sub", "add"), ("exp", "tanh")}  # the handout of A1 shows these as examples of whole operations


def shape(function):
    """The kinds of a function's syntax nodes, and the attributes it uses, in their order."""
    nodes = [node for statement in function.body[bool(ast.get_docstring(function)) :] for node in ast.walk(statement)]
    return [f"{type(node).__name__} {getattr(node, 'attr', '')}" for node in nodes]


@pytest.mark.coursework
def test_no_function_that_is_left_is_nearly_a_solution():
    asked_for = {}
    for file in [file for file in targets.files_of(NAMES) if file.endswith(".py")]:
        parsed = ast.parse(tree.source_of(file).read_text(encoding="utf-8"))
        for name in [function for names in targets.asked_in(file).values() for function in names]:
            asked_for[name] = shape(emptied.definition(parsed, name))
    found = set()
    for source in {source for name in NAMES for file, source in skeleton(name).items() if file.endswith(".py")}:
        for left in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]:
            matcher = SequenceMatcher(autojunk=False)
            matcher.set_seq2(shape(left))
            for name, solution in asked_for.items():
                matcher.set_seq1(solution)
                if len(matcher.b) > 12 and matcher.quick_ratio() > 0.8 and matcher.ratio() > 0.8:
                    found.add((left.name, name))
    assert found == PATTERNS


def fails(check, name, folder):
    """What keeps the folder from passing a check of the assignment called `name`; an empty text if nothing does."""
    try:
        return student.fault(folder, check, asked(name, check.name))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


QUICK = [("a2", "a3"), ("a2", "a4"), ("a3", "a3"), ("a3", "a4"), ("a4", "a3"), ("a4", "a4")]
PAIRS = [
    pytest.param(given, graded, marks=[pytest.mark.coursework] * ((given, graded) not in QUICK))
    for given in NAMES
    for graded in NAMES
    if not given == graded == "a5"  # which test_mistakes.py compiles
]


@pytest.mark.parametrize(("given", "graded"), PAIRS)
def test_no_skeleton_earns_anything_anywhere(given, graded, tmp_path):
    """What is handed out for one assignment, handed in for another."""
    folder = put(skeleton(given), tmp_path, graded)
    told = {check.name: fails(check, graded, folder) for check in coursework.assignment(graded).checks}
    assert all(told.values()), [name for name, message in told.items() if not message]
    assert all(re.search(r"yours to write|belongs to|is missing", message) for message in told.values()), told


def test_functions_of_other_assignments_say_so(tmp_path):
    source = skeleton("a3")["numpy_backend.py"]
    said = set(re.findall(r'raise NotImplementedError\("(.*)"\)', source))
    assert said == {
        "a3: yours to write",
        *(f"belongs to {other}: leave it empty in a3, the library's own is used" for other in ("a2", "a4")),
    }
    main(["release", "a3", "--out", str(tmp_path / "a3")])
    assert (tmp_path / "a3" / "numpy_backend.py").read_text() == source


def test_what_a_release_prints_is_true(tmp_path, capsys):
    main(["release", "a2", "--out", str(tmp_path / "a2.zip")])
    assert "the functions of this and of every other assignment are empty in it" in capsys.readouterr().out


# ------------------------------------------------------------------------------ everything runs


@pytest.mark.coursework
@pytest.mark.parametrize("name", ["a1", "a2", "a3", "a4"])
def test_own_functions_in_a_skeleton_run(name, tmp_path):
    """The student writes the functions of one assignment; those of others stay empty in the same files."""
    assignment = coursework.assignment(name)
    sources = {}
    for target in assignment.targets:
        source = tree.source_of(target.file).read_text(encoding="utf-8")
        others = {f: other for other, functions in targets.asked_in(target.file).items() for f in functions}
        messages = {function: f"belongs to {other}" for function, other in others.items() if other != name}
        source = emptied.empty_python(source, messages)
        sources[target.student_file] = source
    folder = put(sources, tmp_path, name)
    assert not [message for check in assignment.checks if (message := fails(check, name, folder))]
    if name == "a2":
        main(["train", str(folder), "--epochs", "1", "--limit", "100"])


def test_what_later_assignments_ask_for_is_empty_where_submissions_run():
    a2 = tree.emptied_source(coursework.assignment("a2"), "backends/numpy_backend.py")
    assert not [*leaks({"numpy_backend.py": a2})]
    a4 = tree.emptied_source(coursework.assignment("a4"), "backends/numpy_backend.py")
    assert "a2: yours" not in a4 and "a3: yours" not in a4 and a4.count("a4: yours to write") == 7
    assert tree.emptied_source(coursework.assignment("a1"), "kernels/lrn.cu").count("// a5: yours to write") == 4
    assert tree.emptied_source(coursework.assignment("a6"), "tape.py") == tree.source_of("tape.py").read_text()


# ------------------------------------------------------------------------------ emptying


SHAPES = {
    "on one line": ("def f(x): return x + 1\n", "def f(x):\n    E\n"),
    "a docstring beside": ('def f(x): "Doc."; return x\n', 'def f(x):\n    "Doc."\n    E\n'),
    "a docstring and more": ('def f(x):\n    "Doc."; y = x\n    return y\n', 'def f(x):\n    "Doc."\n    E\n'),
    "comments around": (
        "def f(x):  # fmt: skip\n    # add one\n    return x + 1  # done\n    # which is x + 1\n\n# not of f\nz = 1\n",
        "def f(x):  # fmt: skip\n    E\n\n# not of f\nz = 1\n",
    ),
    "colons": (
        "def f(x: int = {1: 2}[1], *, key=lambda y: y) -> dict[str, int]:\n    return {':': x}\n",
        "def f(x: int = {1: 2}[1], *, key=lambda y: y) -> dict[str, int]:\n    E\n",
    ),
    "a decorator": ("@cache\ndef f(x):\n    return x\n", "@cache\ndef f(x):\n    E\n"),
    "a signature of lines": (
        "def f(\n    x,\n    # the second:\n    y=':',\n):\n    return x\n\n\ndef g():\n    return 1\n",
        "def f(\n    x,\n    # the second:\n    y=':',\n):\n    E\n\n\ndef g():\n    return 1\n",
    ),
    "no end of line": ("def f(x):\n    return x", "def f(x):\n    E"),
    "a form feed": ("z = 1\n\f\ndef f(x):\n    return x\n", "z = 1\n\f\ndef f(x):\n    E\n"),
    "not in English": ('def f(x):\n    """ä"""; return "ü"\n', 'def f(x):\n    """ä"""\n    E\n'),
}


@pytest.mark.parametrize("case", SHAPES)
def test_nothing_of_a_body_is_left_however_it_is_written(case):
    source, wanted = SHAPES[case]
    made = emptied.empty_python(source, {"f": "mine"})
    assert made == wanted.replace("E", 'raise NotImplementedError("mine")')
    compile(made, case, "exec")


def test_methods_keep_their_place():
    source = (
        "class A:\n    def f(self): return 1\n    # of f? no: of A\n\n    def g(self):\n        return 2\n        # 2\n"
    )
    made = emptied.empty_python(source, {"A.f": "mine", "A.g": "mine"})
    gone = 'raise NotImplementedError("mine")'
    assert (
        made
        == f"class A:\n    def f(self):\n        {gone}\n    # of f? no: of A\n\n    def g(self):\n        {gone}\n"
    )
    with pytest.raises(ValueError, match="0 functions are called A.h"):
        emptied.empty_python(source, {"A.h": "mine"})


def test_kernels_are_found_beside_comments_and_strings():
    source = (
        "// __global__ void k(int n) { is the next\n/* __global__ void k( */\n"
        "extern \"C\" __global__ void k(int n /* { */) {\n    // }\n    n = '}';\n}\nint after;\n"
    )
    assert emptied.empty_cuda(source, {"k": "mine"}).endswith("void k(int n /* { */) {\n    // mine\n}\nint after;\n")
    with pytest.raises(ValueError, match="2 kernels are called k"):
        emptied.kernel_body(source + source, "k")
    with pytest.raises(ValueError):
        emptied.kernel_body('__global__ void k(int n) { "}"', "k")


# ------------------------------------------------------------------------------ the description of a folder


def described(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "coursework.json").write_text(text)
    return folder


def test_a_submission_of_another_variant_or_assignment_is_told(tmp_path):
    a1 = coursework.assignment("a1")
    assert coursework.mismatch(tmp_path, a1, 0) == "", "most submissions are only the files asked for"
    folder = described(tmp_path / "mine", '{"assignment": "a1", "variant": 3}')
    assert coursework.mismatch(folder, a1, 3) == ""
    assert re.search("says a1, variant 3, but it is graded as a1, variant 0", coursework.mismatch(folder, a1, 0))
    assert "as a2, variant 3" in coursework.mismatch(folder, coursework.assignment("a2"), 3)


DAMAGED = [
    "", "[]", "{}", '{"assignment": "a9"}', '{"assignment": ["a1"]}', '{"assignment": "\ud800"}', "[" * 50000,
    '{"assignment": "a1", "variant": 1e999}', '{"assignment": "a1", "variant": -1}', " " * 70000,
    '{"assignment": "a1", "variant": null}', '{"assignment": "a1", "variant": 1' + "0" * 30 + "}",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_damaged_description_is_one_sentence(number, tmp_path):
    (tmp_path / "coursework.json").write_bytes(DAMAGED[number].encode(errors="surrogatepass"))
    assert "is damaged" in coursework.mismatch(tmp_path, coursework.assignment("a1"), 0)
    with pytest.raises(cli.UserError, match="is damaged"):
        main(["check", str(tmp_path)])


@pytest.mark.skipif(os.name == "nt", reason="no links and pipes there")
def test_a_description_that_is_no_file_is_not_read(tmp_path):
    for make in (
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
        lambda path: path.symlink_to("nowhere"),
        os.mkdir,
    ):
        make(tmp_path / "coursework.json")
        assert "is damaged" in coursework.mismatch(tmp_path, coursework.assignment("a1"), 0)
        path = tmp_path / "coursework.json"
        path.rmdir() if path.is_dir() else path.unlink()


# ------------------------------------------------------------------------------ on a GPU


class NoGpu:
    """In place of CuPy: it says which inputs arrived, and that there is nothing to compute them on."""

    class cuda:
        class compiler:
            class CompileException(Exception):
                pass

    def __init__(self):
        self.seen = []

    def RawModule(self, **options):
        return self

    def asarray(self, array):
        self.seen.append(array.copy())
        raise RuntimeError("no GPU")


@pytest.mark.coursework
def test_a_gpu_gets_the_inputs_of_the_folders_variant(tmp_path, monkeypatch, capsys):
    from minialex.coursework import a5_gpu

    a5 = coursework.assignment("a5")
    for variant in (0, 7):
        folder = put(own(a5), tmp_path / str(variant), "a5")
        described(folder, f'{{"assignment": "a5", "variant": {variant}}}')
        cupy = NoGpu()
        monkeypatch.setattr(a5_gpu.gpu, "usable_cupy", lambda cupy=cupy: cupy)
        a5_gpu.main([str(folder)])
        assert "relu: no GPU" in capsys.readouterr().out
        assert (cupy.seen[0] == inputs_of(a5, a5.check("relu"), variant)["x"]).all()
    described(tmp_path / "0", '{"assignment": "a1"}')
    with pytest.raises(cli.UserError, match="belongs to a1, which has no kernels"):
        a5_gpu.main([str(tmp_path / "0")])
