"""Numbered .sql migrations: plan them, apply them, prove that the live tables agree.

A migration is a file `NNNN_name.sql` in store/migrations; statements end with a semicolon at a
line's end. A first line `-- supersedes: NAME NAME` names earlier migrations whose work it does anew: a
database that has not run those yet need not. Placeholders: `${MergeTree}` and `${ReplacingMergeTree(args)}` mark tables
that keep rows, which a cluster divides (store/cluster.py); `${durable}` are fsync settings (docs/adr/0002);
`${on_cluster}` is no more than the place where a cluster's clause goes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from store.client import Store
from store.errors import MigrationError, StoreError

_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_SUPERSEDES = re.compile(r"^-- supersedes: (.+)\n")
_ENGINE = re.compile(r"\$\{(\w*MergeTree)(?:\(([^)]*)\))?\}")
# Without these a power cut leaves an embedded database that does not open again (docs/adr/0002).
_DURABLE = (
    "fsync_after_insert = 1, fsync_part_directory = 1, "
    "min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1"
)
_LEDGER = """CREATE TABLE IF NOT EXISTS schema_migrations${on_cluster}
(Name String, Checksum String, AppliedAt DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ${MergeTree} ORDER BY Name SETTINGS ${durable}"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration file: its name, text as written, and checksum of that text."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """blake2b-128 of the file's text."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()

    @property
    def supersedes(self) -> list[str]:
        """Names of earlier migrations that a database without them can do without."""
        found = _SUPERSEDES.match(self.text)
        return found[1].split() if found else []

    def statements(self) -> list[str]:
        """The statements, placeholders filled."""
        return [render(part) for part in re.split(r";\s*(?:\n|$)", strip_comments(self.text)) if part.strip()]


def strip_comments(text: str) -> str:
    """SQL text without `--` comment lines."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def render(text: str) -> str:
    """Fill the placeholders. What a cluster makes of the statement is store/cluster.py's business."""

    def engine(match: re.Match[str]) -> str:
        return f"{match.group(1)}({match.group(2) or ''})"

    filled = _ENGINE.sub(engine, text.strip())
    filled = filled.replace("${on_cluster}", "").replace("${durable}", _DURABLE)
    if "${" in filled:
        raise MigrationError(f"unknown placeholder in migration text: {filled[filled.index('${') :][:40]!r}")
    return filled


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations that ship with this version, in order."""
    found = sorted(p.name for p in files("store.migrations").iterdir() if p.name.endswith(".sql"))
    for name in found:
        if not _NAME.match(name):
            raise MigrationError(f"{name} is not a migration name: use NNNN_lower_case.sql")
    root = files("store.migrations")
    return tuple(
        Migration(name.removesuffix(".sql"), root.joinpath(name).read_text(encoding="utf-8")) for name in found
    )


def applied(store: Store) -> dict[str, str]:
    """Name and checksum of every migration this database already has."""
    # Who waits for tables or plans them makes none, and may not be allowed to.
    if not store.command("EXISTS TABLE schema_migrations"):
        return {}
    table = store.arrow_text("SELECT Name, Checksum FROM schema_migrations ORDER BY Name", what="applied migrations")
    return dict(zip(table["Name"].to_pylist(), table["Checksum"].to_pylist(), strict=True))


def pending(store: Store) -> list[Migration]:
    """Migrations not applied yet.

    Raises MigrationError when an applied migration's text was edited afterwards.
    """
    done = applied(store)
    for migration in migrations():
        if done.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"migration {migration.name} was edited after it was applied; restore its text and add a new migration"
            )
    return [m for m in migrations() if m.name not in done]


def _to_run(waiting: list[Migration]) -> list[Migration]:
    """Those of the pending migrations that none of them supersedes."""
    superseded = {name for migration in waiting for name in migration.supersedes}
    return [migration for migration in waiting if migration.name not in superseded]


def plan(store: Store) -> list[str]:
    """The SQL that `apply` would run, without running it; in a cluster what each of its nodes runs."""
    waiting = [statement for migration in _to_run(pending(store)) for statement in migration.statements()]
    layout = store.layout
    return [step.text for statement in waiting for step in layout.steps(statement)] if layout else waiting


def apply(store: Store) -> list[str]:
    """Apply what is pending, superseded ones in name only, and return the names applied.

    Every statement must be safe to run again, because a crash may come between a statement and
    its ledger row. Raises MigrationError naming the migration that failed.
    """
    store.command(render(_LEDGER))
    waiting = pending(store)
    to_run = _to_run(waiting)
    for migration in waiting:
        if migration in to_run:
            _run(store, migration)
        store.command(
            "INSERT INTO schema_migrations (Name, Checksum) VALUES ({name:String}, {checksum:String})",
            {"name": migration.name, "checksum": migration.checksum},
        )
    return [migration.name for migration in waiting]


def _run(store: Store, migration: Migration) -> None:
    for statement in migration.statements():
        try:
            # Views may throw errors of their own codes, which the engine wants allowed when a view is made, too.
            store.command(statement, settings={"allow_custom_error_code_in_throwif": 1})
        except StoreError as error:
            first = statement.split("\n", 1)[0]
            raise MigrationError(
                f"migration {migration.name} failed at {first!r}: {error.__cause__ or error}"
            ) from error
