-- What became of remote-write requests since a time, newest first.
SELECT
    hex(Request) AS Key,
    sum(Samples) AS Samples,
    sum(Histograms) AS Histograms,
    sum(Exemplars) AS Exemplars,
    sum(Rejected) AS Rejected,
    max(Reason) AS Reason
FROM remote_write_written
WHERE At >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY Request, Batch
ORDER BY Batch DESC
LIMIT 1 BY Request
LIMIT {limit:UInt64}
