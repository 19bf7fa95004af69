-- What was refused of a batch, by request and reason; time_missing is a note on items that were stored.
SELECT hex(r.Request) AS Key, toString(r.Signal) AS Signal, toString(r.Reason) AS Reason, sum(r.Items) AS Items, r.Reason = 'time_missing' AS Stored
FROM ingest_rejected AS r
WHERE r.Batch = {batch:UInt64}
GROUP BY r.Request, r.Signal, r.Reason
