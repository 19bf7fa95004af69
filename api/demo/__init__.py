"""A small GPU platform that has a bad hour, played through real OpenTelemetry exporters."""
