"""The house: each room stands only on those below it, and no module imports in a circle."""

import ast
from pathlib import Path

import pytest

import genimg

PACKAGE = Path(genimg.__file__).parent
#: Room -> its floor. Rooms on one floor do not know each other.
FLOORS = {
    "system": 0, "plots": 0, "data": 1, "models": 2, "measure": 2, "training": 3, "runs": 4, "book": 5, "__main__": 6,
}  # fmt: skip


def imports(path, package=PACKAGE):
    """(line number, line, module) of everything of the package that a file imports, also inside functions."""
    source = path.read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            of_names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if is_module(name, package) else node.module for name in of_names]
        for name in names:
            if name.split(".")[0] == package.name:
                yield node.lineno, source.splitlines()[node.lineno - 1].strip(), name


def is_module(name, package):
    path = package.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def room(name):
    return (name.split(".") + [""])[1]


def upwards(package=PACKAGE):
    """Lines that import from a room above, from a neighbour on the same floor, or from the package's face."""
    found = []
    for path in sorted(package.rglob("*.py")):
        here = path.relative_to(package).parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        for number, line, name in imports(path, package):
            there = room(name)
            if there not in FLOORS or (there != here and FLOORS[there] >= FLOORS[here]):
                found.append(f"{path.relative_to(package.parent)}:{number}: {line}")
    return found


def circles(package=PACKAGE):
    """Modules that import each other in a circle, as text."""
    graph = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = sorted({module for _, _, module in imports(path, package)} - {name})
    found, done = [], set()

    def visit(name, way):
        if name in way:
            found.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for other in graph.get(name, ()):
                visit(other, [*way, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def test_every_room_is_known():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert rooms == {*FLOORS, "__init__"}


def test_no_room_knows_one_above_it():
    assert not upwards(), "\n".join(["these lines import upwards:", *upwards()])


def test_no_module_imports_itself_by_a_detour():
    assert not circles(), "\n".join(circles())


def test_models_stand_on_torch_alone():
    for path in (PACKAGE / "models").glob("*.py"):
        assert {room(name) for _, _, name in imports(path)} <= {"models"}, path


@pytest.mark.parametrize("planted, said", [
    ("from genimg.training import loop", "planted/data/images.py:1: from genimg.training import loop"),
    ("def f():\n    import genimg.book.chapter", "planted/data/images.py:2: import genimg.book.chapter"),
])  # fmt: skip
def test_an_import_planted_upwards_is_named(tmp_path, planted, said):
    house = tmp_path / "planted"
    (house / "data").mkdir(parents=True)
    (house / "data" / "images.py").write_text(planted.replace("genimg", "planted"))
    assert upwards(house) == [said.replace("genimg", "planted")]


def test_a_planted_circle_is_named(tmp_path):
    house = tmp_path / "planted"
    (house / "data").mkdir(parents=True)
    (house / "data" / "a.py").write_text("from planted.data import b")
    (house / "data" / "b.py").write_text("def f():\n    from planted.data.a import x")
    assert circles(house) == ["planted.data.a -> planted.data.b -> planted.data.a"]


def test_no_file_is_long():
    long = {str(path): lines for path in PACKAGE.rglob("*.py") if (lines := len(path.read_text().splitlines())) > 300}
    assert not long
