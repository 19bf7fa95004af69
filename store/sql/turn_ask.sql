-- Ask for a turn for {lease} milliseconds, unless somebody has it.
INSERT INTO correlation_turns (Tenant, Turn, Owner, Claimed, Until, Version)
SELECT {tenant:String}, {turn:String}, {owner:String}, now64(9), now64(3) + toIntervalMillisecond({lease:Int64}), {version:UInt64}
WHERE NOT EXISTS
(
    SELECT 1 FROM correlation_turns FINAL
    WHERE Tenant = {tenant:String} AND Turn = {turn:String} AND Owner != {owner:String} AND Until > now64(3)
)
