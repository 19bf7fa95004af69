-- How many rows of a table are older than a time.
SELECT count() AS rows
FROM {table:Identifier}
WHERE Tenant = {tenant:String} AND {time:Identifier} < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
