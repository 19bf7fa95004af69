"""The rules that keep five packages five packages."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.kit.source import PACKAGES, ROOT, Module, modules

ROW_LOOPS = {
    "apply", "iter_rows", "iterrows", "itertuples", "map_elements", "map_rows", "to_dicts", "to_pylist", "to_pydict",
}  # fmt: skip
# Small results by design: pages of an API answer, and the list of applied migrations. Native histograms are objects,
# and so few that a query may have (ADR 0020).
ROW_LOOP_EXCEPTIONS = {
    ("store/client.py", "to_pylist"), ("store/migrate.py", "to_pylist"), ("query/promql/points.py", "to_pylist"),
}  # fmt: skip
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CLOCK_EXCEPTIONS = {
    f"correlate/{name}.py"
    for name in ("beat", "jobs", "late", "leases", "manual", "notify/outbox", "passes", "tasks", "turns")
}
SQL_TEXT = re.compile(r"^\s*(SELECT|INSERT INTO|DELETE FROM|ALTER TABLE|CREATE TABLE|DROP TABLE|WITH \w+ AS)\b")


def in_packages(*names: str) -> list[Module]:
    """Modules of the named packages."""
    return [module for module in modules() if module.package in names]


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_picture_shows_what_is_imported() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    pictures = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    names = "|".join(PACKAGES)
    drawn = {tuple(arrow) for picture in pictures for arrow in re.findall(rf"\b({names})\b --> \b({names})\b", picture)}
    imported = {
        (module.package, name.split(".")[0])
        for module in modules()
        for name in module.imports()
        if name.split(".")[0] in PACKAGES and name.split(".")[0] != module.package
    }
    assert drawn == imported


def test_telemetry_is_never_walked_row_by_row() -> None:
    found = [
        f"{module.path}:{line} {call}"
        for module in in_packages("ingest", "store", "correlate", "query")
        for line, call in module.calls()
        if "." in call and call.rsplit(".", 1)[1] in ROW_LOOPS
        and (module.path, call.rsplit(".", 1)[1]) not in ROW_LOOP_EXCEPTIONS
        and not call.startswith("migrate.")
    ]  # fmt: skip
    assert found == []


def test_every_import_is_a_declared_dependency() -> None:
    """What comes along with something else may leave with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=]", requirement)[0] for requirement in project["dependencies"]}
    provided = packages_distributions()
    undeclared = {
        f"{module.path}: {name}"
        for module in modules()
        for name in module.imports()
        if (top := name.split(".")[0]) not in {*PACKAGES, *sys.stdlib_module_names}
        and not {distribution.lower() for distribution in provided[top]} & declared
    }
    assert undeclared == set()


def test_only_the_engine_collects() -> None:
    found = [
        f"{module.path}:{line}"
        for module in in_packages("correlate")
        for line, call in module.calls()
        if call.endswith((".collect", ".collect_all")) and module.path.startswith("correlate/rules/")
    ]
    assert found == []


def test_the_correlator_judges_without_a_clock() -> None:
    """Findings depend on telemetry alone; rows' versions, job times and the live pass's end are the clock's."""
    found = [
        f"{module.path}:{line} {call}"
        for module in in_packages("correlate")
        for line, call in module.calls()
        if call in CLOCKS and (module.path not in CLOCK_EXCEPTIONS or call != "time.time_ns")
    ]
    assert found == []


def test_modules_and_functions_stay_short() -> None:
    long_modules = [module.path for module in modules() if module.text.count("\n") > 500]
    long_functions = [
        f"{module.path}:{function.lineno} {function.name}"
        for module in modules()
        for function in module.functions()
        if (function.end_lineno or 0) - function.lineno >= 60
    ]
    assert (long_modules, long_functions) == ([], [])


def test_no_blind_except() -> None:
    found = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    ]
    assert found == []


def test_nothing_is_unfinished() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert [module.path for module in modules() if unfinished.search(module.text)] == []


def test_sql_text_lives_in_the_store_only() -> None:
    """Inside the store, ruff S608 asks about every statement built from pieces."""
    found = [
        f"{module.path}:{node.lineno}"
        for module in in_packages("api", "correlate", "ingest")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_TEXT.match(node.value)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_is_in_the_drawn_tree(package: str) -> None:
    module = importlib.import_module(f"{package}.errors")
    tree = re.findall(r"^[│├└─ ]*(\w+)", module.__doc__ or "", re.MULTILINE)
    errors = {
        name
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__
    }
    assert errors
    assert errors <= set(tree)


def test_errors_are_defined_in_errors_modules() -> None:
    """Every exception class of a package descends from the root of its errors.py, and is defined there."""
    found = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id.endswith(("Error", "Exception")) for base in node.bases)
        and not module.path.endswith("/errors.py")
    ]
    assert found == []


IMPORT_PROBE = """
import importlib, os, sys
names = sys.argv[1].split(",")
importlib.import_module("store")  # the engine's own library reads and probes as it loads; judged is what is ours
seen = []
def hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)) and isinstance(args[2], int):
        writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and not str(args[0]).startswith("/dev/"):
            seen.append(f"{event} {args[0]}")
    elif event in ("socket.connect", "socket.bind", "socket.sendto", "subprocess.Popen", "os.fork", "os.mkdir"):
        seen.append(f"{event} {args}")
sys.addaudithook(hook)
for name in names:
    importlib.import_module(name)
print("\\n".join(seen), end="")
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    names = ",".join(module.name for module in modules() if not module.name.endswith("__main__"))
    result = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", IMPORT_PROBE, names],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built wheel's files, as an installer would lay them out."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    return site


def test_the_wheel_holds_the_packages_and_nothing_else(installed_wheel: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {path.name for path in installed_wheel.iterdir()} == {*PACKAGES, f"causeline-{version}.dist-info"}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".sql", ".csv", ".proto", ".toml", ".html", ".json", ".typed"}
    }
    present = {path.relative_to(installed_wheel).as_posix() for path in installed_wheel.rglob("*") if path.is_file()}
    assert wanted <= present
    assert not [path for path in present if "test" in path or path.endswith(".pyc")]


def test_no_other_distribution_claims_our_names(installed_wheel: Path) -> None:
    """A top-level `api` or `store` from another wheel would shadow ours without a word."""
    here = packages_distributions()
    assert {name: here[name] for name in PACKAGES if set(here.get(name, [])) - {"causeline"}} == {}
    probe = "import json; from importlib.metadata import packages_distributions as p; print(json.dumps(p()))"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(installed_wheel)!r}); {probe}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    claimed = json.loads(result.stdout)
    assert {name: claimed.get(name) for name in PACKAGES} == {name: ["causeline"] for name in PACKAGES}
