"""Policy files: thresholds, severities and site rules in YAML that operators version (docs/policy.md)."""
