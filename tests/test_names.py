"""One word for one thing: names that were given up stay given up, and every public function says what it takes."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GIVEN_UP = {  # what bears the name now
    "Training": "Recipe",
    "learn_by_heart": "overfit_batch",
    "learns_by_heart": "passes_overfit_check",
    "KNOWN": "TARGET_LOSS",
    "blame_input": "as_user_error",
    "_look": "_read_losses",
    "_unread": "_pending",
    "look_every": "sync_every",
    "lost_tensors": "nonfinite_tensors",
    "ours": "plain attributes",
    "threading": "thread_owner",
    "Host": "Backend",
    "chosen": "on_selected",
    "_Room": "_Workspace",
    "_Space": "_Tiling",
    "deal": "split_phases",
    "collect": "merge_phases",
    "six": "window_shape",
    "kept": "keepdims_shape",
    "at_work": "recording_module",
    "_make_room": "_prepare_folder",
    "of_layers": "by_module",
    "part_of": "modules_frozen_with",
    "Verdicts": "Predictions",
    "said": "predicted",
    "log_said": "log_predicted",
    "Normalization": "Normalize",
    "Schedule": "LRScheduler",
    "needs_grad": "records_grad",
    "deviation": "std",
    "deviations": "stds",
    "channel_deviations": "channel_stds",
    "_held_by": "_saved_by",
}
ELSEWHERE = {"Host": "bench/host.py", "said": "backends/fast_cpu/compiled.py"}  # a machine; whether something was said
SOURCES = sorted((ROOT / "minialex").rglob("*.py"))


def defined(tree):
    """Names of functions, classes, arguments, attributes, and of variables that are no function's own."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        if isinstance(node, (ast.Module, ast.ClassDef)):
            for statement in node.body:
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                for name in (n for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)):
                    yield name.id, statement.lineno


@pytest.mark.heavy
def test_no_definition_bears_a_name_that_was_given_up():
    found = []
    for path in (path for path in SOURCES if GIVEN_UP.keys() & re.findall(r"\w+", path.read_text())):
        place = path.relative_to(ROOT / "minialex").as_posix()
        names = [(name, line) for name, line in defined(ast.parse(path.read_text())) if name in GIVEN_UP]
        found += [f"{place}:{line} {name}" for name, line in names if ELSEWHERE.get(name) != place]
    assert not found, GIVEN_UP


def test_the_search_finds_what_it_should():
    source = "KNOWN = 1\nclass Host:\n    a: int = 3\n    def deal(self, needs_grad):\n        self.six = kept = 1\n"
    names = {name for name, _ in defined(ast.parse(source))}
    assert names == {"KNOWN", "Host", "a", "deal", "self", "needs_grad", "six"}


def test_a_deviation_is_a_standard_deviation():
    """In texts too: `std` is the word, and `standard deviation` where it is explained."""
    grep = ["git", "grep", "-nIi", "deviation", "--", ":!*.ipynb", ":!tests/test_names.py"]
    done = subprocess.run(grep, cwd=ROOT, capture_output=True, text=True)
    if done.returncode > 1:
        pytest.skip("this is no git checkout")
    lines = [line for line in done.stdout.splitlines() if "color_noise_by" not in line]  # as files of before have it
    assert not [line for line in lines if not re.search(r"standard\s+deviation", line, re.I)]


PUBLIC = """
    creation grad_modes saving torch_names
    tape tensor tensor_methods tensor_changes window random threads gradcheck backends
    functional.activation functional.arithmetic functional.axes functional.convolution functional.local functional.loss
    functional.normalization functional.pooling functional.reduction functional.selection functional.shaping
    functional.more.activation functional.more.arithmetic functional.more.loss functional.more.normalization
    functional.more.ordering
    functional.more.pooling functional.more.resampling functional.more.reduction functional.more.shaping
    nn.module nn.hooks nn.module_methods nn.convnet_layers nn.layers nn.losses nn.more_layers nn.init nn.more nn.utils
    optim.optimizers optim.scheduling optim.lr_scheduler optim.more
    data data.color data.dataloader data.dataset data.loader data.moments data.resized_crop data.transforms
    data.pipeline data.decode
    training.trainer training.state training.display training.interruption training.nonfinite training.range_test
    training.evaluation training.diagnose training.overfit training.recipe training.recipes training.schedule_text
    runs.run runs.folder runs.owned runs.checkpoint runs.trained runs.pictures runs.configuration runs.fine_tuning
    ablation.deltas ablation.experiment ablation.lab ablation.race ablation.words
    runs.page models models.arguments models.layout models.names look.inside convert.formats
    support.schema support.text support.files support.resources support.reachable support.errors
    support.absent support.handle support.progress support.html
    coursework.archives coursework.clusters coursework.course coursework.exports coursework.feedback
    coursework.git_dates coursework.grade_all coursework.gradescope_metadata coursework.points coursework.rosters
    coursework.rows coursework.rubric coursework.similarity coursework.statistics coursework.submissions
    coursework.summary coursework.worker
    coursework.workers
"""


def documented(module):
    """(name, object) of the functions, classes and public methods that a module defines."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield name, thing
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                function = getattr(function, "__func__", function)
                inherited = any(hasattr(base, method) for base in thing.__mro__[1:])
                if not method.startswith("_") and inspect.isfunction(function) and not inherited:
                    yield f"{name}.{method}", function


@pytest.mark.parametrize("name", PUBLIC.split())
def test_every_public_function_has_a_docstring_that_help_shows_well(name):
    module = importlib.import_module(f"minialex.{name}")
    for what, thing in [("the module", module), *documented(module)]:
        text = thing.__doc__
        if text is None or text.startswith(f"{what}("):  # a dataclass's signature
            if what in FORWARDED or ("." in what and obvious(thing)):
                continue
            pytest.fail(f"{name}: {what} has no docstring")
        lines = inspect.cleandoc(text).splitlines()
        assert len(lines) == 1 or not lines[1], f"{name}: {what}: a first line of its own, then an empty one"
        for argument in arguments_of(thing):
            stem = re.escape(argument)
            assert re.search(rf"(?m)^(\w+, )*\*?{stem}(, \*?\w+)*: ", inspect.cleandoc(text)) or len(lines) == 1, (
                f"{name}: {what} does not say what {argument} is, on a line that begins with it"
            )


FORWARDED = {"console"}


def obvious(method):
    """Whether a method is a line that hands its arguments on, as Tensor's do, or takes none."""
    return len(inspect.getsource(method).splitlines()) <= 8 or not arguments_of(method)


def arguments_of(thing):
    if inspect.isclass(thing):
        if "__init__" not in vars(thing):
            return []
        thing = thing.__init__
    if not inspect.isfunction(thing):
        return []
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


def test_every_operation_of_the_library_gives_its_name():
    """A literal one that it is called by, or `name` where one helper serves two operations."""
    calls = 0
    for path in sorted((ROOT / "minialex" / "functional").rglob("*.py")):
        for function in (n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)):
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
                if getattr(call.func, "attr", "") in ("from_operation", "rewritten_by"):
                    (given,) = [ast.unparse(k.value) for k in call.keywords if k.arg == "name"]
                    assert given == ("name" if function.name.startswith("_") else repr(function.name)), path.name
                    calls += 1
    assert calls > 40
