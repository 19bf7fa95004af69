-- What was refused of some requests, by request and reason.
SELECT hex(Request) AS Key, toString(Signal) AS Signal, toString(Reason) AS Reason, sum(Items) AS Items, toInt16(Reason) >= 100 AS Stored
FROM ingest_rejected
WHERE Request IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16))
GROUP BY ingest_rejected.Request, ingest_rejected.Signal, ingest_rejected.Reason
