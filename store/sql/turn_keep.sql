-- Have a turn that is held end {lease} milliseconds from now: later than it would, or, with 0 or less, over.
INSERT INTO correlation_turns (Tenant, Turn, Owner, Claimed, Until, Version)
SELECT {tenant:String}, {turn:String}, {owner:String}, fromUnixTimestamp64Nano({claimed:Int64}), now64(3) + toIntervalMillisecond({lease:Int64}), {version:UInt64}
