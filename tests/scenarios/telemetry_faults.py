"""Faults of the telemetry itself: archetypes A34 and A36. Nothing else fails."""

from __future__ import annotations

from tests.scenarios.world import World


def a34(world: World, at: float) -> None:
    """The exporter of a node dies: its GPUs go dark, and everything on them goes on."""
    node = world.serving_pod().node
    exporter = next(pod for pod in world.platform.on(node) if pod.owner == "nvidia-dcgm-exporter")
    world.absent(f"dcgm:{node}", at, at + 900)
    world.set(f"dcgm:{node}", "up", at, 0.0, at + 900)
    world.say(
        exporter,
        at,
        'level=error msg="Failed to collect metrics: Error getting the latest value for fields: Host engine connection invalid/disconnected"',
    )
    world.down(exporter, at, at + 900, "Error", 1, restarts=4)
    world.restarted(exporter, at + 5, backoff=True)
    names = [exporter.name, exporter.owner, f"gpu-operator/{exporter.name}", "dcgm-exporter"]
    world.blame(names, [], at, at + 900, nothing=True)


def a36(world: World, at: float) -> None:
    """A node's clock is some seconds ahead; a GPU of another node fails meanwhile."""
    from tests.scenarios.gpu_faults import a02

    a02(world, at)
    holder = world.truth.accept[-2]
    others = [node for node in world.platform.cpu_nodes if node != holder]
    world.skew[world.rng.choice(others)] = world.rng.choice((4.0, 7.0, -5.0))


FAULTS = {"A34": a34, "A36": a36}
