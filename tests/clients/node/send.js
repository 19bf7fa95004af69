// Sends what a description says with OpenTelemetry's SDK for Node:
// node send.js http/protobuf|http/json|grpc ENDPOINT INSTANCE < telemetry.json
import { readFileSync } from 'node:fs';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, ValueType, createTraceState, diag, DiagConsoleLogger, DiagLogLevel, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { AggregationTemporalityPreference } from '@opentelemetry/exporter-metrics-otlp-http';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader, createAllowListAttributesProcessor } from '@opentelemetry/sdk-metrics';

const [protocol, endpoint, instance] = process.argv.slice(2);
const said = JSON.parse(readFileSync(0, 'utf8'));
const kind = { 'http/protobuf': 'proto', 'http/json': 'http', grpc: 'grpc' }[protocol];

// Whatever fails to be sent must fail the test, and not be a line in a log.
const console_ = new DiagConsoleLogger();
const failed = (...words) => { console_.error(...words); process.exitCode = 1; };
diag.setLogger({ ...console_, error: failed, warn: () => {}, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.ERROR);

const exporter = async (signal, name, options = {}) => {
  const module = await import(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
  const path = kind === 'grpc' ? '' : `/v1/${signal === 'trace' ? 'traces' : signal}`;
  return new module[name]({ url: endpoint + path, timeoutMillis: 20_000, ...options });
};

const bytes = (value) => Object.keys(value).length === 1 && 'base64' in value;
const revived = (value) => {
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== 'object') return value;
  if (bytes(value)) return new Uint8Array(Buffer.from(value.base64, 'base64'));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revived(item)]));
};
const time = (nanos) => [Number(BigInt(nanos) / 1_000_000_000n), Number(BigInt(nanos) % 1_000_000_000n)];
const spanContext = ({ trace_id, span_id, trace_state, remote }) => ({
  traceId: trace_id,
  spanId: span_id,
  traceFlags: TraceFlags.SAMPLED,
  isRemote: Boolean(remote),
  traceState: trace_state ? createTraceState(trace_state) : undefined,
});
const within = (parent) => trace.setSpanContext(ROOT_CONTEXT, spanContext(parent));
const { scope, limits } = said;
const resource = resourceFromAttributes(
  { ...said.resource.attributes, 'service.instance.id': instance },
  { schemaUrl: said.resource.schema_url },
);

async function spans() {
  const ids = [];
  const provider = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: await exporter('trace', 'OTLPTraceExporter') })],
    spanLimits: { attributeCountLimit: limits.attributes, eventCountLimit: limits.events, linkCountLimit: limits.links },
    idGenerator: { generateTraceId: () => ids[0], generateSpanId: () => ids[1] },
  });
  const tracer = provider.getTracer(scope.name, scope.version, { schemaUrl: scope.schema_url });
  for (const span of said.spans) {
    ids.splice(0, 2, span.trace_id, span.span_id);
    const parent = span.remote_parent ? { ...span.remote_parent, remote: true } : span.local_parent;
    const options = {
      kind: SpanKind[span.kind.toUpperCase()],
      startTime: time(span.start),
      attributes: span.attributes,
      links: span.links.map((link) => ({ context: spanContext(link), attributes: link.attributes })),
    };
    const running = tracer.startSpan(span.name, options, parent ? within({ trace_id: span.trace_id, ...parent }) : ROOT_CONTEXT);
    for (const event of span.events) running.addEvent(event.name, event.attributes, time(event.time));
    running.setStatus({ code: SpanStatusCode[span.status.code.toUpperCase()], message: span.status.message });
    running.end(time(span.end));
  }
  await provider.forceFlush();
  await provider.shutdown();
}

async function logs() {
  const provider = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: await exporter('logs', 'OTLPLogExporter') })],
    logRecordLimits: { attributeCountLimit: limits.attributes },
  });
  const logger = provider.getLogger(scope.name, scope.version, { schemaUrl: scope.schema_url, attributes: scope.attributes });
  for (const record of said.logs) {
    logger.emit({
      timestamp: time(record.time),
      observedTimestamp: time(record.observed),
      severityNumber: record.severity_number,
      severityText: record.severity_text,
      eventName: record.event_name,
      body: revived(record.body),
      attributes: revived(record.attributes),
      context: record.context ? within(record.context) : ROOT_CONTEXT,
    });
  }
  await provider.forceFlush();
  await provider.shutdown();
}

function view(instrument) {
  const out = { instrumentName: instrument.name };
  if (instrument.left_out) out.attributesProcessors = [createAllowListAttributesProcessor(Object.keys(instrument.attributes))];
  if (instrument.boundaries) out.aggregation = { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: instrument.boundaries } };
  if (instrument.exponential) out.aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: instrument.exponential.max_size } };
  return out;
}

async function metrics(temporality) {
  const { instruments, context } = said.metrics;
  const reader = new PeriodicExportingMetricReader({
    exporter: await exporter('metrics', 'OTLPMetricExporter', {
      temporalityPreference: AggregationTemporalityPreference[temporality.toUpperCase()],
    }),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({ resource, readers: [reader], views: instruments.map(view) });
  const meter = provider.getMeter(`${scope.name}.${temporality}`, scope.version, { schemaUrl: scope.schema_url });
  const made = {
    counter: (...how) => { const it = meter.createCounter(...how); return (...what) => it.add(...what); },
    up_down_counter: (...how) => { const it = meter.createUpDownCounter(...how); return (...what) => it.add(...what); },
    histogram: (...how) => { const it = meter.createHistogram(...how); return (...what) => it.record(...what); },
    gauge: (...how) => { const it = meter.createGauge(...how); return (...what) => it.record(...what); },
    observable_counter: (...how) => meter.createObservableCounter(...how),
    observable_up_down_counter: (...how) => meter.createObservableUpDownCounter(...how),
    observable_gauge: (...how) => meter.createObservableGauge(...how),
  };
  let round = 0;
  const recorders = instruments.map((one) => {
    const options = { unit: one.unit, description: one.description, valueType: ValueType[one.number.toUpperCase()] };
    const it = made[one.instrument](one.name, options);
    if (typeof it === 'function') return (value) => it(value, { ...one.attributes, ...one.left_out }, within(context));
    it.addCallback((result) => result.observe(one.rounds[round][0], one.attributes));
    return () => {};
  });
  for (round = 0; round < 2; round++) {
    instruments.forEach((one, n) => one.rounds[round].forEach((value) => recorders[n](value)));
    await provider.forceFlush();
  }
  // No shutdown: it would collect and send once more.
}

await spans();
await logs();
await metrics('cumulative');
await metrics('delta');
process.exit(process.exitCode ?? 0);
