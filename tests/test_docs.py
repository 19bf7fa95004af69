"""The documents say what is: every setting, rule, verb, table and command in them exists, and the other way round."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name

import pytest

from api.cli import VERBS
from correlate.rule import Rule
from correlate.rules import RULES
from scripts.gen_docs import PAGES, setting_names
from tests.kit.source import PACKAGES

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip


def read(path: str) -> str:
    """Text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_generated_pages_are_up_to_date(page: str) -> None:
    assert read(f"docs/{page}") == PAGES[page](), "run `make docs`"


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    names = setting_names()
    assert set(re.findall(r"^\| `(CAUSELINE_\w+)`", read("docs/settings.md"), re.MULTILINE)) == names
    mentioned = {
        name for path in DOCUMENTS for name in re.findall(r"\bCAUSELINE_\w+", path.read_text(encoding="utf-8"))
    }
    flags = set(re.findall(r"`(CAUSELINE_\w+)`", read("docs/cli.md")))
    assert mentioned - names - flags - {"CAUSELINE_SHARED", "CAUSELINE_"} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_finds_and_why(rule: Rule) -> None:
    module = inspect.getmodule(rule.detect)
    assert module is not None
    about = inspect.getdoc(module) or ""
    missing = [part for part in ("Signal", "Condition", "Why it matters", "Source") if f"\n{part}:" not in about]
    assert missing == []
    assert module.__name__ == f"correlate.rules.{rule.name}"


def test_every_rule_module_is_in_the_tuple() -> None:
    modules = {path.stem for path in (ROOT / "correlate/rules").glob("*.py")} - {"__init__"}
    assert {rule.name for rule in RULES} == modules


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_a_place_in_the_docs(verb: str) -> None:
    section = read("docs/cli.md").split(f"\n## causeline {verb}\n")[1].split("\n## ")[0]
    assert len(section.strip().split("\n\n")[0]) > 20
    assert "|  |\n" not in section, f"a flag of {verb} has no help"


def test_the_readmes_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md", "docs/operations.md"):
        text = read(document)
        assert set(re.findall(r"(?:`|^ *)make ([a-z-]+)", text, re.MULTILINE)) <= targets, document
        commands = "\n".join(_code(text))
        assert set(re.findall(r"causeline (?!--)([a-z]+)\b", commands)) <= set(VERBS), document
        flags = set(re.findall(r"`(--[a-z-]+)`", read("docs/cli.md"))) | {"--help"}
        assert set(re.findall(r"(?<!\w)--[a-z][a-z-]+", commands)) - {"--build", "--profile"} <= flags, document


def test_the_readme_opens_with_its_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", read("README.md"), re.DOTALL)
    assert [line.split("#")[0].strip() for line in blocks[0].strip().splitlines()] == ["make demo", "make test"]
    ci = read(".ci/run")
    assert all(f"\n{command}\n" in ci for command in ("make demo", "make test"))


def _code(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)


def test_every_target_says_what_it_does() -> None:
    text = read("Makefile")
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)).split())
    assert phony == set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\((?!\w+:)([^)]+)\)", text)]
    assert [link for link in links if not (document.parent / link).exists()] == []
    folders = "|".join((*PACKAGES, "tests", "docs", "scripts", "benchmarks", "deploy"))
    paths = re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", text)
    assert [path for path in paths if not (ROOT / path).exists() and "NNNN" not in path and "NAME" not in path] == []
    dotted = re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`", text)
    assert [name for name in dotted if not name.endswith((".py", ".csv", ".sql")) and not _exists(name)] == []


def _exists(dotted: str) -> bool:
    """Whether a dotted name is a module of ours or something in one."""
    try:
        resolve_name(dotted)
    except (AttributeError, ModuleNotFoundError):
        return False
    return True


def test_the_changelog_is_about_this_version() -> None:
    current = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    heads = re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert next(head for head in heads if head.lower() != "unreleased") == current
    assert version("causeline") == current, "the environment has another version installed: make setup"


def test_decisions_are_numbered_listed_and_complete() -> None:
    pages = sorted(path.name for path in (ROOT / "docs/adr").glob("0*.md"))
    assert [page[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    index = read("docs/adr/README.md")
    for page in pages:
        headings = re.findall(r"^## (\w+)", read(f"docs/adr/{page}"), re.MULTILINE)
        assert {"Context", "Decision", "Alternatives", "Consequences"} <= set(headings), page
        assert f"({page})" in index


def test_every_dependency_is_explained() -> None:
    explained = read("docs/adr/0010-dependencies.md")
    project = tomllib.loads(read("pyproject.toml"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    assert [name for name in sorted(names) if f"`{name}" not in explained] == []
