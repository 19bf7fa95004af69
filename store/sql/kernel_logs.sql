-- Lines of the kernel's ring buffer, by source (journald, kmsg, syslog) or by content, with the node that wrote them.
-- The host inside a syslog line is the last resort: collectors that tail files on a node rarely name it.
SELECT
    Timestamp AS time,
    coalesce(
        nullIf(ResourceAttributes['k8s.node.name'], ''),
        nullIf(ResourceAttributes['host.name'], ''),
        nullIf(LogAttributes['host.name'], ''),
        nullIf(LogAttributes['hostname'], ''),
        nullIf(extract(Body, '^[A-Z][a-z]{2} +\\d+ [\\d:]{8} (\\S+) kernel:'), ''),
        ''
    ) AS node,
    toInt32(SeverityNumber) AS severity,
    Body AS body
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND ResourceAttributes['k8s.container.name'] = ''
    AND (
        LogAttributes['syslog.identifier'] = 'kernel'
        OR LogAttributes['SYSLOG_IDENTIFIER'] = 'kernel'
        OR LogAttributes['_TRANSPORT'] = 'kernel'
        OR LogAttributes['log.file.name'] IN ('kmsg', 'dmesg', 'kern.log', 'syslog', 'messages', 'fabricmanager.log')
        OR match(Body, 'NVRM: |nvidia-nvswitch\\d+: SXid|NVSwitch (non-)?fatal error| kernel: |oom-kill:constraint=|PCIe Bus Error: severity=|pcieport \\S+ AER: |knvlink[A-Z]|soft lockup - CPU|aborting fabric manager|nvidia-fabricmanager|in the multicast team request')
    )
