-- Of how many traces a pass looked at one: more spans than CAUSELINE_CORRELATE__MAX_SPANS are not all read.
ALTER TABLE correlation_passes${on_cluster} ADD COLUMN IF NOT EXISTS TracesOneIn UInt32 DEFAULT 1;
