-- When this tenant's telemetry was last judged, in milliseconds; 0 for never.
SELECT toUnixTimestamp64Milli(max(JudgedAt)) AS at
FROM correlation_passes
WHERE Tenant = {tenant:String}
