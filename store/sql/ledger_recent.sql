-- Requests committed since a time, newest first, as one hexadecimal text.
SELECT count() AS Requests, groupConcat(hex(Request)) AS Keys
FROM
(
    SELECT Request
    FROM ingest_ledger
    WHERE Request != toFixedString('', 16) AND State = 'committed' AND At >= fromUnixTimestamp64Milli({since:Int64})
    ORDER BY At DESC
    LIMIT {limit:UInt64}
)
