-- Relations seen to hold at some time in [start, end).
SELECT
    Kind AS kind, SrcType AS src_type, SrcName AS src, DstType AS dst_type, DstName AS dst,
    min(ValidFrom) AS valid_from, max(ValidTo) AS valid_to, max(Weight) AS weight
FROM entity_edges FINAL
WHERE Tenant = {tenant:String}
    AND ValidFrom < fromUnixTimestamp64Nano({end:Int64}) AND ValidTo >= fromUnixTimestamp64Nano({start:Int64})
GROUP BY kind, src_type, src, dst_type, dst
ORDER BY kind, src_type, src, dst_type, dst
