"""Series of a scenario, with what its fault changes in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.scenarios.platform import Pod
from tests.scenarios.records import Floats, Series
from tests.scenarios.world import World

RECEIVERS = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/"


def add(world: World, entity: Iterable[str], resource: dict[str, Any], scope: str, name: str, kind: str,
        attributes: dict[str, Any], values: Floats, **more: Any) -> None:  # fmt: skip
    """A series, with the edits asked for any of the entities it is about."""
    for one in entity:
        for metric in ("*", name):
            for change in world.edits.get((one, metric), ()):
                if kind == "histogram":
                    gap = np.isnan(change(world.t, np.ones_like(world.t)))
                    values = np.where(gap[:, None], np.nan, values)
                else:
                    values = change(world.t, values)
    world.series.append(Series(resource, scope, name, kind, attributes, values, **more))


def scraped(world: World, pod: Pod, service: str, port: int) -> dict[str, Any]:
    """Resource of a target that the Prometheus receiver scrapes."""
    return {
        "service.name": service, "service.instance.id": f"{pod.ip}:{port}", "server.address": pod.ip,
        "server.port": str(port), "url.scheme": "http", "k8s.cluster.name": world.platform.cluster,
        "k8s.node.name": pod.node, "k8s.pod.name": pod.name, "k8s.namespace.name": pod.namespace,
    }  # fmt: skip


def state(world: World, about: tuple[str, ...], name: str, kind: str, labels: dict[str, Any], values: Floats) -> None:
    resource = {
        "service.name": "kube-state-metrics", "service.instance.id": "10.70.0.9:8080", "server.address": "10.70.0.9",
        "k8s.cluster.name": world.platform.cluster,
    }  # fmt: skip
    add(world, about, resource, RECEIVERS + "prometheusreceiver", name, kind, labels, values)
