-- End running inserts by their marks, and wait until they have ended.
KILL QUERY WHERE Settings['log_comment'] IN {marks:Array(String)} SYNC
