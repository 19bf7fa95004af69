"""Telemetry windows in, signals and ranked incidents out."""
