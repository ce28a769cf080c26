"""What of a student's .cu file reaches the compiler, how that is limited, and what its kernels can write to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from right_solutions import right_solutions
from wrong_solutions import own, put

from minialex import coursework
from minialex.backends.cuda import emulator, launch
from minialex.coursework import a5_bodies, a5_language, kernels
from minialex.coursework.targets import TARGETS as EVERY
from minialex.support.resources import folder

TARGETS = EVERY["a5"]
RELU = (folder("kernels") / "relu.cu").read_text()
FIRST = "REAL value = x[i];"  # in line 13 of relu.cu


def spliced(student, names=("relu",)):
    return a5_bodies.spliced(launch.source("relu.cu"), student, names, "relu.cu")


def with_first(code):
    return RELU.replace(FIRST, f"{code} {FIRST}", 1)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.student_file)
def test_the_library_passes(target):
    source = (folder("kernels") / target.student_file).read_text()
    a5_bodies.spliced(launch.source(target.student_file), source, target.names, target.student_file)
    assert a5_bodies.empty(source, target.names, target.student_file) == []


@pytest.mark.parametrize(
    "code",
    [
        "system(0);",
        "int (*f)(int) = abort;",
        "(abort)();",
        "f[0](3);",
        "REAL* p = 0;",
        "(REAL*)y;",
        "*(v + 3);",
        "auto q = x;",
        "auto [p, n, name, from] = x;",
        "x.start[3];",
        "(long long&)x;",
        "REAL& r = v[1];",
        "(v + 0)[9];",
        "emulator::report;",
        "x->y;",
        '"text"',
        "'c'",
        "\n#include <unistd.h>\n",
        "\\\n",
        "asm(0);",
        "__asm__(0);",
        "__builtin_trap();",
        "static int n;",
        "using namespace emulator;",
        "struct S { int n; };",
        "a /* never closed",
        "a */ b",
        "<% %>",
        "%:define x y",
        "union { int i; };",
        "Meeting system(w, 0, 1); { system(0); }",
        "[[maybe_unused]] int a;",
        "not_declared = 1;",
        "errno = 1;",
        "int errno = 1;",
        "threadIdx.x = 1;",
        "blockDim.y++;",
        "sizeof(x[0]);",
        "throw 1;",
        "goto end; end:;",
        "printf(0);",
        "malloc(8);",
        "alloca(8);",
        "int é = 1;",
        "int a = 3_x;",
    ],
)
def test_refused_with_its_line(code):
    with pytest.raises(ValueError, match=r"relu\.cu, line 1[34]: relu may not use "):
        spliced(with_first(code))


@pytest.mark.parametrize(
    "code",
    [
        "REAL v[4]; v[2] = 2. * x[i] * (REAL)3 * (v[1] + 1);",
        "int a = threadIdx.x & 31, b = a * -1;",
        "int t[2][3]; t[1][2] = t[0][t[1][1]];",
        "bool save = false; if (i < n && (x[i] > 0 || !save)) y[i] = -max(x[i], (REAL)0);",
        "/* } */ // system(0); }\n",
        "for (int k = 0; k < 3; ++k) y[i] += (long long)(k * 2) % 3;",
        "int a = 1; const REAL w = (unsigned char)(a), z = 0.5f;",
        "const int m = 4 * 4, k = m / 2; REAL v[k], u[] = {1, 2, (REAL)3}, w[2][2] = {{0}, {1, 2}};",
        "REAL a = INFINITY, b = -INFINITY, c = .5e-3f, d = 1.f, e = 0x1F; a = b = c = d = e;",
        "int a = 0; a <<= 2, a |= 1; a = a >> 1 ^ ~a; a++; --a; a = a ? a > 1 ? 1 : 2 : 3;",
        "if (not (i < 0) and n > 1 or i == 3) {} else if (int k = 3) k += 1; else ;",
        "switch (i % 3) { case 0: break; case 1: { int k = 1; y[i] = k; } default: y[i] = 0; }",
        "do y[i] = 0; while (false); while (i < 0) continue; for (;;) break;",
        "int t = 1; { REAL t[2]; t[0] = 1; } t += 1;",
        "uint3 at = threadIdx; at.x = 3; unsigned long long int many = sizeof(REAL) * at.x;",
        "SHARED(unsigned char, bytes, 32); SHARED2(REAL, tile, 16, 16 + 1); bytes[3] = 1; tile[1][2] = 0;",
        "SHARED(REAL, scratch, 32); REAL sum = block_sum(x[i], scratch);",
        "Four four = load4(x, i); four.v[1] = 2; store4(y, i, four); Four other = {{1, 2, 3, 4}}; other = four;",
        "int a = int(x[i]) + (int)y[i] + (const int)3, b(4), c{5};",
    ],
)
def test_what_kernels_need_is_allowed(code):
    assert "REAL value" in spliced(with_first(code))


@pytest.mark.parametrize(
    "code",
    [
        "Meeting rows(w, 0, place), columns(w, 1, place); int u = rows.tap(rows.first);",
        "const Meeting rows = Meeting(w, 0, place), columns{w, 1, place}; int u = rows.there - columns.last;",
        "Window v = w; v.size[0] = 3; int u = w.output[v.kernel[1]];",
    ],
)
def test_what_pooling_needs_is_allowed(code):
    source = (folder("kernels") / "pool.cu").read_text().replace("int winner = -1;", f"int winner = -1; {code}", 1)
    assert code in a5_bodies.spliced(launch.source("pool.cu"), source, ["max_pool2d"], "pool.cu")


def test_right_solutions_of_all_styles_are_in_the_language():
    for solution in right_solutions("a5"):
        files = solution.change(own(coursework.assignment("a5")), {})
        for target in TARGETS:
            source = launch.source(target.student_file)
            made = a5_bodies.spliced(source, files[target.student_file], target.names, target.student_file)
            assert all(f"{name}(" in made for name in target.names) and made != source


ADDRESSES = [  # of the local array k, or of a parameter
    "*(k + 6) = 7",
    "*k = 7",
    "0[k] = 7",
    "6 [k] = 7",
    "(k + 6)[0] = 7",
    "(k)[6] = 7",
    "(0, k)[6] = 7",
    "*&k[6] = 7",
    "(&k[0])[6] = 7",
    "*(int*)(long long)i = 7",
    "*(int*)k = 7",
    "(int&)k[0] = 7",
    "k = k",
    "k + 6",
    "-k",
    "!k",
    "k ? 1 : 2",
    "(i ? k : k)[6] = 7",
    "m = k",
    "x = y",
    "y + 6",
    "(y + 6)[0] = 7",
    "max(k, k)",
    "load4(k, 0)",
    "load4(y + 6, 0)",
    "block_sum(1, k)",
    "k[0][1] = 7",
    "k[k] = 7",
    "t[1] = 7",
    "*t[1] = 7",
    "t[0, 1][2][3] = 7",
    "m[0] = 7",
    "i->k",
    "this",
    "[&] { k[6] = 7; }()",
    "global<REAL>{&k[0], 9, 0}[6] = 7",
    "global<REAL> g = y",
    "REAL& r = value",
    "int&& r = 3",
    "int* p = k",
    "int (*p)[4] = &k",
    "int (&p)[4] = k",
    "decltype(k) p",
    "int n[i]",
    "int n[m]",
    "int n[sizeof(k)]",
    "int n[0]",
    "int n[-1]",
    "int n[3000]",
    "REAL n[100][100]",
    "int n[3000000 - (unsigned char)2999999]",
    "const unsigned char c = 2999999; int n[3000000 - c]",
    "int n[3000000 - 07777777]",
    "int n[4294967297 / 2 - 1]",
    "int n[(unsigned)-1]",
    "int n[1 / 0]",
    "int n[(int)1.5]",
    "int n[m + 1]",
    "SHARED(REAL, big, 10000)",
    "SHARED(REAL, s, m)",
    "SHARED(REAL*, s, 3)",
    "SHARED(Window, s, 3)",
    "Window v = {{k}}",
    "bitand k",
    "k bitand 1",
    "compl k",
    "k<:6:> = 7",
    "sizeof k",
    "new (k) int[9]",
    "typedef int* P",
    "using P = int*",
    "struct { int* p; } s",
    "for (int& r : k) r = 7",
    "auto [a, b, c, d] = k",
    "threadIdx[0] = 7",
    "w.output = 7",
    "(w.output)[9] = 7",
    "*w.output = 7",
    "w = 7",
    "w.size[0][1] = 7",
    "rows.tap[3] = 7",
    "rows.tap = 7",
]
PLACES = [
    "{};",
    "if (m) ; else {};",
    "do {}; while (m);",
    "for (;; {}) break;",
    "while (m) {};",
    "switch (m) {{ case 1: {}; }}",
    "switch (m) {{ default: {}; }}",
    "m, {};",
    "m = 1, {};",
    "(void)({});",
    "int u = ({});",
    "m = m ? 1 : {};",
    "m = (int)({});",
    "k[{}] = 1;",
    "{{ {}; }}",
]
BEFORE = "int k[4] = {0}, t[2][3], m = 1; Meeting rows(w, 0, 0);"


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_is_taken_or_made_up(address):
    """Wherever in a body it stands."""
    params = "global<const REAL> x, global<REAL> y, Window w, long long i, REAL value"
    a5_language.check(a5_language.tokens(BEFORE), params, {})
    for place in PLACES:
        with pytest.raises(a5_language.Refused):
            a5_language.check(a5_language.tokens(BEFORE + place.format(address)), params, {})


@pytest.mark.parametrize("place", [place for place in PLACES if "void" not in place])
def test_the_same_places_take_a_number(place):
    a5_language.check(a5_language.tokens(BEFORE + place.format("m")), "Window w", {})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("__shared__ REAL tile[16];", r"SHARED\(REAL, name, size\), or .* SHARED2\(REAL, name, rows, columns\)"),
        ("extern __shared__ REAL tile[];", "`extern`"),
        ("REAL v[n];", "a size of `v` that is no positive constant, such as 16 or SIDE"),
        ("SHARED(REAL, big, 10000);", "`big`: a block's shared arrays have 49152 bytes together at most"),
        ("int a = 1;" * 2100, "`a`: a thread's local variables have 16384 bytes together at most"),
        ("REAL v[4]; v = 3;", "`v` without an index: an array has no address that could be passed on"),
        ("int a = 1", "`REAL` here: expected `;`"),
        ("coutn = 1;", "`coutn`: it is not declared in the kernel"),
        ("x[i] = y[i] +;", "`;` here: expected an expression"),
        ("3 = i;", "`=` here: only variables and cells of arrays can be assigned to"),
        (f"i = {'(' * 500}1{')' * 500};", "more than 60 levels of statements and parentheses in each other"),
        ("if (i) " * 500 + ";", "more than 60 levels"),
        (f"i = {'-' * 501} 1;", "here|levels"),
        ("else *(x + 6) = 7;", "`else` here: expected an expression"),
    ],
)
def test_a_refusal_says_what_and_why(code, message):
    with pytest.raises(ValueError, match=rf"relu\.cu, line 1[34]: relu may not use .*{message}"):
        spliced(with_first(code))


def test_a_body_ends_where_it_ends():
    found = a5_language.tokens("if (i) {")
    with pytest.raises(a5_language.Refused, match="its end here: expected `}`"):
        a5_language.check(found, "int i", {})


# ------------------------------------------------------------------------------------------------- compiling


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Puts a shell script in g++'s place; (targets, folder, built) to prepare."""
    monkeypatch.setattr(emulator, "_version", lambda: "")
    (tmp_path / "built").mkdir()
    put(own(coursework.assignment("a5")), tmp_path / "student", "a5")

    def install(script):
        path = tmp_path / "compiler"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(kernels, "compiler", lambda: str(path))
        return TARGETS[:1], tmp_path / "student", tmp_path / "built"

    return install


def faults(given):
    kernels.prepare(*given)
    return json.loads((given[2] / kernels.FAULTS).read_text())["faults"]


def test_a_compiler_that_gets_no_time_is_the_graders_fault(compiler, monkeypatch):
    monkeypatch.setattr(kernels, "SECONDS", 0.1)
    given = compiler("echo $$ > $TMPDIR/pid; exec sleep 60")
    with pytest.raises(kernels.GraderFault, match=r"^the grader could not compile relu\.cu in time: grade again$"):
        kernels.prepare(*given)
    assert not (given[2] / kernels.FAULTS).exists()
    if (given[2] / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((given[2] / "pid").read_text()), 0)


@pytest.mark.parametrize("words", ["Killed signal terminated program cc1plus", "write failed: No space left on device"])
def test_a_machine_without_memory_or_space_is_the_graders_fault(compiler, words):
    given = compiler(f"echo 'g++: fatal error: {words}' >&2; exit 1")
    with pytest.raises(kernels.GraderFault, match=words):
        kernels.prepare(*given)


def test_a_compiler_that_cannot_be_started_is_the_graders_fault(compiler):
    targets, student, built = compiler("exit 0")
    with pytest.raises(kernels.GraderFault, match="the grader could not compile"):
        kernels.prepare(targets, student, built / "missing")


def test_errors_and_used_up_processor_time_are_the_students(compiler):
    assert faults(compiler("exit 0")) == {}
    assert faults(compiler("echo 'relu.cu:3:1: error: no' >&2; exit 1")) == {
        "relu.cu": "relu.cu does not compile: relu.cu:3:1: error: no"
    }
    used = {"relu.cu": "relu.cu: the compiler was stopped after 30 seconds of processor time"}
    assert faults(compiler("kill -XCPU $$")) == used
    assert faults(compiler("echo 'CPU time limit exceeded signal terminated program cc1plus' >&2; exit 1")) == used


@pytest.mark.coursework
def test_processor_time_is_limited(compiler, monkeypatch):
    monkeypatch.setattr(kernels, "_LIMITED", kernels._LIMITED.replace("-t 30", "-t 1"))
    assert "-t 1;" in kernels._LIMITED
    assert "processor time" in faults(compiler("while :; do :; done"))["relu.cu"]


@pytest.mark.coursework
def test_cells_of_written_arrays_are_numbers_in_the_checked_build_too(tmp_path):
    sources = own(coursework.assignment("a5"))
    plain = "if (value <= 0) x[i] = 0;"
    assert plain in sources["relu.cu"]
    natural = "x[i] = max(x[i], (REAL)-9); x[i] /= 2; x[i] = x[i] > 0 ? x[i] : 0;"
    sources["relu.cu"] = sources["relu.cu"].replace(plain, natural)
    here = kernels.Here(TARGETS[:1], put(sources, tmp_path, "a5"))
    x = np.array([1.7, -2.5, 3.25])
    kernels.Layers(np, kernels.Launcher(here, {})).relu(x, out=x)
    assert x.tolist() == [0.85, 0.0, 1.625]


PLANTED = {  # {kernel: (what its body begins with, what it says; None where the sanitizer ends the process)}
    "relu": ("int k[4]; k[n] = 7; if (k[n - 1] == 99) return;", None),
    "relu_in_place": ("x[n] = 7;", "writes x[6], but x has 6 elements"),
    "relu_backward": ("SHARED(REAL, tile, 4); tile[n] = 7;", "writes tile[6], but tile has 4 elements"),
    "max_pool2d": ("w.output[maps + 4] = 7; if (w.output[1] == 99) return;", None),
    "max_pool2d_backward": ("int t[2][3]; t[0][maps + 1] = 7; if (t[1][0] == 99) return;", None),
}
LAUNCH = """
import sys
from pathlib import Path
import numpy as np
from minialex.coursework import kernels
from minialex.window import Window

layers = kernels.Layers(np, kernels.Launcher(kernels._Built(Path(sys.argv[1])), {}))
x, window = np.arange(18.0).reshape(1, 2, 3, 3), Window.over((3, 3), 2)
six = np.ones(6)
{
    "relu": lambda: layers.relu(six),
    "relu_in_place": lambda: layers.relu(six, out=six),
    "relu_backward": lambda: layers.relu_backward(six, six),
    "max_pool2d": lambda: layers.max_pool2d(x, window, True),
    "max_pool2d_backward": lambda: layers.max_pool2d_backward(x[..., :2, :2], np.zeros((1, 2, 2, 2), np.uint8), window),
}[sys.argv[2]]()
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The folder of compiled kernels that write out of bounds."""
    sources = own(coursework.assignment("a5"))
    for file in ("relu.cu", "pool.cu"):
        for kernel, (code, _) in PLANTED.items():
            if f"void {kernel}(" in sources[file]:
                first, _ = a5_bodies._extent(sources[file], kernel, file)
                sources[file] = f"{sources[file][:first]} {code} {sources[file][first:]}"
    student, built = tmp_path_factory.mktemp("student"), tmp_path_factory.mktemp("built")
    kernels.prepare(TARGETS[:2], put(sources, student, "a5"), built)
    assert json.loads((built / kernels.FAULTS).read_text()) == {"faults": {}, "empty": []}
    return built


@pytest.mark.coursework
@pytest.mark.parametrize("kernel", PLANTED)
def test_a_planted_write_out_of_bounds_is_caught(kernel, planted):
    result = subprocess.run(
        [sys.executable, "-c", LAUNCH, planted, kernel], capture_output=True, text=True, check=False
    )
    message = PLANTED[kernel][1]
    if message:
        assert result.returncode == 1 and message in result.stderr.splitlines()[-1], result.stderr
    else:
        assert result.returncode in (-signal.SIGILL, -signal.SIGTRAP), result


@pytest.mark.parametrize(
    ("code", "compiled"),
    [
        ("y[i] = n ? y[i] : 0;", "y[i] = n ? +y[i] : 0;"),
        ("y[i] = n ? 0 : (y[i]);", "y[i] = n ? 0 : +(y[i]);"),
        ("y[i] = n ? n ? y[1] : y[2] : y[y[3]] * 2;", "y[i] = n ? n ? +y[1] : +y[2] : y[y[3]] * 2;"),
        ("y[i] = max(x[i], max(y[n ? y[1] : 0], (REAL)0));", "y[i] = max(+x[i], max(+y[n ? +y[1] : 0], (REAL)0));"),
        ("n ? y[i] = 3 : y[i] += 3;", "n ? y[i] = 3 : y[i] += 3;"),
        ("y[i] = x[i] ? -y[i] : (REAL)y[i];", "y[i] = x[i] ? -y[i] : (REAL)y[i];"),
    ],
)
def test_cells_are_read_at_once_where_the_checked_builds_objects_would_not_be_numbers(code, compiled):
    assert compiled in spliced(with_first(code))


def test_nothing_but_the_bodies_counts():
    around = "#include <stdlib.h>\n__attribute__((constructor)) void first() { exit(0); }\n#define REAL int\n"
    student = around + RELU.replace("value <= 0", "value < 0") + "\n}}} system(0);\n"
    text = spliced(student)
    assert "value < 0 ?" in text and "constructor" not in text and "system" not in text and "define REAL" not in text
    assert spliced("/* __global__ void relu() {} */\n" + RELU).count("void relu(") == 1


def test_lines_are_the_students():
    body = spliced("\n" * 100 + RELU).split("void relu(", 1)[1]
    assert '#line 111 "relu.cu"\n' in body.split("REAL value", 1)[0]


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (RELU.replace("void relu(", "void other("), "relu is missing"),
        (RELU + RELU, "relu is defined more than once"),
        (RELU.replace("global<REAL> y, long long n", "global<REAL> y, int n", 1), "must not be changed"),
        (RELU[: RELU.index("y[i] = value")], "never closed"),
    ],
)
def test_a_kernel_that_is_not_as_it_was_given(student, message):
    with pytest.raises(ValueError, match=message):
        spliced(student)


def test_a_body_of_comments_is_empty():
    emptied = RELU.replace(FIRST, "", 1)
    assert a5_bodies.empty(emptied, ("relu",), "relu.cu") == []
    text = "extern __global__ void relu(int n) {\n // yours: }\n /* { */ }\n"
    assert a5_bodies.empty(text, ("relu",), "relu.cu") == ["relu"]
