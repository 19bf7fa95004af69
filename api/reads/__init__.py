"""What the API reads and answers with: incidents, evidence, entities, raw telemetry, reports."""
