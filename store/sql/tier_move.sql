-- Move parts to a volume once all their rows are so many days old.
ALTER TABLE {table:Identifier}${on_cluster}
MODIFY TTL toDateTime({time:Identifier}) + toIntervalDay({days:UInt32}) TO VOLUME {volume:String}
