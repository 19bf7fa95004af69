"""GPU evidence from DCGM: counters, clocks, heat, absence, the sticky Xid gauge, the idle rank."""

from __future__ import annotations

from typing import Any

import pytest

from correlate.rules import gpu_absent, gpu_metrics, gpu_power_brake, gpu_thermal, gpu_xid_gauge, odd_rank
from tests.kit.telemetry import Metrics, facts, found, onset_s, step


def device(index: int, node: str = "n1", **more: Any) -> dict[str, Any]:
    return {"gpu": f"GPU-{node}-{index}", "node": node, "gpu_index": str(index)} | more


@pytest.mark.parametrize("metric", ["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_VOLATILE_TOTAL"])
def test_one_uncorrectable_error_is_enough(metric: str) -> None:
    data = Metrics()
    data.add(metric, lambda t: float(t >= 300), kind="sum", **device(0))
    data.add(metric, lambda _: 3.0, kind="sum", **device(1))
    assert facts(found(gpu_metrics.RULE, data.frames())) == {("gpu.ecc_uncorrected", "gpu", "GPU-n1-0")}


def test_a_few_replays_are_nothing_and_many_are_a_bad_link() -> None:
    data = Metrics()
    data.add("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", lambda t: max(0.0, t // 300), kind="sum", **device(0))
    data.add("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", lambda t: max(0.0, t), kind="sum", **device(1))
    assert facts(found(gpu_metrics.RULE, data.frames())) == {("gpu.pcie", "gpu", "GPU-n1-1")}


def test_a_flag_that_was_always_up_is_old_news() -> None:
    data = Metrics()
    data.add("DCGM_FI_DEV_ROW_REMAP_PENDING", lambda _: 1.0, **device(0))
    data.add("DCGM_FI_DEV_ROW_REMAP_PENDING", lambda t: float(t >= 300), **device(1))
    assert facts(found(gpu_metrics.RULE, data.frames())) == {("gpu.row_remap", "gpu", "GPU-n1-1")}


def test_heat_lowers_clocks_and_an_ordinary_power_cap_is_not_heat() -> None:
    data = Metrics()
    data.add("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", lambda t: 96.0 if t >= 300 else 4.0, **device(0))
    data.add("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", lambda t: 4.0 if t >= 300 else 0.0, **device(1))
    assert facts(found(gpu_metrics.RULE, data.frames())) == {("gpu.thermal", "gpu", "GPU-n1-0")}


def warming(t: float) -> float:
    return 60.0 + min(25.0, max(0.0, (t - 200) / 10))


def thermal(hot: int) -> Metrics:
    data = Metrics()
    for index in range(8):
        slow = index < hot
        data.add("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", step(0.0, 96.0 if slow else 0.0, 500), **device(index))
        data.add("DCGM_FI_DEV_GPU_TEMP", warming if slow else step(60.0, 60.0), **device(index))
    return data


def test_a_whole_node_slow_is_cooling_and_began_with_the_warming() -> None:
    seen = found(gpu_thermal.RULE, thermal(8).frames())
    assert facts(seen) == {("node.thermal", "node", "n1")}
    assert 200 <= onset_s(seen, "node.thermal") <= 300


def test_one_slow_gpu_is_not_the_nodes_cooling() -> None:
    assert found(gpu_thermal.RULE, thermal(1).frames()).is_empty()


def braked(count: int) -> Metrics:
    """Eight GPUs, of which the power brake (bit 128) holds back some."""
    data = Metrics()
    for index in range(8):
        reasons = step(0.0, 128.0 if index < count else 4.0, 500)
        data.add("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", reasons, **device(index))
    return data


def test_a_whole_node_braked_is_its_power_supply() -> None:
    assert facts(found(gpu_power_brake.RULE, braked(5).frames())) == {("node.power", "node", "n1")}


def test_one_braked_gpu_is_not_the_nodes_power_supply_and_a_power_cap_is_no_brake() -> None:
    assert found(gpu_power_brake.RULE, braked(1).frames()).is_empty()


def test_the_sticky_xid_gauge_counts_when_it_changes() -> None:
    data = Metrics()
    data.add("DCGM_FI_DEV_XID_ERRORS", lambda _: 79.0, **device(0))
    data.add("DCGM_FI_DEV_XID_ERRORS", lambda t: 79.0 if t >= 300 else 31.0, **device(1))
    assert facts(found(gpu_xid_gauge.RULE, data.frames())) == {("xid.79", "gpu", "GPU-n1-1")}


def test_a_gpu_gone_while_its_neighbours_go_on_is_absent() -> None:
    data = Metrics()
    for index in range(4):
        data.add("DCGM_FI_DEV_GPU_TEMP", step(50.0, None if index == 2 else 50.0), **device(index))
    seen = found(gpu_absent.RULE, data.frames())
    assert facts(seen) == {("gpu.absent", "gpu", "GPU-n1-2")}
    assert onset_s(seen, "gpu.absent") <= 300


def test_all_gpus_of_a_node_gone_is_only_a_gap_in_telemetry() -> None:
    data = Metrics()
    for node in ("n1", "n2"):
        for index in range(4):
            data.add("DCGM_FI_DEV_GPU_TEMP", step(50.0, None if node == "n1" else 50.0), **device(index, node))
    seen = found(gpu_absent.RULE, data.frames())
    assert facts(seen) == {("telemetry.gap", "node", "n1")}
    assert seen["score"][0] <= 3


def test_a_gpu_that_changes_hands_is_not_absent() -> None:
    data = Metrics()
    for index in range(2):
        data.add("DCGM_FI_DEV_GPU_TEMP", lambda t: 50.0 if t < 300 else None, pod="a-0", **device(index))
        data.add("DCGM_FI_DEV_GPU_TEMP", lambda t: 50.0 if t >= 300 else None, pod="b-0", **device(index))
    assert found(gpu_absent.RULE, data.frames()).is_empty()


def training(idle: int) -> Metrics:
    """Sixteen GPUs train until 300 s; then `idle` of them do nothing and the others spin at low power."""
    data = Metrics()
    for index in range(16):
        lazy, node = index < idle, f"n{index // 8}"
        owner = {"pod": f"sft-worker-{index // 8}-5qc57", **device(index % 8, node)}
        data.add("DCGM_FI_DEV_GPU_UTIL", step(100.0, 0.0 if lazy else 100.0), **owner)
        data.add("DCGM_FI_DEV_POWER_USAGE", step(620.0, 170.0), **owner)
    return data


def test_the_idle_gpu_of_a_waiting_job_is_the_bad_rank() -> None:
    seen = found(odd_rank.RULE, training(1).frames())
    assert facts(seen) == {("train.bad_rank", "gpu", "GPU-n0-0"), ("train.bad_rank", "pod", "sft-worker-0-5qc57")}


@pytest.mark.parametrize("idle", [0, 16])
def test_a_job_that_waits_or_ends_as_one_has_no_odd_rank(idle: int) -> None:
    assert found(odd_rank.RULE, training(idle).frames()).is_empty()


def test_gpuds_names_say_the_same() -> None:
    data = Metrics()
    data.add("accelerator_nvidia_ecc_volatile_total_uncorrected", step(0.0, 1.0), gpu="GPU-1")
    data.add("accelerator_nvidia_ecc_volatile_total_uncorrected", lambda _: 1.0, gpu="GPU-2")
    data.add("DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY", step(1.0, 2.0), gpu="GPU-3")
    data.add("DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY", lambda _: 2.0, gpu="GPU-4")
    assert facts(found(gpu_metrics.RULE, data.frames())) == {
        ("gpu.ecc_uncorrected", "gpu", "GPU-1"),
        ("gpu.nvlink", "gpu", "GPU-3"),
    }
