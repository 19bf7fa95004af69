-- The hash of a value under a key, as conditions compare it.
SELECT hex(sipHash128Keyed((toUInt64({k0:UInt64}), toUInt64({k1:UInt64})), {value:String})) AS hash
