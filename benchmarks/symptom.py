"""How long it takes from the first symptom to an incident on the API of a running, embedded system."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx

from tests.kit.running import Up, attribute

LINE = "NVRM: Xid (PCI:0000:9b:00): 79, pid=4242, name=python, GPU has fallen off the bus."
_MOST_S = 120.0


def time_to_incident(folder: Path) -> float:
    """Seconds from sending a GPU's last words to the incident that names its node; infinite after two minutes."""
    with Up(folder) as system:
        began = time.monotonic()
        record = {"timeUnixNano": str(time.time_ns()), "severityNumber": 17, "body": {"stringValue": LINE}}
        resource = {"attributes": [attribute("host.name", "gpu-node-1"), attribute("service.name", "journald")]}
        body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        system.post("logs", json.dumps(body).encode(), Content_Type="application/json").raise_for_status()
        while time.monotonic() - began < _MOST_S:
            found = httpx.get(f"{system.api}/api/v1/incidents", timeout=30).raise_for_status().json()["incidents"]
            if any("gpu-node-1" in json.dumps(incident) for incident in found):
                return time.monotonic() - began
            time.sleep(0.1)
    return float("inf")
