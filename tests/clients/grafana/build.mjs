// One file of everything, ask.cjs: Grafana's packages are made for a bundler.
import { build } from 'esbuild';

const assets = ['.svg', '.png', '.gif', '.woff', '.woff2', '.ttf'];
await build({
  entryPoints: ['ask.js'], bundle: true, platform: 'node', format: 'cjs', outfile: 'node_modules/.bundle/ask.cjs', logLevel: 'error',
  loader: { ...Object.fromEntries(assets.map((kind) => [kind, 'text'])), '.css': 'empty', '.scss': 'empty' },
});
