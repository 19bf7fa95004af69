-- What was refused of a batch, by request and reason; reasons from 100 on are notes on items that were stored.
SELECT hex(Request) AS Key, toString(Signal) AS Signal, toString(Reason) AS Reason, sum(Items) AS Items, toInt16(Reason) >= 100 AS Stored
FROM ingest_rejected
WHERE Batch = {batch:UInt64}
GROUP BY ingest_rejected.Request, ingest_rejected.Signal, ingest_rejected.Reason
