"""Records of health agents and security tools, and pods that were replaced."""

from __future__ import annotations

import json
from typing import Any

from correlate.rules import health_agents, pod_replaced, security_alerts
from tests.kit.telemetry import Metrics, Row, facts, found, frames


def record(**body: Any) -> Row:
    return {"time": 100.0, "node": "collector", "body": json.dumps(body)}


def sentinel(**more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "agent": "gpu-health-monitor",
        "checkName": "GpuNvlinkWatch",
        "isFatal": True,
        "isHealthy": False,
        "message": "NVLink is down",
        "recommendedAction": "COMPONENT_RESET",
        "errorCode": ["DCGM_FR_NVLINK_DOWN"],
        "entitiesImpacted": [{"entityType": "GPU_UUID", "entityValue": "GPU-509665ad-b600-ac93"}],
        "nodeName": "n1",
    }
    return event | more


def test_health_events_that_ask_for_something() -> None:
    rows = [
        record(specversion="1.0", data={"healthEvent": sentinel(), "metadata": {"cluster": "c"}}),
        record(**sentinel(nodeName="n2", entitiesImpacted=[], message="Xid 79 on a GPU", checkName="SysLogsXIDError")),
        record(**sentinel(nodeName="n3", recommendedAction="NONE")),
        record(**sentinel(nodeName="n4", isHealthy=True)),
        record(component="accelerator-nvidia-ecc", name="ecc_error", type="Critical", message="uncorrectable ECC"),
        record(component="accelerator-nvidia-ecc", name="ecc_error", type="Info", message="uncorrectable ECC"),
        record(component="cart", name="checkout", type="Fatal", message="no stock"),
    ]
    rows[4]["node"] = "n5"
    assert facts(found(health_agents.RULE, frames(logs=rows))) == {
        ("gpu.nvlink", "gpu", "GPU-509665ad-b600-ac93"),
        ("xid.79", "node", "n2"),
        ("gpu.ecc_uncorrected", "node", "n5"),
    }


def test_security_alerts_by_priority() -> None:
    def alert(priority: str, **fields: str) -> Row:
        return record(rule="r", priority=priority, hostname="n1", output="o", output_fields=fields)

    rows = [
        alert("Critical", **{"k8s.pod.name": "llm-0"}),
        alert("Warning", **{"proc.name": "bash"}),
        alert("Notice", **{"k8s.pod.name": "quiet-0"}),
        record(priority="Critical", title="a ticket"),
    ]
    assert facts(found(security_alerts.RULE, frames(logs=rows))) == {
        ("security.alert", "pod", "llm-0"),
        ("security.alert", "node", "n1"),
    }


def test_a_pod_that_came_back_under_another_name() -> None:
    data = Metrics()

    def lived(pod: str, start: float, end: float) -> None:
        data.add("container.cpu.usage", lambda _: 1.0, start=start, end=end, pod=pod)

    lived("web-6c9d7f5b8-x2x4q", -7200, 300)
    lived("web-6c9d7f5b8-zzzzz", 330, 900)
    # A rollout, a set that grows, one that shrinks.
    lived("api-6c9d7f5b8-x2x4q", -7200, 300)
    lived("api-7f9d7c5b9-x2x4q", 330, 900)
    lived("big-6c9d7f5b8-x2x4q", -7200, 900)
    lived("big-6c9d7f5b8-zzzzz", 330, 900)
    lived("low-6c9d7f5b8-x2x4q", -7200, 300)
    lived("low-6c9d7f5b8-zzzzz", -7200, 900)
    assert facts(found(pod_replaced.RULE, data.frames())) == {("pod.replaced", "pod", "web-6c9d7f5b8-x2x4q")}
