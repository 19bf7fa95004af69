-- Which of some requests are in other batches than one's own: committed, or begun by somebody who may still commit.
-- Only a discarded batch ends a claim here: a commit names its requests in the same insert, so whoever sees the claim and
-- not yet the commit holds it for a claim, whichever of the two reads below came first.
SELECT hex(Request) AS Key, max(State = 'committed') AS Stored
FROM ingest_ledger
WHERE Request IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16)) AND Batch != {batch:UInt64}
    AND (
        (State = 'committed' AND At >= fromUnixTimestamp64Milli({since:Int64}))
        OR (
            State = 'begun' AND At >= fromUnixTimestamp64Milli({claimed:Int64})
            AND Batch NOT IN
            (
                SELECT Batch
                FROM ingest_ledger
                WHERE Request = toFixedString('', 16) AND State = 'discarded'
                    AND At >= fromUnixTimestamp64Milli({claimed:Int64})
            )
        )
    )
GROUP BY Request
