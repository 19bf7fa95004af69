-- Which of some requests are committed since a time, as one hexadecimal text.
SELECT groupConcat(hex(Request)) AS Keys
FROM
(
    SELECT DISTINCT Request
    FROM ingest_ledger
    WHERE Request IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16))
      AND State = 'committed' AND At >= fromUnixTimestamp64Milli({since:Int64})
)
