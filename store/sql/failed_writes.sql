-- Writes to files that failed since the process began; no row while none has. An embedded engine does not tell otherwise.
SELECT toInt64(value) AS failed FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'
