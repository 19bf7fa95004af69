"""Jaeger's query API under /jaeger, as its own page and Grafana's data source ask it."""
