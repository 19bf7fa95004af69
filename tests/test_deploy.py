"""What containers are made of and how they are put together; no container engine runs here, so all else is checked.

The Compose file is read by the Compose specification's own rules, the Dockerfile by hadolint, and the commands of the
services are run as processes with their very variables by tests/acceptance/test_compose.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from compose_spec import PyCompose

from api.cli import VERBS
from api.secret_files import setting_names
from api.settings import Settings
from tests.conftest import ROOT

FILES = ("docker-compose.yml", "docker-compose.embedded.yml")
OURS = ("migrate", "users", "serve", "worker", "beat")
# The first releases of each branch without CVE-2026-116366.
PATCHED = {(26, 3): (62, 3), (26, 8): (36, 3), (26, 9): (27, 3), (26, 10): (3, 7)}


def compose(name: str = FILES[0]) -> dict[str, Any]:
    """A Compose file as plain values, its anchors resolved."""
    document: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return document


def environment(service: dict[str, Any]) -> dict[str, str]:
    """A service's variables."""
    return {str(name): str(value) for name, value in service.get("environment", {}).items()}


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_specification_says(name: str) -> None:
    document = compose(name)
    # Anchors and merges are YAML's business; the rest must be known to the specification, each key and each value.
    plain = yaml.safe_dump({key: value for key, value in document.items() if not key.startswith("x-")})
    assert set(PyCompose.from_yaml(plain).to_dict()["services"]) == set(document["services"])


@pytest.mark.skipif(
    subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0
    if shutil.which("docker")
    else True,
    reason="no docker compose here",
)
@pytest.mark.parametrize("name", FILES)
def test_docker_compose_takes_the_file(name: str) -> None:
    subprocess.run(["docker", "compose", "-f", name, "config", "--quiet"], cwd=ROOT, check=True)


def test_everything_a_service_names_exists() -> None:
    document = compose()
    for name, service in document["services"].items():
        assert set(service.get("secrets", [])) <= set(document["secrets"]), name
        assert set(service.get("networks", [])) <= set(document["networks"]), name
        assert set(service.get("depends_on", {})) <= set(document["services"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
            elif not source.startswith("/"):
                assert source in document["volumes"], f"{name}: {source}"
        mounted = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
        named = {value for value in environment(service).values() if value.startswith("/run/secrets/")}
        named |= {word for word in map(str, service.get("command", [])) if word.startswith("/run/secrets/")}
        assert named <= mounted, name


@pytest.mark.parametrize("name", FILES)
def test_no_service_may_do_more_than_it_must(name: str) -> None:
    for service_name, service in compose(name)["services"].items():
        assert service["read_only"] is True, service_name
        assert service["cap_drop"] == ["ALL"], service_name
        assert service["security_opt"] == ["no-new-privileges:true"], service_name
        assert "privileged" not in service, service_name


def test_every_service_has_limits_a_user_a_policy_and_a_pinned_image() -> None:
    for name, service in compose()["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", service["user"]), name
        assert service["restart"] in {"unless-stopped", "on-failure"}, name
        assert re.search(r":\d+\.\d+\.\d+", service["image"]), name
        # Whoever others wait for says when it is ready.
        waited = {other for one in compose()["services"].values() for other, how in one.get("depends_on", {}).items()
                  if how["condition"] == "service_healthy"}  # fmt: skip
        assert name not in waited or "healthcheck" in service, name


def test_clickhouse_is_not_one_that_can_be_taken_over() -> None:
    image = compose()["services"]["clickhouse"]["image"]
    major, minor, *rest = map(int, image.rpartition(":")[2].split("."))
    assert tuple(rest) >= PATCHED[major, minor]


def test_nothing_is_published_beyond_this_host_and_the_stores_not_at_all() -> None:
    document = compose()
    assert document["networks"]["back"] == {"internal": True}
    for name, service in document["services"].items():
        for port in service.get("ports", []):
            address = port["host_ip"] if isinstance(port, dict) else port.split(":")[0]
            assert address == "127.0.0.1", name
    assert "ports" not in document["services"]["clickhouse"] | document["services"]["redis"]


def test_our_services_run_verbs_with_settings_that_exist() -> None:
    names = setting_names(Settings)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    services = compose()["services"]
    assert {name for name, service in services.items() if service["image"].startswith("causeline")} == set(OURS)
    for name in OURS:
        assert services[name]["image"] == f"causeline:{version}"
        assert services[name]["command"][0] in VERBS
        known = names | {f"{one}_FILE" for one in names}
        assert {one for one in environment(services[name]) if one.startswith("CAUSELINE_")} <= known
    assert {services[name]["deploy"].get("replicas", 1) for name in ("serve", "worker")} == {2}
    assert "replicas" not in services["beat"]["deploy"]


def test_secrets_are_files_that_the_script_makes(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy/secrets.sh", tmp_path / "deploy")
    subprocess.run(["sh", script], check=True, capture_output=True)
    folder = tmp_path / "deploy/secrets"
    made = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    wanted = {Path(secret["file"]).name for secret in compose()["secrets"].values()} - {"keys.yaml"}
    assert set(made) == wanted
    assert len(set(made.values())) == len(made)
    assert all(len(text.strip()) >= 32 for text in made.values())
    assert folder.stat().st_mode & 0o077 == 0
    password = made["redis_url"].split(":")[2].split("@")[0]
    assert f">{password} " in made["redis_acl"]
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == made


def test_keys_are_those_of_the_secrets() -> None:
    keys = yaml.safe_load((ROOT / "deploy/keys.yaml").read_text(encoding="utf-8"))
    assert keys["version"] == 1
    mounted = compose()["services"]["serve"]["secrets"]
    assert {key["key_file"] for key in keys["keys"]} == {name for name in mounted if name.startswith("key_")}
    scopes = {key["name"]: key["scopes"] for key in keys["keys"]}
    assert (scopes["collector"], scopes["grafana"]) == (["ingest"], ["query"])


def test_the_image_holds_every_package_and_file_of_the_build() -> None:
    """A package that is not copied is missing only when somebody runs the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = re.findall(r"^COPY (?!--)(.+) (\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    files = {name for names, _ in copied for name in names.split()}
    assert {(name, name) for name in packages} <= set(copied)
    assert {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"} <= files
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert let_in == files
    assert all((ROOT / name).exists() for name in files)


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "")


def test_grafanas_sources_are_those_of_the_folder_and_a_key() -> None:
    with_key = yaml.safe_load((ROOT / "deploy/grafana/datasources.yaml").read_text(encoding="utf-8"))
    for source in with_key["datasources"]:
        assert source.pop("secureJsonData") == {"httpHeaderValue1": "Bearer $__file{/run/secrets/key_query}"}
        assert source["jsonData"].pop("httpHeaderName1") == "Authorization"
    plain = (ROOT / "grafana/provisioning/datasources/causeline.yaml").read_text(encoding="utf-8")
    assert with_key == yaml.safe_load(plain)


@pytest.mark.parametrize("name", ["otel-collector.yaml", "collector/server.yaml", "collector/kubernetes.yaml"])
def test_a_collectors_pipelines_are_made_of_what_is_configured(name: str) -> None:
    config = yaml.safe_load((ROOT / "deploy" / name).read_text(encoding="utf-8"))
    used: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            used[kind] |= set(names)
    assert used == {kind: set(config.get(kind, {})) for kind in used}
    assert set(config["service"].get("extensions", [])) == set(config.get("extensions", {}))
    for exporter in config["exporters"].values():
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
