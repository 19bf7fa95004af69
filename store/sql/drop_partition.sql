-- Drop a partition as a whole, which takes no time and leaves nothing on disk.
ALTER TABLE {table:Identifier}${on_cluster} DROP PARTITION ID {day:String}
