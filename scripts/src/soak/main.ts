import { parseArgs } from 'node:util';
import { describeMachine, toTable } from '../bench/report.ts';
import type { SoakReport } from './tpm-soak.ts';

const DEFAULT_QUOTES = 70_000;
const LEAST_QUOTES = 1_000;

interface Options {
  readonly quotes: number;
  readonly json: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stderr.write(`soak: ${options}\nusage: scripts/soak tpm [--quotes N] [--json]\n`);
    return 2;
  }
  const machine = describeMachine();
  try {
    const { soakTpm } = await import('./tpm-soak.ts');
    const say = (text: string) => process.stderr.write(`soak tpm: ${text}\n`);
    const report: SoakReport = await soakTpm({ quotes: options.quotes, say: (text) => void say(text) });
    const { figures, samples } = report;
    const results = figures.map(({ metric, value, unit, bar, pass }) => ({ metric, value, unit, bar, pass }));
    const document = JSON.stringify({ name: 'soak-tpm', machine, results, samples });
    process.stdout.write(`${options.json ? document : toTable('soak tpm', machine, figures)}\n`);
    return figures.some(({ pass }) => pass === false) ? 1 : 0;
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`soak: cannot run: ${reason}\n`);
    return 3;
  }
}

function readOptions(argv: string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, quotes: { type: 'string' } },
    });
    if (positionals.join() !== 'tpm') return 'say what: tpm';
    const quotes = values.quotes === undefined ? DEFAULT_QUOTES : Number(values.quotes);
    if (!Number.isSafeInteger(quotes) || quotes < LEAST_QUOTES) return `--quotes takes a number from ${LEAST_QUOTES}`;
    return { quotes, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
