-- What was refused of some requests, by request and reason.
SELECT hex(r.Request) AS Key, toString(r.Signal) AS Signal, toString(r.Reason) AS Reason, sum(r.Items) AS Items, r.Reason = 'time_missing' AS Stored
FROM ingest_rejected AS r
WHERE r.Request IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16))
GROUP BY r.Request, r.Signal, r.Reason
