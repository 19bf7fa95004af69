// Asks a Prometheus API what Grafana's own Prometheus data source asks, with Grafana's own code:
// node ask.cjs BASE METRIC LABEL START END, times in milliseconds. Prints what it got and every call it made.
const { dateTime } = require('@grafana/data');
const { PrometheusDatasource } = require('@grafana/prometheus');
const { setBackendSrv, setTemplateSrv } = require('@grafana/runtime');
const { from } = require('rxjs');

const [base, metric, label, start, end] = process.argv.slice(2);
const calls = [];

// Grafana's back end passes resource calls on to the data source's URL as they are.
const RESOURCES = '/api/datasources/uid/metrics/resources/';
async function passedOn(request) {
  const { url, method = 'GET', params, data } = request;
  if (!url.startsWith(RESOURCES)) throw new Error(`not a resource call: ${url}`);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...params, ...(method === 'POST' ? data : {}) })) {
    for (const each of [value].flat()) if (each !== undefined) form.append(name, String(each));
  }
  const path = url.slice(RESOURCES.length);
  const posted = method === 'POST';
  const target = `${base}/${path}${posted || !form.size ? '' : `${path.includes('?') ? '&' : '?'}${form}`}`;
  const answer = await fetch(target, posted ? { method, body: form } : {});
  const body = await answer.json();
  calls.push({ method, path: path.split('?')[0], status: answer.status });
  if (!answer.ok) throw { status: answer.status, data: body };
  return { status: answer.status, ok: true, data: body, headers: answer.headers, config: request, url: target };
}
setBackendSrv({ fetch: (request) => from(passedOn(request)), get: (url, params) => passedOn({ url, params }).then((a) => a.data) });
setTemplateSrv({ replace: (text) => text ?? '', getVariables: () => [], containsTemplate: () => false, updateTimeRange() {}, getAdhocFilters: () => [] });

const range = { from: dateTime(Number(start)), to: dateTime(Number(end)) };
range.raw = { from: range.from, to: range.to };
const source = new PrometheusDatasource({
  id: 1, uid: 'metrics', type: 'prometheus', name: 'metrics', access: 'proxy', url: base, readOnly: false, meta: { id: 'prometheus' },
  jsonData: { httpMethod: 'POST', prometheusType: 'Prometheus', prometheusVersion: '3.5.0' },
});
(async () => {
await source.init();
await source.languageProvider.start(range);
const told = {
  exemplars: source.exemplarsAvailable,
  metrics: source.languageProvider.retrieveMetrics(),
  metadata: source.languageProvider.retrieveMetricsMetadata(),
  labels: source.languageProvider.retrieveLabelKeys(),
  values: await source.metricFindQuery(`label_values(${metric}, ${label})`, { range }),
  names: await source.metricFindQuery(`metrics(${metric.slice(0, 4)}.*)`, { range }),
  series: await source.metricFindQuery(metric, { range }),
  result: await source.metricFindQuery(`query_result(sum by (${label}) (${metric}))`, { range }),
  keys: await source.getTagKeys({ timeRange: range, filters: [], queries: [] }),
  tags: await source.getTagValues({ key: label, timeRange: range, filters: [], queries: [] }),
};
process.stdout.write(JSON.stringify({ told, calls }));
process.exit(0);
})();
