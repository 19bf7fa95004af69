"""What metrics mean, by names of several vocabularies."""

from __future__ import annotations

import polars as pl
import pytest

from correlate import golden


@pytest.mark.parametrize(
    ("metric", "meaning"),
    [
        ("http.server.request.duration", golden.LATENCY),
        ("vllm:time_to_first_token_seconds", golden.LATENCY),
        ("queue_oldest_message_age_seconds", golden.LATENCY),
        ("http_server_5xx_rate", golden.ERRORS),
        ("availability", golden.ERRORS),
        ("upstream_call_error_ratio", golden.ERRORS),
        ("k8s.pod.cpu.usage", golden.SATURATION),
        ("db_pool_in_use", golden.SATURATION),
        ("requests_per_sec", golden.TRAFFIC),
        ("k8s.pod.network.transmit", golden.TRAFFIC),
        ("node_load1", golden.OTHER),
    ],
)
def test_meaning(metric: str, meaning: str) -> None:
    assert pl.DataFrame({"metric": [metric]}).select(golden.meaning()).item() == meaning


def test_shares_are_told_by_name_and_values() -> None:
    rows = pl.DataFrame(
        {
            "metric": ["success_rate", "error_pct", "cpu_utilization", "request_rate", "heap"],
            "unit": ["1", "", "", "", "By"],
            "most": [1.0, 40.0, 1.0, 300.0, 0.5],
        }
    )
    assert rows.select(w=golden.whole())["w"].to_list() == [1.0, 100.0, 1.0, None, None]
    assert rows.select(s=golden.counts_successes())["s"].to_list() == [True, False, False, False, False]
