"""The server's users: what each may do, tried on a real server; and the statements that make them, seen by its parser.

The server library that tests run on keeps users in configuration only and declares no custom settings. So what users
can do is tried with `as_xml`, and row policies go by a text setting of the server's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from store import Store, StoreSettings, migrate, users
from store.errors import QueryFailed, StoreError, StoreUnavailable, UsersRefused
from tests.conftest import missing
from tests.kit import clickhouse_server
from tests.kit.clickhouse_server import ClickHouseServer

PASSWORDS = {role: f"{role}-{'x' * 16}" for role in ("migrate", "ingest", "query")}
BUILT_IN = "cluster_for_parallel_replicas"
_BASE = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas>
<users><default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
</default></users></clickhouse>"""


def with_default(text: str) -> str:
    """A whole users file: ours and the default user, as a server puts the files of users.d together."""
    root = ET.fromstring(_BASE)
    for ours in ET.fromstring(text):
        (theirs,) = root.findall(ours.tag)
        theirs.extend(list(ours))
    return ET.tostring(root, encoding="unicode")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A migrated server with the three users; the settings of a system that uses them."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    home = tmp_path_factory.mktemp("users")
    bare = StoreSettings(url="http://127.0.0.1:1", database="telemetry", tenant_setting=BUILT_IN)
    (home / "users.xml").write_text(with_default(users.as_xml(Store(bare), PASSWORDS)))
    (home / "config.xml").write_text(f"<clickhouse><users_config>{home / 'users.xml'}</users_config></clickhouse>")
    for role, password in PASSWORDS.items():
        (home / role).write_text(f"{password}\n")
    with ClickHouseServer(home, config=home / "config.xml") as server:
        admin = Store.open(bare.model_copy(update={"url": server.url}))
        migrate.apply(admin)
        admin.close()
        address = server.url.removeprefix("http://")
        yield bare.model_copy(
            update={
                "url": f"http://causeline_ingest@{address}",
                "password_file": home / "ingest",
                "query_url": f"http://causeline_query@{address}",
                "query_password_file": home / "query",
            }
        )


@pytest.fixture(scope="module")
def system(settings: StoreSettings) -> Iterator[Store]:
    """A store as a running system has it: two users, and an incident of each of two tenants."""
    store = Store.open(settings)
    for tenant in ("a", "b"):
        line = f'{{"Tenant": "{tenant}", "IncidentId": "of-{tenant}", "Version": 1}}'
        store.insert_bytes("incidents", line.encode(), "JSONEachRow")
    yield store
    store.close()


@pytest.fixture(scope="module")
def reader(settings: StoreSettings) -> Iterator[Store]:
    """Somebody who has the reading user's password and nothing else."""
    update = {"url": settings.query_url, "password_file": settings.query_password_file, "query_url": ""}
    store = Store(settings.model_copy(update=update))
    yield store
    store.close()


def test_a_system_with_two_users_writes_and_reads(system: Store) -> None:
    assert migrate.pending(system) == []
    (row,) = system.rows("incident_row", {"tenant": "a", "id": "of-a"})
    assert row["IncidentId"] == "of-a"
    assert system.rows("disk_room")[0]["Free"] > 0


def test_the_row_policy_holds_where_a_query_forgets_the_tenant(system: Store) -> None:
    forgetful = "SELECT IncidentId FROM incidents FINAL"
    for tenant in ("a", "b"):
        found = system.arrow_text(forgetful, {"tenant": tenant})["IncidentId"].to_pylist()
        assert found == [f"of-{tenant}"]
    # The user who writes, and correlates for all tenants, sees all.
    assert len(system.arrow_text(forgetful)) == 2


def test_a_reader_who_says_no_tenant_sees_nothing(reader: Store) -> None:
    assert len(reader.arrow_text("SELECT IncidentId FROM incidents")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO incidents (Tenant) VALUES ('a')",
        "ALTER TABLE incidents DELETE WHERE 1",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "DROP TABLE incidents",
        "TRUNCATE TABLE incidents",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1', 'telemetry', 'incidents')",
        "SELECT * FROM ingest_ledger",
        "SELECT * FROM redaction_policy",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 3600",
        "SELECT 1 SETTINGS max_memory_usage = 100000000000",
        "SET allow_ddl = 1",
        "KILL QUERY WHERE 1 ASYNC",
        "SELECT * FROM merge('telemetry', '^incidents$') WHERE Tenant = 'b'",
    ],
)
def test_what_a_reader_cannot_do(reader: Store, text: str) -> None:
    if text.startswith("SELECT * FROM merge"):
        assert len(reader.arrow_text(text)) == 0
        return
    with pytest.raises(StoreError) as refused:
        reader.command(text)
    assert refused.type in (QueryFailed, StoreUnavailable, StoreError), refused.value


@pytest.mark.parametrize("text", ["CREATE TABLE x (a UInt8) ENGINE = Memory", "DROP TABLE incidents"])
def test_who_takes_in_changes_no_table(system: Store, text: str) -> None:
    with pytest.raises(QueryFailed):
        system.command(text)


def test_a_wrong_password_opens_nothing(settings: StoreSettings) -> None:
    with pytest.raises(StoreError):
        Store.open(settings.model_copy(update={"password_file": settings.query_password_file}))


def test_statements_hold_no_password_and_a_real_parser_takes_them(server: ClickHouseServer) -> None:
    store = Store.open(StoreSettings(url=server.url, database="telemetry"))
    said = users.statements(store, PASSWORDS)
    assert not [text for text in said if any(password in text for password in PASSWORDS.values())]
    for text in said:
        filled = text.replace("${on_cluster}", "")
        found = store.arrow_text("SELECT formatQuery({text:String}) AS text", {"text": filled})["text"].to_pylist()
        assert found, text
    store.close()


def test_in_a_cluster_every_statement_goes_to_all_nodes() -> None:
    settings = StoreSettings(url="http://127.0.0.1:1", cluster="main", database="telemetry")
    said = users.statements(Store(settings), PASSWORDS)
    assert [text for text in said if "${on_cluster}" not in text] == []
    assert any("telemetry.incidents_local" in text for text in said)


@pytest.mark.parametrize(
    ("passwords", "why"),
    [
        ({**PASSWORDS, "query": "short"}, "query has fewer than 16"),
        ({**PASSWORDS, "query": PASSWORDS["ingest"]}, "share a password"),
        ({"migrate": PASSWORDS["migrate"]}, "fewer than 16"),
    ],
)
def test_weak_passwords_are_refused(passwords: dict[str, str], why: str) -> None:
    with pytest.raises(UsersRefused, match=why):
        users.statements(Store(StoreSettings(url="http://127.0.0.1:1")), passwords)


@pytest.mark.parametrize(("tenant", "value"), [("a", "'a'"), ("it's", r"'it\'s'"), ("back\\slash", r"'back\\slash'")])
def test_a_declared_setting_is_given_a_literal(tenant: str, value: str) -> None:
    assert StoreSettings(url="http://127.0.0.1:1").tenant_value(tenant) == value
