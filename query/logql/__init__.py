"""LogQL, the part of it that Grafana sends unasked and people type most, compiled to queries of the engine."""
