-- Whether any telemetry bears a time in [start, end): a pass has nothing to do when not.
SELECT
    (SELECT count() FROM (SELECT 1 FROM otel_traces WHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_logs WHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_metrics_gauge WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_metrics_sum WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_metrics_histogram WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_metrics_exponential_histogram WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    + (SELECT count() FROM (SELECT 1 FROM otel_metrics_summary WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64}) LIMIT 1))
    AS active
