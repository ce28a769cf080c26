"""What of a student's .cu file reaches the compiler."""

from __future__ import annotations

import pytest

from minialex.backends.cuda import launch
from minialex.coursework import a5_bodies
from minialex.coursework.a5 import TARGETS
from minialex.support.resources import folder

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
        "Meeting rows(w, 0, i), columns(w, 1, i); int u = rows.tap(rows.first);",
        "int t[2][3]; t[1][2] = t[0][t[1][1]];",
        "if (i < n && (x[i] > 0 || !save)) y[i] = -max(x[i], (REAL)0);",
        "/* } */ // system(0); }",
        "for (int k = 0; k < 3; ++k) y[i] += (long long)(k * 2) % 3;",
        "const REAL w = (unsigned char)(a), z = 0.5f;",
    ],
)
def test_what_kernels_need_is_allowed(code):
    assert "REAL value" in spliced(with_first(code))


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
