"""A simulated AI platform with one labelled fault at a time, as OTLP: ranking judged on faults nobody tuned it to."""
