-- Volumes and disks of a storage policy of the server.
SELECT volume_name AS volume, disks FROM system.storage_policies WHERE policy_name = {policy:String}
