-- Forget what a deletion was to delete.
ALTER TABLE deletion_work${on_cluster} DROP PARTITION {id:String}
