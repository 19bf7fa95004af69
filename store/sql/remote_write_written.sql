-- What became of some remote-write requests. A request's last batch counts: earlier ones were deleted or forgotten.
SELECT
    hex(Request) AS Key,
    sum(Samples) AS Samples,
    sum(Histograms) AS Histograms,
    sum(Exemplars) AS Exemplars,
    sum(Rejected) AS Rejected,
    max(Reason) AS Reason
FROM remote_write_written
WHERE Request IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16))
GROUP BY Request, Batch
ORDER BY Request, Batch DESC
LIMIT 1 BY Request
