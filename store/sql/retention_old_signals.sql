-- How many signals ended before a time and are not held.
SELECT count() AS rows
FROM signals FINAL
WHERE Tenant = {tenant:String} AND Until < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
    AND SignalId NOT IN {held:Array(String)}
