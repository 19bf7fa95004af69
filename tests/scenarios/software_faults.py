"""Faults of software, of its inputs and of what is shipped: archetypes A12, A14, A21, A22, A29, A33 and A35."""

from __future__ import annotations

import numpy as np

from tests.scenarios.effects import crash, hurt, replaced
from tests.scenarios.gpu_lines import engine_dead
from tests.scenarios.platform import Pod, suffix
from tests.scenarios.world import World


def names_of(pod: Pod) -> list[str]:
    return [pod.owner, f"{pod.namespace}/{pod.owner}", f"{pod.owner}.{pod.namespace}", pod.service, pod.replicaset]


def _rollout(world: World, owner: str, at: float, tag: str) -> list[Pod]:
    """A rolling update of a Deployment to another tag, one pod at a time; returns the new pods."""
    old = list(world.platform.of(owner))
    fresh = f"{owner}-{suffix(world.rng, 9)}"
    new = []
    for place, pod in enumerate(old):
        when = at + place * 70
        world.event(
            "Deployment",
            owner,
            pod.namespace,
            when,
            "ScalingReplicaSet",
            f"Scaled up replica set {fresh} from {place} to {place + 1}",
        )
        name = f"{fresh}-{suffix(world.rng, 5)}"
        one = world.add_pod(pod, name, pod.node, when)
        one.tag, one.gpus = tag, pod.gpus
        world.up[name][~world.span(when + 45)] = 0.0
        world.event("ReplicaSet", fresh, pod.namespace, when + 1, "SuccessfulCreate", f"Created pod: {name}")
        world.event(
            "Pod",
            name,
            pod.namespace,
            when + 2,
            "Scheduled",
            f"Successfully assigned {pod.namespace}/{name} to {pod.node}",
        )
        world.pod_event(
            one,
            when + 4,
            "Pulled",
            f'Successfully pulled image "{pod.image}:{tag}" in 9.1s (9.1s including waiting). Image size: 9123456789 bytes.',
        )
        world.pod_event(one, when + 6, "Started", f"Started container {pod.container}")
        world.event(
            "Deployment",
            owner,
            pod.namespace,
            when + 50,
            "ScalingReplicaSet",
            f"Scaled down replica set {pod.replicaset} from {len(old) - place} to {len(old) - place - 1}",
        )
        world.pod_event(pod, when + 51, "Killing", f"Stopping container {pod.container}")
        world.gone(pod, when + 55)
        new.append(one)
    return new


def a12(world: World, at: float) -> None:
    """A new build has a kernel that reads where it must not, on every GPU it runs on."""
    model = world.rng.choice(list(world.platform.models))
    owner = f"{model}-predictor"
    new = _rollout(world, owner, at, f"{world.servers[0].tag}-fa4")
    blast: list[str] = []
    begin = at + 45 * len(new) + 120
    for place, pod in enumerate(new):
        gpu = pod.gpus[0]
        when = begin + place * world.lag(20, 60, 150)
        code, text = world.rng.choice(((31, "Ch 0000000b, intr 10000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_0 faulted @ 0x7f2a_04687000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ"),
                                       (13, "Graphics SM Warp Exception on (GPC 2, TPC 1, SM 1): Out Of Range Address")))  # fmt: skip
        world.kernel(gpu.node, when, f"NVRM: Xid (PCI:{gpu.bdf}): {code}, pid=91{place}22, name=VLLM::Worker, {text}")
        world.set(gpu.uuid, "DCGM_FI_DEV_XID_ERRORS", when + 30, float(code))
        blast += crash(
            world,
            pod,
            when + 1,
            engine_dead(world, "CUDA error: an illegal memory access was encountered"),
            down_s=240,
            code=1,
            backoff=True,
        )
    pod = new[0]
    accept = [*names_of(pod), pod.tag, f"{pod.image}:{pod.tag}", model, *(one.name for one in new)]
    world.blame(accept, [name for name in dict.fromkeys(blast) if name not in accept], at, begin + 600)


def a14(world: World, at: float) -> None:
    """An engine runs out of GPU memory under long prompts."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    world.edit(gpu.uuid, "DCGM_FI_DEV_FB_USED", lambda t, v: np.where((t >= at - 300) & (t < at), 80_900.0, v))
    line = world.rng.choice((
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.63 GiB is free.",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1024.00 MiB."))  # fmt: skip
    blast = crash(world, pod, at, [line, *engine_dead(world, "CUDA out of memory")[1:]], down_s=300, backoff=True)
    world.blame(
        [pod.name, f"{pod.namespace}/{pod.name}", *names_of(pod)],
        [name for name in blast if name not in (pod.name, pod.owner)],
        at,
        at + 420,
    )


def a21(world: World, at: float) -> None:
    """A rollout of a worse version: answers get worse, and nothing else happens."""
    model = world.rng.choice(list(world.platform.models))
    new = _rollout(world, f"{model}-predictor", at, f"{world.servers[0].tag}-ft{world.rng.randint(2, 9)}")
    for pod in new:
        world.quality[pod.name][:] = 0.62
    pod = new[0]
    accept = [*names_of(pod), pod.tag, f"{model}@{pod.tag}", f"{model}:{pod.tag}", f"{pod.image}:{pod.tag}", model,
              world.platform.models[model], *(one.name for one in new)]  # fmt: skip
    world.blame(accept, [pod.owner, model], at, at + 1700)


def a22(world: World, at: float) -> None:
    """What users ask shifts, and answers get worse for everybody."""
    model = next(iter(world.platform.models))
    world.edit(
        model, "model.input.drift", lambda t, v: np.where(t >= at, v + np.minimum((t - at) / 1500, 1.0) * 0.4, v)
    )
    ramp = np.clip((world.t - at) / 1500, 0, 1)
    world.prompt *= 1 + 0.35 * ramp
    for pod in world.platform.of(f"{model}-predictor"):
        world.quality[pod.name] *= 1 - 0.35 * ramp
    world.blame(["prompt_embedding", f"{model}/prompt_embedding", model, world.platform.models[model], f"{model}-predictor"],
                [model, f"{model}-predictor"], at, at + 2000, nothing=False)  # fmt: skip


def a29(world: World, at: float) -> None:
    """A pod is rescheduled and its image or weights cannot be fetched."""
    pod = world.serving_pod()
    world.pod_event(pod, at - 20, "Killing", f"Stopping container {pod.container}")
    world.gone(pod, at - 10)
    fresh = replaced(world, pod, at - 8, pod.node, starts=1e9)
    image = f"{pod.image}:{pod.tag}"
    registry = "registry-1.docker.io"
    if world.rng.random() < 0.6:
        world.waiting[fresh.name] = "ImagePullBackOff"
        for place, after in enumerate((10, 40, 110)):
            world.pod_event(
                fresh,
                at + after,
                "Failed",
                f'Failed to pull image "{image}": failed to pull and unpack image: failed to resolve reference: failed to do request: Head "https://{registry}/v2/{pod.image}/manifests/{pod.tag}": dial tcp: i/o timeout',
                warning=True,
                count=place + 1,
            )
            world.pod_event(fresh, at + after + 1, "Failed", "Error: ErrImagePull", warning=True, count=place + 1)
            world.pod_event(
                fresh, at + after + 15, "BackOff", f'Back-off pulling image "{image}"', warning=True, count=place + 1
            )
        extra = [registry, "docker.io", image]
    else:
        world.waiting[fresh.name] = "CrashLoopBackOff"
        for place in range(3):
            world.say(
                fresh,
                at + 20 + 90 * place,
                "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the files on the Hub and we cannot find the appropriate snapshot folder for the specified revision on the local disk.",
            )
            world.say(
                fresh,
                at + 20.2 + 90 * place,
                "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /api/models (Caused by NewConnectionError: Connection refused)",
            )
        world.restarted(fresh, at + 25, backoff=True)
        extra = ["huggingface.co"]
    blast = [*hurt(world, pod), fresh.name]
    accept = [fresh.name, f"{fresh.namespace}/{fresh.name}", *names_of(pod), *extra]
    world.blame(
        accept,
        [name for name in dict.fromkeys(blast) if name not in (fresh.name, pod.owner, pod.name)],
        at - 20,
        at + 1000,
    )


def a33(world: World, at: float) -> None:
    """A routing change sends long questions to pods that answer them badly."""
    pod = world.serving_pod()
    gateway = world.part("gateway")[0]
    world.event(
        "ConfigMap", f"{gateway.owner}-routes", "apps", at, "Updated", "ConfigMap updated: route long-context -> pool b"
    )
    world.app_log(
        gateway,
        at + 2,
        "INFO",
        "config reloaded: routes revision 41 -> 42, route long-context pool changed from a to b",
    )
    for one in [one for one in world.platform.of(pod.owner) if one.node == pod.node]:
        world.quality[one.name][world.span(at)] = 0.6
    world.blame([f"{gateway.owner}-routes", *names_of(gateway), pod.name, pod.node, f"{pod.namespace}/{pod.name}", *names_of(pod)],
                [pod.owner, world.model_of(pod)], at, at + 1700)  # fmt: skip


def a35(world: World, at: float) -> None:
    """A wave of prompt injection: guardrails stop a third of the requests."""
    end = at + 1200
    world.blocked[world.span(at, end)] = 0.38
    world.answer[world.span(at, end)] = 0.9
    shield = world.part("guardrail")[0]
    for place in range(60):
        world.app_log(
            shield,
            at + 3 + place * 18,
            "WARN",
            f"blocked request: prompt_injection score={world.rng.uniform(0.8, 0.99):.2f} rule=jailbreak-v3 client=203.0.113.{world.rng.randint(3, 9)}",
        )
    gateway = world.platform.services["gateway"]
    world.blame([*names_of(shield), shield.name, gateway], [gateway, *world.platform.models], at, end)


FAULTS = {"A12": a12, "A14": a14, "A21": a21, "A22": a22, "A29": a29, "A33": a33, "A35": a35}
