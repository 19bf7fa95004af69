// The page that Grafana's code believes to run in. Loaded before the bundle: modules look at globals as they load.
const { JSDOM } = require('jsdom');
const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://127.0.0.1/', pretendToBeVisual: true });
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) Object.defineProperty(globalThis, name, { configurable: true, get: () => window[name] });
}
for (const name of ['Event', 'CustomEvent', 'EventTarget', 'MessageEvent']) globalThis[name] = window[name];
globalThis.window = globalThis;
globalThis.self = globalThis;
globalThis.matchMedia = () => ({ matches: false, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} });
globalThis.ResizeObserver = class { observe() {} unobserve() {} disconnect() {} };
globalThis.IntersectionObserver = class { observe() {} unobserve() {} disconnect() {} };
globalThis.grafanaBootData = { settings: { buildInfo: { version: '13.1.1', env: 'production' }, featureToggles: {}, datasources: {}, apps: {} }, user: { orgId: 1 }, navTree: [] };
