"""Model servers, training and nodes that fall silent: what each rule must report, and what looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from correlate.rules import (
    change_node_software,
    gpu_app_errors,
    gpu_window_counts,
    hw_health,
    nccl_heartbeat,
    nccl_ib,
    node_absent,
    serving_health,
    train_health,
)
from tests.kit.telemetry import Metrics, Row, facts, found, frames, onset_s, step

POD = ("pod", "llm-0")


@pytest.mark.parametrize(
    ("metric", "before", "after", "kind"),
    [
        ("vllm:num_requests_waiting", 1.0, 40.0, "serving.queue"),
        ("sglang:num_queue_reqs", 1.0, 40.0, "serving.queue"),
        ("nv_inference_pending_request_count", 1.0, 40.0, "serving.queue"),
        ("tgi_queue_size", 1.0, 40.0, "serving.queue"),
        ("ray_serve_deployment_queued_queries", 1.0, 40.0, "serving.queue"),
        ("vllm:kv_cache_usage_perc", 0.4, 0.99, "serving.cache_full"),
        ("sglang:token_usage", 0.4, 0.99, "serving.cache_full"),
    ],
)
def test_queues_and_caches_of_every_engine(metric: str, before: float, after: float, kind: str) -> None:
    data = Metrics()
    data.add(metric, step(before, after), pod="llm-0")
    # One that is always like that, one that rises a little, one that rises for a moment only.
    data.add(metric, lambda _: after, pod="busy-0")
    data.add(metric, step(before, before * 1.5), pod="calm-0")
    data.add(metric, lambda t: after if 300 <= t < 330 else before, pod="brief-0")
    assert facts(found(serving_health.RULE, data.frames())) == {(kind, *POD)}


def test_preemptions_and_failures_are_rates() -> None:
    data = Metrics()
    for pod, per_s in (("llm-0", 2.0), ("well-0", 0.01)):
        data.add(
            "vllm:num_preemptions_total",
            lambda t, per_s=per_s: 5.0 + max(0.0, t - 300) * per_s,  # type: ignore[misc]
            pod=pod,
            kind="sum",
        )
    data.add("tgi_request_failure", lambda t: max(0.0, t - 300) * 1.0, pod="tgi-0", kind="sum")
    assert facts(found(serving_health.RULE, data.frames())) == {
        ("serving.preemptions", *POD),
        ("serving.failures", "pod", "tgi-0"),
    }


def test_latencies_are_means_of_what_was_observed() -> None:
    data = Metrics()
    series: list[Row] = []
    points: list[Row] = []
    for number, (pod, slow) in enumerate((("llm-0", 3.0), ("well-0", 0.55)), 100):
        series.append({"series": number, "metric": "vllm:time_to_first_token_seconds", "type": "histogram", "pod": pod})
        count, total = 0.0, 0.0
        for at in range(-7200, 900, 30):
            count, total = count + 10, total + 10 * (slow if at >= 300 else 0.5)
            points.append({"series": number, "time": at, "count": count, "sum": total})
    data.series, data.histograms = series, points
    assert facts(found(serving_health.RULE, data.frames())) == {("serving.ttft", *POD)}


def test_one_corrupted_answer_is_enough() -> None:
    data = Metrics()
    data.add("vllm:corrupted_requests_total", step(0.0, 1.0), pod="llm-0", kind="sum")
    data.add("vllm:corrupted_requests_total", lambda _: 7.0, pod="old-0", kind="sum")
    assert facts(found(serving_health.RULE, data.frames())) == {("quality.corrupted", *POD)}


@pytest.mark.parametrize(
    ("metric", "before", "after", "kind"),
    [
        ("train/step_time", 5.0, 7.5, "train.slow"),
        ("train/tokens_per_second", 40_000.0, 25_000.0, "train.slow"),
        ("train/mfu", 0.45, 0.25, "train.slow"),
        ("train/loss", 2.0, 40.0, "train.numerics"),
        ("train/grad_norm", 0.4, 9.0, "train.numerics"),
        ("train/nan_iterations", 0.0, 3.0, "train.numerics"),
    ],
)
def test_training_that_slows_down_or_diverges(metric: str, before: float, after: float, kind: str) -> None:
    data = Metrics()
    data.add(metric, step(before, after), workload="bad", workload_kind="Job")
    data.add(metric, step(before, before * 1.05), workload="well", workload_kind="Job")
    data.add(metric, lambda t: after if 300 <= t < 330 and after else before, workload="spike", workload_kind="Job")
    data.add(metric, lambda _: after, workload="always", workload_kind="Job")
    data.add(metric.replace("train/", "eval/"), step(before, after), workload="evaluation", workload_kind="Job")
    seen = facts(found(train_health.RULE, data.frames()))
    # A broken iteration is one however short.
    assert seen - {("train.numerics", "job", "spike")} == {(kind, "job", "bad")}
    assert ("train.numerics", "job", "spike") not in seen or metric.endswith("nan_iterations")


def _node(data: Metrics, node: str, until: float) -> None:
    for metric in ("node_load1", "DCGM_FI_DEV_GPU_TEMP", "container_cpu_usage_seconds_total"):
        data.add(metric, lambda _: 1.0, node=node, end=until)
    data.add("kube_node_status_allocatable", lambda _: 8.0, node=node)


def test_a_node_from_which_nothing_comes() -> None:
    data = Metrics()
    _node(data, "n1", 400.0)
    for n in range(2, 6):
        _node(data, f"n{n}", 900.0)
    data.add("node_load1", lambda _: 1.0, node="n6", end=400.0)
    data.add("app_requests", lambda _: 1.0, node="n6")
    drained: Row = {"time": 100.0, "reason": "NodeNotSchedulable", "object_kind": "Node", "object": "n7"}
    _node(data, "n7", 400.0)
    seen = found(node_absent.RULE, data.frames(k8s_events=[drained]))
    assert facts(seen) == {("node.absent", "node", "n1"), ("telemetry.gap", "node", "n6")}
    assert 360 <= onset_s(seen, "node.absent") <= 400


def test_when_all_nodes_fall_silent_none_is_to_blame() -> None:
    data = Metrics()
    for n in range(1, 5):
        _node(data, f"n{n}", 400.0)
    data.add("node_load1", lambda _: 1.0, node="n9")
    assert found(node_absent.RULE, data.frames()).is_empty()


def test_what_processes_say_of_their_gpus() -> None:
    def line(body: str, pod: str = "llm-0") -> Row:
        return {"time": 100.0, "pod": pod, "body": body}

    rows = [
        line("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 37.25 GiB."),
        line("EngineDeadError: EngineCore encountered an issue.", "llm-1"),
        line("CUDA out of memory caught, falling back to a smaller batch", "llm-2"),
        line("INFO loaded CUDA graphs in 3 s", "llm-3"),
    ]
    assert facts(found(gpu_app_errors.RULE, frames(logs=rows))) == {
        ("app.cuda_oom", *POD),
        ("app.engine_dead", "pod", "llm-1"),
    }


def test_a_port_that_fails_under_nccl_is_its_nodes() -> None:
    failed = "gpu-7:1201:1399 [2] misc/ibvwrap.cc:94 NCCL WARN NET/IB : mlx5_3:1 Got async event : port error"
    harmless = failed.replace("port error", "client reregistration")
    rows: list[Row] = [
        {"time": 10.0, "pod": "p-0", "node": "n1", "body": failed},
        {"time": 10.0, "pod": "p-1", "node": "n2", "body": harmless},
    ]
    assert facts(found(nccl_ib.RULE, frames(logs=rows))) == {("nic.link", "node", "n1")}


def test_a_stuck_watchdog_began_long_before_it_was_noticed() -> None:
    rows: list[Row] = [
        {"time": 600.0, "workload": "job", "body": "[Rank 0] Heartbeat monitor timed out! Process will be terminated"},
        {"time": 600.0, "workload": "well", "body": "Heartbeat monitor started"},
    ]
    seen = found(nccl_heartbeat.RULE, frames(logs=rows))
    assert facts(seen) == {("nccl.watchdog", "job", "job")}
    assert onset_s(seen, "nccl.watchdog") == 600 - nccl_heartbeat.DEFAULT_S


def test_counts_per_code_show_xids_and_heat() -> None:
    data = Metrics()
    data.add("DCGM_EXP_XID_ERRORS_COUNT", step(0.0, 2.0), gpu="GPU-1", labels='{"xid":"48"}')
    data.add("DCGM_EXP_XID_ERRORS_COUNT", lambda _: 2.0, gpu="GPU-2", labels='{"xid":"48"}')
    data.add("accelerator_nvidia_xid_errors_total", step(0.0, 1.0), gpu="GPU-3", labels='{"xid":"79"}')
    heat = '{"clock_event":"hw_thermal_slowdown"}'
    data.add("DCGM_EXP_CLOCK_EVENTS_COUNT", step(0.0, 5.0), gpu="GPU-4", labels=heat)
    data.add("DCGM_EXP_CLOCK_EVENTS_COUNT", step(0.0, 5.0), gpu="GPU-5", labels='{"clock_event":"sw_power_cap"}')
    assert facts(found(gpu_window_counts.RULE, data.frames())) == {
        ("xid.48", "gpu", "GPU-1"),
        ("xid.79", "gpu", "GPU-3"),
        ("gpu.thermal", "gpu", "GPU-4"),
    }


def test_hardware_in_opentelemetrys_words() -> None:
    data = Metrics()
    gpu = '"hw.type":"gpu","hw.id":"GPU-1"'
    data.add("hw.status", step(0.0, 1.0), node="n1", labels="{" + gpu + ',"hw.state":"failed"}')
    data.add("hw.status", step(1.0, 0.0), node="n1", labels="{" + gpu + ',"hw.state":"ok"}')
    data.add("hw.errors", step(3.0, 4.0), kind="sum", node="n1", labels="{" + gpu + ',"error.type":"uncorrected"}')
    data.add("hw.errors", step(3.0, 4.0), kind="sum", node="n2", labels="{" + gpu + ',"error.type":"corrected"}')
    data.add("hw.network.up", step(1.0, 0.0), node="n3", labels='{"hw.type":"network","hw.id":"eth0"}')
    data.add("hw.network.up", lambda _: 0.0, node="n4", labels='{"hw.type":"network","hw.id":"eth1"}')
    fan = '{"hw.type":"fan","hw.id":"f1","hw.limit_type":"high.critical"}'
    data.add("hw.temperature.limit", lambda _: 90.0, node="n5", labels=fan)
    data.add("hw.temperature", step(60.0, 95.0), node="n5", labels='{"hw.type":"fan","hw.id":"f1"}')
    data.add("hw.temperature", step(60.0, 80.0), node="n6", labels='{"hw.type":"fan","hw.id":"f1"}')
    assert facts(found(hw_health.RULE, data.frames())) == {
        ("gpu.health", "gpu", "GPU-1"),
        ("gpu.ecc_uncorrected", "gpu", "GPU-1"),
        ("nic.link", "node", "n3"),
        ("node.thermal", "node", "n5"),
    }


def test_software_of_nodes_and_settings_of_engines() -> None:
    data = Metrics()

    def info(metric: str, before: str, after: str, **identity: Any) -> None:
        data.add(metric, lambda t: 1.0 if t < 300 else None, labels=before, **identity)
        data.add(metric, lambda t: 1.0 if t >= 300 else None, labels=after, **identity)

    info("kube_node_info", '{"kernel_version":"6.1"}', '{"kernel_version":"6.8"}', node="n1")
    info("kube_node_info", '{"kernel_version":"6.1","a":"1"}', '{"kernel_version":"6.1","a":"2"}', node="n2")
    info("vllm:cache_config_info", '{"num_gpu_blocks":"9"}', '{"num_gpu_blocks":"5"}', pod="llm-0")
    loaded = "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  {}  Thu"
    rows: list[Row] = [
        {"time": -600.0, "node": "n3", "body": loaded.format("535.129.03")},
        {"time": 300.0, "node": "n3", "body": loaded.format("550.90.07")},
        {"time": 300.0, "node": "n4", "body": loaded.format("550.90.07")},
    ]
    assert facts(found(change_node_software.RULE, data.frames(kernel_logs=rows))) == {
        ("change.driver", "node", "n1"),
        ("change.config", "pod", "llm-0"),
        ("change.driver", "node", "n3"),
    }
