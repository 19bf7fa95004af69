"""Users of a ClickHouse server, one for each thing that Causeline does there, with no right that it does not need.

As statements for a server that keeps its users itself, and as a file for one whose users are configuration. Passwords
appear as hashes only, so that no statement, log or plan holds one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from store.client import Store
from store.cluster import LOCAL, of_tenants
from store.errors import UsersRefused

LEAST_CHARACTERS = 16
# Tables of the receiver's and the system's own, which no reader of telemetry has to see.
_OWN = frozenset({"access_keys", "deletion_work", "series_capped", "series_known"})
# What the running system looks at to know how its server is.
_SYSTEM = (
    "parts", "disks", "detached_parts", "merge_tree_settings", "tables", "columns", "replicas", "clusters", "mutations",
    "storage_policies",
)  # fmt: skip
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Account:
    """A user: what it may do, and which settings it cannot leave. `limits` are (value, constraint) by setting."""

    role: str
    grants: tuple[str, ...]
    limits: Mapping[str, tuple[str, str]]
    reads_one_tenant: bool = False

    @property
    def name(self) -> str:
        """The user's name on the server."""
        return f"causeline_{self.role}"


def accounts(store: Store) -> tuple[Account, ...]:
    """The three users for this store's database: they migrate, take in and correlate, and read."""
    database = store.settings.database
    # Reading other nodes' tables counts as reading a source.
    remote = ("READ, WRITE ON REMOTE",) if store.layout else ()
    cluster = ("CLUSTER ON *.*",) if store.layout else ()
    seconds = str(max(1, round(store.settings.query_timeout_s)))
    return (
        Account("migrate", (f"ALL ON {database}.*", "SELECT ON system.*", *cluster, *remote), {}),
        Account(
            "ingest",
            (
                # Retention drops days and moves parts; a deletion takes links and exemplars out of rows that stay.
                f"SELECT, INSERT, ALTER DELETE, ALTER UPDATE, ALTER TTL, ALTER SETTINGS ON {database}.*",
                *(f"SELECT ON system.{table}" for table in _SYSTEM),
                # Queries nobody waits for are ended, those of the user who reads among them.
                "KILL QUERY ON *.*",
                *cluster,
                *remote,
            ),
            {},
        ),
        Account(
            "query",
            (*(f"SELECT ON {database}.{table}" for table in readable(store)), *(("READ ON REMOTE",) if remote else ())),
            {
                # 2 and not 1: a query may be given settings, within these, and the tenant is one.
                "readonly": ("2", "CONST"),
                "allow_ddl": ("0", "CONST"),
                "allow_introspection_functions": ("0", "CONST"),
                "max_execution_time": (seconds, f"MAX {seconds}"),
                "max_memory_usage": (str(8 * _GIB), f"MAX {8 * _GIB}"),
                "max_rows_to_read": ("20000000000", "MAX 20000000000"),
                "max_result_bytes": (str(2 * _GIB), f"MAX {2 * _GIB}"),
                "max_concurrent_queries_for_user": ("64", "CONST"),
                # Nobody's, until a query says whose: no rows.
                store.settings.tenant_setting: ("''", ""),
            },
            reads_one_tenant=True,
        ),
    )


def _own_rows(store: Store) -> str:
    return f"Tenant = getSetting('{store.settings.tenant_setting}')"


def readable(store: Store) -> list[str]:
    """Tables whose rows say whose they are, by name; those of each node with them."""
    named = sorted(of_tenants() - _OWN)
    return [name + suffix for name in named for suffix in (("", LOCAL) if store.layout else ("",))]


def statements(store: Store, passwords: Mapping[str, str]) -> list[str]:
    """What creates the users or brings them up to date; `passwords` by role. Raises UsersRefused."""
    _check(passwords)
    database = store.settings.database
    said: list[str] = []
    for account in accounts(store):
        salt = secrets.token_hex(16)
        digest = hashlib.sha256(f"{passwords[account.role]}{salt}".encode()).hexdigest()
        identified = f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"
        said += [
            f"CREATE USER IF NOT EXISTS {account.name}${{on_cluster}} {identified}",
            f"ALTER USER {account.name}${{on_cluster}} {identified}",
            f"GRANT${{on_cluster}} {', '.join(account.grants)} TO {account.name} WITH REPLACE OPTION",
        ]
        if account.limits:
            limits = ", ".join(f"{name} = {value} {rule}".rstrip() for name, (value, rule) in account.limits.items())
            said.append(
                f"CREATE SETTINGS PROFILE OR REPLACE {account.name}${{on_cluster}} SETTINGS {limits} TO {account.name}"
            )
        if account.reads_one_tenant:
            # A table that has a policy for somebody shows nothing to others but what a policy of theirs lets them see.
            said += [
                f"CREATE ROW POLICY OR REPLACE causeline_tenant${{on_cluster}} ON {database}.* FOR SELECT"
                f" USING {_own_rows(store)} TO {account.name}",
                f"CREATE ROW POLICY OR REPLACE causeline_others${{on_cluster}} ON {database}.* FOR SELECT"
                f" USING 1 TO ALL EXCEPT {account.name}",
            ]
    return said


def create(store: Store, passwords: Mapping[str, str]) -> list[str]:
    """Create the users on every node, or bring them up to date; returns their names. Raises StoreError."""
    for statement in statements(store, passwords):
        store.everywhere(statement)
    return [account.name for account in accounts(store)]


def as_xml(store: Store, passwords: Mapping[str, str]) -> str:
    """The same users as a file for `users.d`, where users are configuration. Raises UsersRefused."""
    _check(passwords)
    root = ET.Element("clickhouse")
    profiles, users = ET.SubElement(root, "profiles"), ET.SubElement(root, "users")
    for account in accounts(store):
        profile = ET.SubElement(profiles, account.name)
        constraints = ET.SubElement(profile, "constraints")
        for name, (value, rule) in account.limits.items():
            ET.SubElement(profile, name).text = value
            if rule:
                _constraint(ET.SubElement(constraints, name), rule)
        user = ET.SubElement(users, account.name)
        digest = hashlib.sha256(passwords[account.role].encode()).hexdigest()
        ET.SubElement(user, "password_sha256_hex").text = digest
        ET.SubElement(ET.SubElement(user, "networks"), "ip").text = "::/0"
        ET.SubElement(user, "profile").text = account.name
        ET.SubElement(user, "quota").text = "default"
        grants = ET.SubElement(user, "grants")
        for grant in account.grants:
            ET.SubElement(grants, "query").text = f"GRANT {grant}"
        if account.reads_one_tenant:
            policies = ET.SubElement(ET.SubElement(user, "databases"), store.settings.database)
            for table in readable(store):
                ET.SubElement(ET.SubElement(policies, table), "filter").text = _own_rows(store)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _constraint(element: ET.Element, rule: str) -> None:
    kind, _, value = rule.partition(" ")
    ET.SubElement(element, {"CONST": "readonly", "MAX": "max"}[kind]).text = value or None


def _check(passwords: Mapping[str, str]) -> None:
    for role in ("migrate", "ingest", "query"):
        if len(passwords.get(role, "")) < LEAST_CHARACTERS:
            raise UsersRefused(f"the password of {role} has fewer than {LEAST_CHARACTERS} characters")
    if len(set(passwords.values())) < len(passwords):
        raise UsersRefused("two users may not share a password")
