"""Telemetry about Causeline itself: its traces, metrics and log lines."""
