-- Move parts to a volume once all their rows are so many days old. The engine takes no parameter
-- for its name, and keeps one for the days as more than a number.
ALTER TABLE {table:Identifier}${on_cluster}
MODIFY TTL toDateTime({time:Identifier}) + toIntervalDay(${days}) TO VOLUME ${volume}
