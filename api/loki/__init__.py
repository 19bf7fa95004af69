"""The part of Loki's HTTP API that Grafana uses, under /loki/loki/api/v1 (Grafana's data source URL is HOST/loki)."""
