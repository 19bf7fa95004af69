-- [start, end) counts as judged six seconds from now, as if live passes had seen its telemetry when it came: later than an
-- insert that has ended, with the seconds of grace that correlation gives inserts.
INSERT INTO correlation_passes (Tenant, WindowStart, WindowEnd, JudgedAt, Signals, Failures, Policy)
SELECT 'default', fromUnixTimestamp64Nano({start:Int64}), fromUnixTimestamp64Nano({end:Int64}), now64(3) + INTERVAL 6 SECOND, 0, 0, ''
