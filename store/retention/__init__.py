"""How long telemetry and what was computed from it are kept: policy, plan, the job that removes, colder disks."""
