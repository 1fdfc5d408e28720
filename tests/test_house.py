"""The laws of the house: who may import what, through which door, and what a file looks like."""

import ast
import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "features": {"features"},
    "models": {"features", "models"},
    "pipelines": {"features", "models", "pipelines"},
    "service": {"features", "models", "service"},
    "serve": {"features", "models", "service", "serve"},
}
DOORS = {
    "doubleml": {"models/robust.py"},
    "duckdb": {"pipelines/importing.py"},
    "fastapi": {"service/http.py"},
    "jinja2": {"pipelines/report.py"},
    "lightgbm": {"models/trees.py"},
    "lmdb": {"features/embedded.py"},
    "matplotlib": {
        f"pipelines/plots/{name}.py"
        for name in ("decisions", "drawing", "evaluation", "marketplace", "reliability", "signals")
    },
    "mlflow": {"models/registry.py"},
    "prometheus_client": {"service/metrics.py"},
    "psycopg": {"features/postgres.py", "features/wire.py"},
    "pyspark": {"features/spark.py"},
}
TRUTHFUL = {f"pipelines/{name}.py" for name in ("achievable", "backtest", "simulate", "valuing")}
"""Jobs that may open the truth beside a simulated ledger: the one that writes it, the back-tests, and what these show of it."""
LEARNING = {f"pipelines/{name}.py" for name in ("audit", "learning", "score", "train")}
"""Jobs that learn, measure or score for real, which know no more of a truth than the floors below."""
NAMELESS = {"base", "common", "config", "constant", "constants", "helper", "helpers", "util", "utils"}
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(work|root|home|Users)/")

Law = Callable[[PurePosixPath, ast.Module], Iterator[str]]


def floor(path: PurePosixPath) -> str:
    """Gives the package, or the single module, that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def imported(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Yields the first name of everything a file imports, at its top, inside functions, and by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module.partition(".")[0]
            case ast.ImportFrom():
                yield floor(path)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield module.partition(".")[0]


def imports_point_down(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds imports of a floor above, or of the room next door."""
    above = MAY_IMPORT.keys() - MAY_IMPORT[floor(path)]
    yield from (f"imports {name}" for name in imported(path, tree) if name in above)


def heavy_libraries_have_one_door(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds imports of a heavy library outside the file that hides it."""
    for name in imported(path, tree):
        if str(path) not in DOORS.get(name, {str(path)}):
            yield f"imports {name} past {', '.join(sorted(DOORS[name]))}"


def nothing_that_learns_knows_the_truth(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds words of a simulated marketplace's truth below the jobs, docstrings aside, and jobs that open it and may not."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        said = [getattr(node, name, None) for name in ("id", "attr", "arg", "name", "module", "value")]
        words = [word for word in said if isinstance(word, str) and id(node) not in told]
        if floor(path) != "pipelines" or str(path) in LEARNING:
            yield from (f"says {word}" for word in words if "truth" in word.lower())
        elif isinstance(node, ast.Import | ast.ImportFrom) and str(path) not in TRUTHFUL:
            names = [f"{getattr(node, 'module', '') or ''}.{alias.name}" for alias in node.names]
            yield from ("opens the truth" for name in names if "marketplace.truth" in name)


def init_files_only_reexport(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds anything in an `__init__` but its docstring, names taken from its own package, and `__all__`."""
    if path.name != "__init__.py":
        return
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.ImportFrom(level=level, module=module) if level or str(module).partition(".")[0] == floor(path):
                pass
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case _:
                yield f"line {node.lineno} is no re-export"


def files_are_named_after_what_they_hold(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds files and folders whose name could stand over anything."""
    yield from (f"is called {part}" for part in path.with_suffix("").parts if part.strip("_") in NAMELESS)


def files_begin_by_saying_what_they_are(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Finds files without a docstring."""
    if not (ast.get_docstring(tree) or "").strip():
        yield "has no docstring"


LAWS: tuple[Law, ...] = (
    imports_point_down,
    heavy_libraries_have_one_door,
    nothing_that_learns_knows_the_truth,
    init_files_only_reexport,
    files_are_named_after_what_they_hold,
    files_begin_by_saying_what_they_are,
)


def python_files() -> Iterator[Path]:
    """Yields the Python files of every floor."""
    for name in MAY_IMPORT:
        yield from (ROOT / name).rglob("*.py")
        yield from ROOT.glob(f"{name}.py")


def texts(root: Path) -> Iterator[Path]:
    """Yields the text files under `root` that git would track, going by the names in our `.gitignore`."""
    ignored = [".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text().split())]
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in ignored)]
        names = [name for name in files if not any(fnmatch(name, pattern) for pattern in ignored)]
        yield from (path for name in names if b"\0" not in (path := Path(folder, name)).read_bytes())


def machine_paths(root: Path) -> list[str]:
    """Finds the lines under `root` that point to a place on somebody's machine."""
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path in texts(root)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_house_keeps_its_laws(law: Law) -> None:
    paths = [(path, PurePosixPath(path.relative_to(ROOT).as_posix())) for path in python_files()]
    assert {floor(name) for _, name in paths} >= {"features", "models", "pipelines"}
    assert [f"{name}: {why}" for path, name in paths for why in law(name, ast.parse(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    ("law", "path", "source", "why"),
    [
        (imports_point_down, "features/kernel.py", "import models", "imports models"),
        (imports_point_down, "models/fit.py", "def f():\n    from pipelines.report import page", "imports pipelines"),
        (imports_point_down, "models/fit.py", "if TYPE_CHECKING:\n    import serve as s", "imports serve"),
        (imports_point_down, "service/http.py", "import json, pipelines.importing", "imports pipelines"),
        (imports_point_down, "pipelines/deep/job.py", "importlib.import_module('serve')", "imports serve"),
        (heavy_libraries_have_one_door, "models/a.py", "import lightgbm as l", "imports lightgbm past models/trees.py"),
        (
            heavy_libraries_have_one_door,
            "service/http.py",
            "from mlflow.x import y",
            "imports mlflow past models/registry.py",
        ),
        (
            heavy_libraries_have_one_door,
            "models/fit.py",
            "__import__('duckdb')",
            "imports duckdb past pipelines/importing.py",
        ),
        (nothing_that_learns_knows_the_truth, "features/a.py", "open(p / 'truth')", "says truth"),
        (nothing_that_learns_knows_the_truth, "models/a.py", "def f(ledger):\n    return ledger.truth", "says truth"),
        (nothing_that_learns_knows_the_truth, "service/scorer.py", "f'{place}/Truth/x'", "says /Truth/x"),
        (nothing_that_learns_knows_the_truth, "pipelines/train.py", "ledger / 'truth'", "says truth"),
        (
            nothing_that_learns_knows_the_truth,
            "pipelines/check.py",
            "from pipelines.marketplace.truth import Truth",
            "opens the truth",
        ),
        (
            nothing_that_learns_knows_the_truth,
            "pipelines/a.py",
            "from pipelines.marketplace import truth",
            "opens the truth",
        ),
        (
            nothing_that_learns_knows_the_truth,
            "pipelines/a.py",
            "import pipelines.marketplace.truth as t",
            "opens the truth",
        ),
        (init_files_only_reexport, "models/__init__.py", "import os", "line 1 is no re-export"),
        (init_files_only_reexport, "models/__init__.py", "'''Says.'''\n\nhorizon = 120", "line 3 is no re-export"),
        (init_files_only_reexport, "models/__init__.py", "from features import Ledger", "line 1 is no re-export"),
        (files_are_named_after_what_they_hold, "features/utils.py", "", "is called utils"),
        (files_are_named_after_what_they_hold, "models/_common/fit.py", "", "is called _common"),
        (files_begin_by_saying_what_they_are, "models/fit.py", "import json\n'''Too late.'''", "has no docstring"),
        (files_begin_by_saying_what_they_are, "models/fit.py", "''' '''", "has no docstring"),
    ],
)
def test_a_planted_offender_is_caught(law: Law, path: str, source: str, why: str) -> None:
    assert list(law(PurePosixPath(path), ast.parse(source))) == [why]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("features/kernel.py", "import numpy as np\nfrom features.tables import Table\nfrom . import rows"),
        ("features/embedded.py", "def load():\n    import lmdb"),
        ("models/__init__.py", "from models.fit import fit\nfrom .split import split\n__all__ = ['fit', 'split']"),
        ("models/baselines.py", "import modelserve\nserve = 'import pipelines'"),
        ("pipelines/report.py", "import jinja2\nimport features, models.fit\nfrom pipelines import plots"),
        ("service/http.py", "from fastapi import FastAPI\nfrom models import load"),
        ("models/fit.py", "def f():\n    '''Tells the truth.'''"),
        ("pipelines/backtest.py", "from pipelines.marketplace.truth import Truth"),
    ],
)
def test_an_innocent_is_left_alone(path: str, source: str) -> None:
    tree = ast.parse(f"'''Says what it is.'''\n{source}")
    assert [why for law in LAWS for why in law(PurePosixPath(path), tree)] == []


def test_no_text_names_a_place_on_somebody_s_machine() -> None:
    assert machine_paths(ROOT) == []


def test_a_planted_machine_path_is_caught_unless_git_ignores_it(tmp_path: Path) -> None:
    for name in ("a.md", ".ci/run", ".venv/cfg", "notebooks/__pycache__/b.txt", "redress-out/report.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("see\n/" + "work/data\n")
    (tmp_path / "c.bin").write_bytes(b"\0 /" + b"work/data")
    (tmp_path / "d.md").write_text("https://example.org/" + "work/x, src/" + "home/y and ../" + "work/z")
    assert sorted(machine_paths(tmp_path)) == [".ci/run:2: /" + "work/data", "a.md:2: /" + "work/data"]
