-- Relations that were seen to hold at some time in [start, end], in a fixed order behind the {after} key. {sources} and
-- {targets} are keys (type, 0x1f, name): an edge must have one of them at that end; both empty is any edge.
WITH
    concat(SrcType, '\x1f', SrcName) AS src_key,
    concat(DstType, '\x1f', DstName) AS dst_key,
    concat(src_key, '\x1e', Kind, '\x1e', dst_key) AS key
SELECT
    Kind AS kind, SrcType AS src_type, SrcName AS src, DstType AS dst_type, DstName AS dst,
    toUnixTimestamp64Nano(min(ValidFrom)) AS valid_from, toUnixTimestamp64Nano(max(ValidTo)) AS valid_to,
    max(Weight) AS weight, any(key) AS edge_key
FROM entity_edges FINAL
WHERE Tenant = {tenant:String}
    AND ValidFrom <= fromUnixTimestamp64Nano({end:Int64}) AND ValidTo >= fromUnixTimestamp64Nano({start:Int64})
    AND ((empty({sources:Array(String)}) AND empty({targets:Array(String)}))
        OR has({sources:Array(String)}, src_key) OR has({targets:Array(String)}, dst_key))
-- if after
    AND key > {after:String}
-- end
GROUP BY kind, src_type, src, dst_type, dst
ORDER BY edge_key
LIMIT {limit:UInt32}
