-- What was refused since a time, by request and reason, newest first.
SELECT hex(r.Request) AS Key, toString(r.Signal) AS Signal, toString(r.Reason) AS Reason, sum(r.Items) AS Items, r.Reason = 'time_missing' AS Stored
FROM ingest_rejected AS r
WHERE r.At >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY r.Request, r.Signal, r.Reason
ORDER BY max(r.At) DESC
LIMIT {limit:UInt64}
