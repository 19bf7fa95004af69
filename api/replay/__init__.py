"""Sending recorded OTLP JSON lines to a receiver over OTLP/HTTP protobuf."""
