"""GPU metrics as points per physical GPU, whatever pod labels the series carried and however fields were named."""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames

_DEVICE = (
    pl.when(pl.col("gpu") != "")
    .then("gpu")
    .when((pl.col("node") != "") & (pl.col("gpu_bdf") != ""))
    .then(pl.format("{}/{}", "node", "gpu_bdf"))
    .otherwise(pl.lit(""))
)

METRICS = "^DCGM_"
"""Names of the metrics that the points of this module are of."""

XID = ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR")
TEMPERATURE = ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS")
UTILISATION = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO")
TENSOR = ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO")
POWER = ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS")


def devices(frames: Frames, metrics: tuple[str, ...] | None = None) -> pl.LazyFrame:
    """GPU series -> `series, metric, device, node, pod, workload, workload_kind`; device is UUID or NODE/bdf.

    DCGM's when `metrics` is None, else those that have one of the names.
    """
    wanted = pl.col("metric").str.starts_with("DCGM_") if metrics is None else pl.col("metric").is_in(metrics)
    return (
        frames["metric_series"]
        .filter(wanted)
        .select("series", "metric", "node", "pod", "workload", "workload_kind", device=_DEVICE)
        .filter(pl.col("device") != "")
    )


def points(frames: Frames, metrics: tuple[str, ...] | None = None) -> pl.LazyFrame:
    """Points of the named metrics (None: all of DCGM) -> `device, node, pod, metric, time, value`, in order of time."""
    return frames["metric_points"].join(devices(frames, metrics), on="series").sort("device", "metric", "time")
