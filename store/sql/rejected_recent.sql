-- What was refused since a time, by request and reason, newest first.
SELECT hex(Request) AS Key, toString(Signal) AS Signal, toString(Reason) AS Reason, sum(Items) AS Items, toInt16(Reason) >= 100 AS Stored
FROM ingest_rejected
WHERE At >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY ingest_rejected.Request, ingest_rejected.Signal, ingest_rejected.Reason
ORDER BY max(At) DESC
LIMIT {limit:UInt64}
