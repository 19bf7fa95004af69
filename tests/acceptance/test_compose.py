"""The services of docker-compose.yml, run as processes: the very commands and variables, on a real server and Redis.

What differs is where others are: loopback and free ports for the names of containers, a folder for /run/secrets. The
server, a library in a process, has no users, so theirs are left out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, missing
from tests.kit import redis_server
from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.processes import Process, verb
from tests.kit.redis_server import RedisServer
from tests.kit.running import lines
from tests.test_deploy import compose, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

USERS = ("PASSWORD_FILE", "QUERY_URL", "QUERY_PASSWORD_FILE")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What deploy/secrets.sh makes, and the keys' file beside it as containers see it."""
    script = shutil.copy(ROOT / "deploy/secrets.sh", tmp_path)
    subprocess.run(["sh", script], check=True, capture_output=True)
    shutil.copy(ROOT / "deploy/keys.yaml", tmp_path / "secrets/keys.yaml")
    return tmp_path / "secrets"


def variables(name: str, clickhouse: ClickHouseServer, secrets: Path) -> dict[str, str]:
    """A service's own variables, with the places of this test."""
    given = environment(compose()["services"][name])
    kept = {key: value for key, value in given.items() if not key.removeprefix("CAUSELINE_STORE__").startswith(USERS)}
    kept["CAUSELINE_STORE__URL"] = clickhouse.url
    kept.pop("CAUSELINE_HOST", None)
    kept.pop("CAUSELINE_TELEMETRY__ENDPOINT", None)
    return {key: value.replace("/run/secrets", str(secrets)) for key, value in kept.items()}


def test_every_service_starts_with_its_variables_and_they_work_together(
    server: ClickHouseServer, secrets: Path, tmp_path: Path
) -> None:
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    services = compose()["services"]
    assert services["redis"]["command"][:3] == ["redis-server", "--aclfile", "/run/secrets/redis_acl"]
    with ExitStack() as running:
        redis = running.enter_context(RedisServer(tmp_path, durable=True, acl=secrets / "redis_acl"))
        url = secrets / "redis_url"
        placed = url.read_text(encoding="utf-8").replace("@redis:6379", f"@127.0.0.1:{redis.port}")
        url.chmod(0o600)
        url.write_text(placed, encoding="utf-8")
        verb(*services["migrate"]["command"], environment=variables("migrate", server, secrets))
        parts = {}
        for name in ("serve", "worker", "beat"):
            (command,) = services[name]["command"]
            process = Process(command, variables(name, server, secrets), tmp_path / f"{name}.log")
            parts[name] = running.enter_context(process)
        for name, process in parts.items():
            probe = services[name]["healthcheck"]["test"]
            assert probe[:3] == ["CMD", "causeline", "health"]
            address = process.urls.get("api") or process.urls["health"]
            assert verb("health", "--url", address) == "ready\n"
        keys = {scope: (secrets / f"key_{scope}").read_text(encoding="utf-8").strip() for scope in ("ingest", "query")}
        bearer = {scope: {"Authorization": f"Bearer {key}"} for scope, key in keys.items()}
        otlp, api = parts["serve"].urls["otlp_http"], parts["serve"].urls["api"]
        body, kind = next(iter(lines(1))), {"Content-Type": "application/json"}
        assert httpx.post(f"{otlp}/v1/traces", content=body, headers=kind, timeout=60).status_code == 401
        sent = httpx.post(f"{otlp}/v1/traces", content=body, headers=kind | bearer["ingest"], timeout=60)
        assert sent.status_code == 200
        assert httpx.get(f"{api}/api/v1/incidents", timeout=60).status_code == 401
        assert httpx.get(f"{api}/api/v1/incidents", headers=bearer["query"], timeout=60).status_code == 200


def test_a_user_of_redis_without_its_password_may_only_ask_whether_it_lives(secrets: Path, tmp_path: Path) -> None:
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    with RedisServer(tmp_path, acl=secrets / "redis_acl") as redis:
        asked = "import sys, redis; r = redis.Redis(port=int(sys.argv[1])); print(r.ping()); r.set('a', 'b')"
        told = subprocess.run(
            [sys.executable, "-c", asked, str(redis.port)], capture_output=True, text=True, timeout=60, check=False
        )
    assert told.stdout == "True\n"
    assert "NoPermissionError" in told.stderr
