"""Files of tests that a run leaves out as a whole, told from their text: they need not be imported for that."""

from __future__ import annotations

import ast

DEFINITIONS = ast.FunctionDef, ast.AsyncFunctionDef


def whole_file(text, markers, fixture=None):
    """Why every test of a file is left out: one marker for all of them, or a fixture; None where a single test may run.

    Only what is certain counts: a mark on the module, the class or the function itself, an argument. A file that
    leaves any doubt is collected, and its tests are left out one by one.

    text: of the file.
    markers: the names of the markers whose tests are left out.
    fixture: a fixture whose tests are left out, named as the package without which it skips; or None.
    """
    names = [*markers, fixture] if fixture else markers
    if not any(name in text for name in names):  # most files: nothing to parse
        return None
    try:
        module = ast.parse(text)
    except SyntaxError:  # pytest says where
        return None
    if fixture and any(_skips_without(statement, fixture) for statement in module.body):
        return fixture
    torchy = _depending_on(fixture, module) if fixture else set()
    reasons, seen = set(), 0
    for test, marks in _tests(module.body, _marks_assigned(module.body)):
        seen += 1
        mark = next((name for name in marks if name in markers), None)
        uses = {argument.arg for argument in test.args.args + test.args.kwonlyargs}
        reasons.add(fixture if uses & torchy else mark)
    certain = seen == sum(_may_be_tests(node) for node in _outside_functions(module))
    return reasons.pop() if certain and len(reasons) == 1 else None


def _skips_without(statement, package):
    """Whether a statement of a module is pytest.importorskip(package)."""
    call = getattr(statement, "value", None)
    return (
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "pytest.importorskip"
        and ast.unparse(call.args[0]) == repr(package)
    )


def _depending_on(fixture, module):
    """The fixture and those of the file that take it, or take one that does."""
    found, before = {fixture}, 0
    fixtures = [node for node in module.body if isinstance(node, DEFINITIONS) and _is_fixture(node)]
    while len(found) > before:
        before = len(found)
        found |= {node.name for node in fixtures if found & {argument.arg for argument in node.args.args}}
    return found


def _is_fixture(function):
    return any(ast.unparse(decorator).startswith("pytest.fixture") for decorator in function.decorator_list)


def _marks_assigned(body):
    """The names of the marks in `pytestmark = ...` among the statements of a module or class."""
    for statement in body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark":
            value = statement.value
            return _names(value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value])
    return []


def _names(marks):
    """`heavy` of the expressions heavy and pytest.mark.heavy; a mark with arguments is none of ours."""
    return [ast.unparse(mark).removeprefix("pytest.mark.") for mark in marks]


def _tests(body, marks):
    """(function, names of its marks) for each test among statements, and in their classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and not node.bases:
            yield from _tests(node.body, marks + _names(node.decorator_list) + _marks_assigned(node.body))
        elif isinstance(node, DEFINITIONS) and node.name.startswith("test"):
            yield node, marks + _names(node.decorator_list)


def _outside_functions(node):
    """The nodes below a node but for those in functions, which hold no tests."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, DEFINITIONS):
            yield from _outside_functions(child)


def _may_be_tests(node):
    """Whether pytest might find a test where this node is: also where _tests does not look, which makes doubt."""
    if isinstance(node, DEFINITIONS):
        return node.name.startswith("test")
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test") and bool(node.bases)
    if isinstance(node, ast.alias):
        return (node.asname or node.name).startswith(("test", "Test", "*"))
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.startswith(("test", "Test"))
