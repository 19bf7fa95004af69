SELECT `Tenant`, `StartedAt` FROM incidents FINAL WHERE Tenant = {tenant:String} AND StartedAt >= fromUnixTimestamp64Nano({start:Int64}) AND StartedAt < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `Timestamp` FROM otel_logs WHERE Tenant = {tenant:String} AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `TimeUnix` FROM otel_metrics_exponential_histogram WHERE Tenant = {tenant:String} AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `TimeUnix` FROM otel_metrics_gauge WHERE Tenant = {tenant:String} AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `TimeUnix` FROM otel_metrics_histogram WHERE Tenant = {tenant:String} AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `TimeUnix` FROM otel_metrics_sum WHERE Tenant = {tenant:String} AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `TimeUnix` FROM otel_metrics_summary WHERE Tenant = {tenant:String} AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `Timestamp` FROM otel_traces WHERE Tenant = {tenant:String} AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64});

SELECT `Tenant`, `Onset` FROM signals FINAL WHERE Tenant = {tenant:String} AND Onset >= fromUnixTimestamp64Nano({start:Int64}) AND Onset < fromUnixTimestamp64Nano({end:Int64});

SELECT `Body`, LogAttributes[{key1:String}] AS reason FROM otel_logs WHERE Tenant = {tenant:String} AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64});
