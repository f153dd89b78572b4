import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEventLog, parseImaList, replayEventLog } from '@holdfast/evidence';
import { CHECKOUT } from '../world/holdfast-process.ts';
import type { BenchContext } from './bench-context.ts';
import { type Figure, note } from './figure.ts';
import { interleave, median } from './sampling.ts';

const LOGS = join(CHECKOUT, 'test/vectors/event-logs');
const IMA = join(CHECKOUT, 'test/vectors/measured-boot/plain-uki/ima_after');
const MIB = 1024 * 1024;

/** Parse and replay, every bank, of the real event logs among the test vectors; and parsing of a real IMA list. */
export async function benchBootlog(context: BenchContext): Promise<Figure[]> {
  const logs = await readLogs();
  const ima = await readFile(IMA);
  const rounds = context.isQuick ? 20 : 200;
  const rates = await interleave(
    {
      eventLog: async () => measureMibRate(logs, rounds, (log) => void replayEventLog(parseEventLog(log))),
      ima: async () => measureMibRate([ima], rounds * 10, (list) => void parseImaList(list)),
    },
    9,
  );
  return [
    note('event logs, parse and replay', median(rates.eventLog), 'MiB/s'),
    note('IMA list, parse', median(rates.ima), 'MiB/s'),
  ];
}

/** Those that replay: a log that is to be refused beside them is none to measure. */
async function readLogs(): Promise<Buffer[]> {
  const names = (await readdir(LOGS)).filter((name) => name.endsWith('.bin')).toSorted();
  const logs = await Promise.all(names.map((name) => readFile(join(LOGS, name))));
  return logs.filter((log) => log.length > 1024);
}

function measureMibRate(inputs: readonly Buffer[], rounds: number, work: (input: Buffer) => void): number {
  const start = performance.now();
  for (let round = 0; round < rounds; round += 1) for (const input of inputs) work(input);
  const bytes = inputs.reduce((sum, { length }) => sum + length, 0) * rounds;
  return (bytes / MIB / (performance.now() - start)) * 1000;
}
