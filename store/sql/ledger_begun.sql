-- Batches begun and neither committed nor discarded: those of one receiver, and those that are so old that
-- whoever began them is gone.
SELECT Batch
FROM ingest_ledger
WHERE Request = toFixedString('', 16)
GROUP BY Batch
HAVING max(State) = 'begun' AND (any(Receiver) = {receiver:String} OR max(At) < fromUnixTimestamp64Milli({orphaned:Int64}))
ORDER BY Batch
