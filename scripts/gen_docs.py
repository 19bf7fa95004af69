"""Write the reference pages that come from the code: settings, command line, rules, schema, conformance.

`python -m scripts.gen_docs` writes them; `--check` changes nothing and exits with 1 when one is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from api.cli import VERBS, app
from api.settings import Settings
from correlate.rules import RULES
from tests.conformance import grpc_checks, http_checks
from tests.conformance.requirements import GRPC, HTTP, REQUIREMENTS, described

CHECKS = (http_checks, grpc_checks)  # they register themselves as they load
ROOT = Path(__file__).parent.parent
NOTE = "<!-- Written by `make docs` from {source}. Do not edit. -->"
_BOUNDS = {
    "ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "multiple_of": "multiple of {}", "pattern": "`{}`",
}  # fmt: skip


def settings_page() -> str:
    """docs/settings.md, from the fields of the settings classes."""
    lines = [
        "# Settings",
        "",
        NOTE.format(source="the settings classes"),
        "",
        "Every setting is an environment variable; the flags of the command line ([cli.md](cli.md)) come before it.",
        "A value outside its bounds stops the program with a sentence that says so.",
    ]
    for title, rows in _setting_tables(Settings, "CAUSELINE_", "System"):
        lines += ["", f"## {title}", "", "| variable | default | allowed | what it does |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def setting_names() -> set[str]:
    """The variable of every setting."""
    return {row.split("`")[1] for _, rows in _setting_tables(Settings, "CAUSELINE_", "System") for row in rows}


def _setting_tables(model: type[BaseModel], prefix: str, title: str) -> Iterator[tuple[str, list[str]]]:
    nested: list[tuple[type[BaseModel], str, str]] = []
    rows = []
    for name, info in model.model_fields.items():
        inner = _model_in(info.annotation)
        if inner is None:
            rows.append(f"| `{prefix}{name.upper()}` | {_default(info)} | {_bounds(info)} | {info.description} |")
        else:
            nested.append((inner, f"{prefix}{name.upper()}__", name.replace("_", " ").capitalize()))
    yield title, rows
    for inner, inner_prefix, inner_title in nested:
        yield from _setting_tables(inner, inner_prefix, inner_title)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    choices = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "(none: must be given)"
    if info.default_factory is not None:
        return (inspect.getdoc(info.default_factory) or "").split(" (", 1)[0].rstrip(".").lower()
    return f"`{info.default}`" if info.default not in ("", None) else "(empty)"


def _bounds(info: FieldInfo) -> str:
    bounds = [
        text.format(str(value).replace("|", "\\|"))
        for rule in info.metadata
        for name, text in _BOUNDS.items()
        if (value := getattr(rule, name, None)) is not None
    ]
    return ", ".join(bounds)


def cli_page() -> str:
    """docs/cli.md, from the commands themselves."""
    lines = ["# Command line", "", NOTE.format(source="the commands"), ""]
    lines += [
        "Exit code 0: done. 1: it could not be done, and one sentence on standard error says why. 2: wrong usage."
    ]
    context = typer.Context(typer.main.get_command(app))
    for verb in VERBS:
        command = typer.main.get_command(app).get_command(context, verb)  # type: ignore[attr-defined]
        usage = command.get_usage(typer.Context(command, info_name=f"causeline {verb}")).removeprefix("Usage: ")
        lines += ["", f"## causeline {verb}", "", inspect.cleandoc(command.help or ""), "", f"    {usage}", ""]
        lines += ["| argument or flag | variable | what it does |", "|---|---|---|"]
        lines += [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n".join(lines) + "\n"


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name}`"
    variable = f"`{parameter.envvar}`" if getattr(parameter, "envvar", None) else ""
    return f"| {names} | {variable} | {(parameter.help or '').replace('|', chr(92) + '|')} |"


def rules_page() -> str:
    """docs/rules.md, from each rule's docstring."""
    lines = ["# Rules", "", NOTE.format(source="the docstrings in correlate/rules"), ""]
    lines += ["Each rule turns telemetry into signals; the engine joins signals into incidents along the topology."]
    for rule in RULES:
        about = inspect.getdoc(inspect.getmodule(rule.detect)) or ""
        parts = re.sub(r"\n(?=(Signal|Condition|Why|Why it matters|Source):)", "\n\n", about)
        parts = re.sub(r"^(Signal|Condition|Why|Why it matters|Source):", r"**\1:**", parts, flags=re.MULTILINE)
        reads = ", ".join(f"`{name}`" for name in rule.reads)
        lines += ["", f"## {rule.name}", "", parts, "", f"Family `{rule.family}`. Reads {reads}."]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def schema_page() -> str:
    """docs/schema.md, from the migrations' comments and the committed schema snapshot."""
    schema = json.loads((ROOT / "tests/snapshots/schema.json").read_text(encoding="utf-8"))
    comments: dict[str, str] = {}
    for path in sorted((ROOT / "store/migrations").glob("*.sql")):
        for comment, table in re.findall(
            r"((?:^--.*\n)+)CREATE (?:TABLE|MATERIALIZED VIEW) IF NOT EXISTS (\w+)",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        ):
            comments[table] = " ".join(line.lstrip("- ") for line in comment.splitlines())
    lines = ["# Tables", "", NOTE.format(source="store/migrations"), ""]
    lines += [
        "The `otel_*` tables are the OpenTelemetry Collector's (clickhouseexporter 0.151 and later): its names and",
        "types, with columns of ours added and none renamed. OTLP enters through the `Null` tables: their views",
        "decode it, and nothing stays in them.",
    ]
    for name, table in schema.items():
        if table["engine"] == "MaterializedView":
            continue
        lines += ["", f"## {name}", ""]
        lines += [comments[name], ""] if name in comments else []
        keys = [f"Engine {table['engine']}"]
        keys += [f"ordered by `{table['order_by']}`"] if table["order_by"] else []
        keys += [f"partitioned by `{table['partition_by']}`"] if table["partition_by"] else []
        lines += [f"{'; '.join(keys)}."]
        if table["engine"] == "Null":
            continue
        lines += ["", "| column | type |", "|---|---|"]
        lines += [f"| `{column}` | `{kind}` |" for column, kind in table["columns"].items()]
    return "\n".join(lines) + "\n"


def conformance_page() -> str:
    """docs/otlp-conformance.md, from the rows of tests/conformance and what their checks say of themselves."""
    lines = ["# OTLP conformance", "", NOTE.format(source="tests/conformance"), ""]
    lines += [
        "What OTLP 1.11 asks of a server (https://opentelemetry.io/docs/specs/otlp/), in our words, and how each point",
        "is tested: over real sockets, with real clients, against a real pipeline over the embedded store. Rows that",
        "concern one transport have a dash under the other. `pytest tests/conformance` runs them all.",
        "",
        "| | asked | how HTTP shows it | how gRPC shows it |",
        "|---|---|---|---|",
    ]
    for row in REQUIREMENTS:
        http, grpc = (described(table[row.number]) for table in (HTTP, GRPC))
        lines.append(f"| {row.number} {row.level} | {row.text} | {http} | {grpc} |")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "rules.md": rules_page,
    "schema.md": schema_page,
    "otlp-conformance.md": conformance_page,
}


def main() -> int:
    """Write every page, or with --check only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a page is out of date")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path = ROOT / "docs" / name
        text = page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
