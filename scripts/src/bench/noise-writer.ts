import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `noise-writer.ts ROOT`: writes 5,000 times a second into log and cache files below a container's root until it is
 * ended. 95 of 100 writes append to one of 1,000 files, 5 make a new one.
 */
const PER_SECOND = 5_000;
const FILES = 1_000;
const NEW_EVERY = 20;
const TICK_MS = 10;
const LINE = Buffer.from('2026-01-01T00:00:00Z info request served in 3 ms\n');

const root = process.argv[2] ?? '';
const paths = Array.from({ length: FILES }, (_, at) =>
  join(root, at % 2 === 0 ? `var/log/bench/${at}.log` : `var/cache/bench/${at}.dat`),
);
for (const directory of ['var/log/bench', 'var/cache/bench']) mkdirSync(join(root, directory), { recursive: true });
for (const path of paths) writeFileSync(path, LINE);
process.send?.('ready');

const start = performance.now();
let written = 0;
setInterval(() => {
  const due = ((performance.now() - start) * PER_SECOND) / 1000;
  for (; written < due; written += 1) writeOnce(written);
  process.send?.(written);
}, TICK_MS);

function writeOnce(at: number): void {
  const isNew = at % NEW_EVERY === 0;
  const path = isNew ? join(root, `var/cache/bench/new-${at}.dat`) : (paths[at % FILES] ?? '');
  const file = openSync(path, 'a');
  writeSync(file, LINE);
  closeSync(file);
}
