import { parseArgs } from 'node:util';
import type { Check, Journey, Suite, SuiteContext } from './suite.ts';
import { SUITES } from './suites.ts';
import { createVmWorld, type VmWorld } from './vm-world.ts';

interface Options {
  readonly suites: readonly Suite[];
  readonly list: boolean;
  readonly json: boolean;
  readonly keep: boolean;
}

interface SuiteReport {
  readonly name: string;
  readonly title: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly checks: readonly Check[];
  readonly error?: string;
}

const note = (text: string): void => {
  process.stderr.write(`test-vm: ${text}\n`);
};

class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    note(`${options}; suites are ${SUITES.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  if (options.list) {
    for (const { name, title } of SUITES) process.stdout.write(`${name.padEnd(14)}${title}\n`);
    return 0;
  }
  return await runAll(options);
}

function readOptions(args: string[]): Options | string {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { list: flag, json: flag, keep: flag },
    });
    const unknown = positionals.find((name) => !SUITES.some((suite) => suite.name === name));
    return unknown === undefined ? { ...values, suites: chooseSuites(positionals) } : `there is no suite ${unknown}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The named ones and what they need, in their fixed order. */
function chooseSuites(names: readonly string[]): Suite[] {
  const wanted = new Set(names.length === 0 ? SUITES.map(({ name }) => name) : names);
  for (const { name, needs } of SUITES.toReversed()) if (wanted.has(name)) for (const need of needs) wanted.add(need);
  return SUITES.filter(({ name }) => wanted.has(name));
}

async function runAll(options: Options): Promise<number> {
  const start = performance.now();
  const interruption = listenForInterruption();
  const opening = createVmWorld(note);
  try {
    const world = await Promise.race([opening, interruption]);
    const setupSeconds = secondsSince(start);
    const reports: SuiteReport[] = [];
    await Promise.race([runSuites(options.suites, world, reports), interruption]);
    return report(options, reports, { setupSeconds, totalSeconds: secondsSince(start) });
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    return error instanceof InterruptedError ? 130 : 3;
  } finally {
    // An interrupted start is waited for, so that what it started is ended.
    const world = await opening.catch(() => null);
    await world?.close(options.keep);
    if (options.keep && world !== null) note(`consoles and logs are in ${world.directory}`);
  }
}

async function runSuites(suites: readonly Suite[], world: VmWorld, reports: SuiteReport[]): Promise<void> {
  const journey: Journey = { enrolled: null, guest: null };
  for (const suite of suites) {
    const failed = suite.needs.find((name) => reports.some((one) => one.name === name && one.error !== undefined));
    reports.push(failed === undefined ? await runSuite(suite, world, journey) : skipSuite(suite, failed));
  }
}

/** A suite whose steps throw has failed; the others still run. */
async function runSuite(suite: Suite, world: VmWorld, journey: Journey): Promise<SuiteReport> {
  const start = performance.now();
  const checks: Check[] = [];
  note(`== ${suite.name}: ${suite.title}`);
  const context: SuiteContext = {
    world,
    journey,
    step: note,
    check: (text, pass, seen) => {
      checks.push({ text, pass, ...(seen === undefined || seen === '' ? {} : { seen }) });
      note(`  ${pass ? 'ok  ' : 'FAIL'}  ${text}${seen === undefined || seen === '' ? '' : ` (${seen.trim()})`}`);
    },
  };
  let error: string | undefined;
  try {
    await suite.run(context);
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
    note(`  FAIL  ${error}`);
    // What state it is in nobody knows; the next suite switches it on anew.
    await journey.guest?.pullPlug();
    journey.guest = null;
  }
  const passed = error === undefined && checks.length > 0 && checks.every(({ pass }) => pass);
  const { name, title } = suite;
  return { name, title, passed, seconds: secondsSince(start), checks, ...(error === undefined ? {} : { error }) };
}

/** What a suite builds upon is not there: it failed without having been tried. */
function skipSuite({ name, title }: Suite, failed: string): SuiteReport {
  const error = `not run, since ${failed} did not end`;
  note(`== ${name}: ${error}`);
  return { name, title, passed: false, seconds: 0, checks: [], error };
}

interface Timings {
  readonly setupSeconds: number;
  readonly totalSeconds: number;
}

function report(options: Options, suites: readonly SuiteReport[], timings: Timings): number {
  const passed = suites.every((suite) => suite.passed);
  if (options.json) process.stdout.write(`${JSON.stringify({ passed, suites, timings })}\n`);
  else {
    for (const { name, passed: good, checks, seconds } of suites) {
      process.stdout.write(`${good ? 'ok  ' : 'FAIL'}  ${name.padEnd(14)}${checks.length} checks, ${seconds} s\n`);
    }
    process.stdout.write(`${passed ? 'passed' : 'failed'} in ${timings.totalSeconds} s\n`);
  }
  return passed ? 0 : 1;
}

function listenForInterruption(): Promise<never> {
  const interruption = new Promise<never>((_, reject) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => reject(new InterruptedError('interrupted; taking everything down')));
    }
  });
  // Nobody may be waiting when it comes.
  interruption.catch(() => undefined);
  return interruption;
}

function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 1000);
}
