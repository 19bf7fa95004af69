-- What watched Kubernetes objects say of themselves, one row per fact: conditions of pods and nodes, states and restarts
-- of containers, health of allocated devices (KEP-4680), taints. The k8sobjects receiver sends the object itself; watch
-- wraps it in {type, object}, pull does not and repeats it every interval, so readers compare with the row before.
-- https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/k8sobjectsreceiver and
-- https://kep.k8s.io/4680
--
-- Bodies are kept as JSON to a fixed depth (0014_landing.sql); what a container's state and its devices say lies deeper,
-- as base64 of OTLP's protobuf. There a key is followed by 0x12, a length, the tag of the value (0x0a text, 0x18 integer)
-- and, for text of up to 127 bytes, its length.
WITH
    (c, a) -> base64Decode(JSONExtractString(c, a, 'otlp_kvlist_value')) AS packed_state,
    (c, a, b) -> if(position(packed_state(c, a), b) > 0, packed_state(c, a), '') AS packed,
    (raw, key) -> extract(raw, concat(key, '\\x12[\\x00-\\x7f]\\x0a[\\x00-\\x7f]([ -~]+)')) AS text_in,
    (raw, key) -> extractAll(raw, concat(key, '\\x12[\\x00-\\x7f]\\x0a[\\x00-\\x7f]([ -~]+)')) AS texts_in,
    (raw, i) -> toFloat64(reinterpretAsUInt8(substring(raw, i, 1))) AS byte_at,
    (raw, i) -> if(byte_at(raw, i) < 128, byte_at(raw, i), byte_at(raw, i) - 128 + 128 * byte_at(raw, i + 1)) AS varint_at,
    (raw, key) -> if(position(raw, key) = 0, 0., varint_at(raw, position(raw, key) + length(key) + 3)) AS number_in,
    (c, a, b, key) -> coalesce(nullIf(JSONExtractString(c, a, b, key), ''), text_in(packed(c, a, b), key)) AS text_of,
    (c, a, b, key) -> if(JSONHas(c, a, b, key), JSONExtractFloat(c, a, b, key), number_in(packed(c, a, b), key)) AS number_of,
    c -> base64Decode(JSONExtractString(c, 'allocatedResourcesStatus', 'otlp_array_value')) AS packed_devices,
object AS
(
    SELECT Timestamp AS time, if(JSONHas(Body, 'object'), JSONExtractRaw(Body, 'object'), Body) AS o
    FROM otel_logs
    WHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
        AND LogAttributes['k8s.resource.name'] IN ('pods', 'nodes')
        AND JSONExtractString(Body, 'type') != 'DELETED'
),
read AS
(
    SELECT
        time,
        JSONExtractString(o, 'metadata', 'name') AS name,
        JSONExtractString(o, 'metadata', 'namespace') AS namespace,
        JSONExtractString(o, 'metadata', 'uid') AS uid,
        if(JSONHas(o, 'spec', 'nodeName') OR JSONHas(o, 'status', 'containerStatuses') OR JSONExtractString(o, 'kind') = 'Pod', 'Pod', 'Node') AS kind,
        if(kind = 'Node', name, JSONExtractString(o, 'spec', 'nodeName')) AS node,
        arrayConcat(
            JSONExtractArrayRaw(o, 'status', 'containerStatuses'), JSONExtractArrayRaw(o, 'status', 'initContainerStatuses')
        ) AS containers,
        arrayConcat(
            arrayMap(c -> ('condition', JSONExtractString(c, 'type'), JSONExtractString(c, 'status'), JSONExtractString(c, 'reason'), 0.),
                JSONExtractArrayRaw(o, 'status', 'conditions')),
            arrayMap(c -> ('restarts', JSONExtractString(c, 'name'), '', '', JSONExtractFloat(c, 'restartCount')), containers),
            arrayMap(c -> ('waiting', JSONExtractString(c, 'name'), text_of(c, 'state', 'waiting', 'reason'),
                substring(text_of(c, 'state', 'waiting', 'message'), 1, 200), 0.), containers),
            arrayMap(c -> ('terminated', JSONExtractString(c, 'name'),
                coalesce(nullIf(text_of(c, 'state', 'terminated', 'reason'), ''), text_of(c, 'lastState', 'terminated', 'reason')),
                '', if(text_of(c, 'state', 'terminated', 'reason') != '', number_of(c, 'state', 'terminated', 'exitCode'),
                number_of(c, 'lastState', 'terminated', 'exitCode'))), containers),
            arrayFlatten(arrayMap(c -> arrayMap(r -> ('device', JSONExtractString(r, 'resourceID'), JSONExtractString(r, 'health'),
                JSONExtractString(r, 'message'), 0.),
                arrayFlatten(arrayMap(a -> JSONExtractArrayRaw(a, 'resources'), JSONExtractArrayRaw(c, 'allocatedResourcesStatus')))), containers)),
            arrayFlatten(arrayMap(c -> arrayMap((id, i) -> ('device', id, texts_in(packed_devices(c), 'health')[i],
                texts_in(packed_devices(c), 'message')[i], 0.),
                texts_in(packed_devices(c), 'resourceID'), arrayEnumerate(texts_in(packed_devices(c), 'resourceID'))), containers)),
            arrayMap(t -> ('taint', JSONExtractString(t, 'key'), JSONExtractString(t, 'effect'), JSONExtractString(t, 'value'), 0.),
                JSONExtractArrayRaw(o, 'spec', 'taints')),
            if(kind = 'Node', [('cordon', '', if(JSONExtractBool(o, 'spec', 'unschedulable'), 'True', 'False'), '', 0.)], []),
            if(kind = 'Pod', [('phase', '', JSONExtractString(o, 'status', 'phase'), JSONExtractString(o, 'status', 'reason'), 0.)], [])
        ) AS facts
    FROM object
)
SELECT time, kind, name, namespace, uid, node, fact.1 AS what, fact.2 AS item, fact.3 AS state, fact.4 AS detail, fact.5 AS number
FROM read
ARRAY JOIN facts AS fact
WHERE fact.3 != '' OR fact.1 = 'restarts'
