"""Prometheus' HTTP API under /prometheus, as Grafana, promtool and vmalert call it."""
