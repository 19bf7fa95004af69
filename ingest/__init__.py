"""OTLP in: HTTP endpoint, admission, group commit. ClickHouse decodes; Python never touches a row."""
