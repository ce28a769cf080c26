"""What students and instructors call: start, hint, train, release, bundle, rubric; an installed wheel."""

from __future__ import annotations

import ast
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import wrong_solutions
from test_packaging import pip, python, run, wheel_of  # noqa: F401  the fixture `python` among them
from wrong_solutions import declared, own, put

from minialex import Tensor, cli, coursework, functional, tape
from minialex.coursework import release, similarity, student, tree
from minialex.coursework.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
A1 = coursework.assignment("a1")


def test_start_leaves_no_solution_and_overwrites_nothing(tmp_path, capsys):
    main(["start", "a1", str(tmp_path / "mine"), "--variant", "3"])
    folder = tmp_path / "mine"
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "a1.png",
        "written.md",
        "activation.py",
        "arithmetic.py",
        "tape.py",
        "test_public.py",
        "coursework.json",
    }
    assert "def sigmoid" in (folder / "activation.py").read_text(), "the code around stays"
    for target in A1.targets:
        for name in target.names:
            text = ast.unparse(ast.parse((folder / target.student_file).read_text()))
            assert re.search(rf'def {name}\(.*?"""\n    raise NotImplementedError', text, re.DOTALL)
    assert coursework.variant_in(folder) == 3 and "[ ]" not in (folder / "written.md").read_text()
    with pytest.raises(FileExistsError, match="not empty"):
        main(["start", "a1", str(folder)])


def test_release_as_an_archive_is_the_folder(tmp_path):
    release.release(A1, tmp_path / "a1.zip")
    release.release(A1, tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a1.zip") as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    assert packed == {f"a1/{path.name}": path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    with pytest.raises(FileExistsError):
        release.release(A1, tmp_path / "a1.zip")


def test_hints_and_what_is_wrong_with_a_call(tmp_path, capsys):
    main(["hint", "a1.matmul", "3"])
    assert "reshape" in capsys.readouterr().out
    main(["hint", "a3.col2im"])
    assert capsys.readouterr().out == f"{coursework.assignment('a3').hints['_ConvBuffers.col2im'][0]}\n"
    with pytest.raises(cli.UserError, match="hints 1 to 3, not 4"):
        main(["hint", "a1.matmul", "4"])
    with pytest.raises(cli.UserError, match="no hints for a1.sub; functions with hints: unbroadcast"):
        main(["hint", "a1.sub"])
    with pytest.raises(FileNotFoundError, match="not the folder of an assignment"):
        main(["check", str(tmp_path)])
    (tmp_path / "coursework.json").write_text("[]")
    with pytest.raises(cli.UserError, match="damaged"):
        main(["check", str(tmp_path)])


def test_a_students_functions_are_used_and_taken_out_again(tmp_path):
    before = functional.tanh, tape.backward
    folder = put(own(A1), tmp_path, "a1")
    with coursework.using(folder) as calls:
        x = Tensor([1.0], requires_grad=True)
        (x.tanh() + x).backward()
    assert calls == {"unbroadcast": 2, "add": 1, "mul": 0, "matmul": 0, "tanh": 1, "sorted_nodes": 1, "backward": 1}
    assert (functional.tanh, tape.backward) == before
    (folder / "tape.py").write_text("raise ValueError('mine')")
    with pytest.raises(ValueError, match="mine"), coursework.using(folder):
        pass
    assert (functional.tanh, tape.backward) == before


def test_another_variant_draws_other_public_inputs():
    drawn = [wrong_solutions.inputs_of(A1, A1.check("tanh"), variant).values() for variant in (0, 0, 1)]
    values = [[array.tolist() for array in inputs if isinstance(array, np.ndarray)] for inputs in drawn]
    assert values[0] == values[1] != values[2] and values[0]


def test_hidden_inputs_depend_on_secret_and_check_alone():
    seed = wrong_solutions.grade.seed_of
    hidden, public = A1.check("deep"), A1.check("add")
    assert len({seed(A1, hidden, secret, variant) for secret in "ab" for variant in (0, 1)}) == 4
    assert len({seed(A1, public, secret, 0) for secret in "ab"}) == 1
    assert len({seed(A1, check, "a", 0) for check in A1.checks}) == len(A1.checks)


@pytest.mark.coursework
def test_a_comment_changes_no_grade(tmp_path):
    sources = own(A1)
    wrong = sources["arithmetic.py"].replace("else alpha * gy, shape_b", "else alpha**2 * gy, shape_b")
    assert wrong != sources["arithmetic.py"]
    grades = []
    for number, comment in enumerate(("", "# another\n", "\n\n# a third\n")):
        folder = put(sources | {"arithmetic.py": wrong + comment}, tmp_path / str(number), "a1")
        report = wrong_solutions.grade.grade(A1, folder, secret="s")
        grades.append({name: check["message"] for name, check in report["extra_data"]["checks"].items()})
    assert grades[0] == grades[1] == grades[2] and grades[0]["add"]


def disguised(source):
    """Other names of variables, other comments: what a copier changes."""
    for name in ("left", "right", "rows", "columns", "needs_a", "needs_b", "row", "column", "gy", "ga", "gb"):
        source = re.sub(rf"\b{name}\b", f"my_{name}", source)
    return source.replace("    def backward(", "    # my own idea\n\n    def backward(")


def test_similarity_sees_through_names_and_comments(tmp_path):
    sources = own(A1)
    one = similarity.functions(A1, put(sources, tmp_path / "one", "a1"))
    changed = sources | {"arithmetic.py": disguised(sources["arithmetic.py"])}
    two = similarity.functions(A1, put(changed, tmp_path / "two", "a1"))
    assert changed != sources and similarity.similarity(one["matmul"], two["matmul"]) == 1
    assert similarity.similarity(one["matmul"], one["backward"]) < 0.3
    assert similarity.most_alike(two, {"the library": similarity.functions(A1)})[0] == 1
    broken = similarity.functions(A1, put({"arithmetic.py": "def ("}, tmp_path / "broken", "a1"))
    assert broken == {} and similarity.most_alike(broken, {"one": one}) == (0.0, "", "")


def test_the_rubric_gives_as_many_points_as_the_questions(capsys):
    for name in declared():
        main(["rubric", name])
        text = capsys.readouterr().out
        assert sum(int(points) for points in re.findall(r"- \[ \] (\d+): ", text)) == 10, name


def test_the_instructors_table_is_what_the_wrong_solutions_say():
    page = ROOT / "tutorials" / "assignments" / "mistakes.md"
    assert page.read_text(encoding="utf-8") == wrong_solutions.table(), "tests/helpers/wrong_solutions.py writes it"


@pytest.mark.coursework
@pytest.mark.parametrize("name", declared())
def test_the_whole_way_from_a_wheel_in_an_empty_folder(name, python, tmp_path):  # noqa: F811
    """The student's part with an installed wheel; the instructor's with a checkout, and the student's folder alone."""
    project = tmp_path / "project"
    project.mkdir()
    for part in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / part, project)
    for part in ("minialex", "kernels", "tutorials/assignments"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    pip(python, "install", wheel_of(project, tmp_path / "dist"))
    shutil.rmtree(project)
    empty = tmp_path / "empty"
    empty.mkdir()

    def call(*arguments, **variables):
        return run(python, "-m", "minialex.coursework", *arguments, cwd=empty, **variables)

    call("start", name, "mine")
    assert "0 of 50 public points" in call("check", "mine")
    put(own(coursework.assignment(name)), empty / "mine", name)
    assert "50 of 50 public points" in call("check", "mine")
    told = call("train", "mine", "--epochs", "1", "--limit", "100")
    assert re.search(rf"{name}\.[\w.]+ +[1-9]", told) and re.search(r"test accuracy \d+\.\d %", told)
    graded = call("grade", "mine", "--secret", "s", "--out", "results.json", PYTHONPATH=str(ROOT))
    assert "90 points" in graded and json.loads((empty / "results.json").read_text())["score"] == 90


def test_training_calls_every_function_of_a1(tmp_path, capsys):
    main(["train", str(put(own(A1), tmp_path, "a1")), "--epochs", "1", "--limit", "100"])
    counts = dict(re.findall(r"a1\.(\w+) +([\d,]+)", capsys.readouterr().out))
    assert counts.keys() == {name for target in A1.targets for name in target.names} and "0" not in counts.values()


def test_whatever_a_students_code_raises_is_one_sentence(tmp_path):
    folder = put(own(A1), tmp_path, "a1")
    text = (folder / "activation.py").read_text()
    (folder / "activation.py").write_text(f"{text}\n\ndef tanh(input):\n    return input.nothing\n")
    with pytest.raises(
        cli.UserError, match=r"training failed: AttributeError: .*nothing.*\(activation\.py, line \d+\)"
    ):
        main(["train", str(folder), "--epochs", "1", "--limit", "100"])
    (folder / "tape.py").write_text("x = 1\n")
    with pytest.raises(cli.UserError, match="training failed: .*tape.py no longer defines sorted_nodes"):
        main(["train", str(folder), "--epochs", "1", "--limit", "100"])


def test_training_on_what_is_not_written_is_one_sentence(tmp_path):
    put(tree.skeleton(A1), tmp_path, "a1")
    with pytest.raises(cli.UserError, match="training failed: a1: yours to write"):
        main(["train", str(tmp_path), "--epochs", "1", "--limit", "100"])
    assert student.public_checks(tmp_path)[0].name == "unbroadcast new axes"
