-- What retention removed from a tenant last, newest first; days that went as a whole are everybody's.
SELECT
    Tenant AS tenant, TableName AS table_name, Day AS day, Removed AS removed, Pinned AS pinned, Policy AS policy,
    toUnixTimestamp64Nano(toDateTime64(At, 9)) AS at
FROM retention_log
WHERE Tenant = {tenant:String} OR Tenant = ''
ORDER BY At DESC, TableName, Day DESC
LIMIT {limit:UInt32}
