-- The last moment at which any relation was seen to hold; 0 when none ever was.
SELECT toInt64(toUnixTimestamp64Nano(max(ValidTo))) AS at FROM entity_edges FINAL WHERE Tenant = {tenant:String}
