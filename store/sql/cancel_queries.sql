-- End the running queries that carry a request's mark, without waiting for them.
KILL QUERY WHERE Settings['log_comment'] = {mark:String} ASYNC
