import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** One process for good: a pid alone may belong to another by the time it is used. */
export interface NamedProcess {
  readonly name: string;
  readonly pid: number;
  /** Clock ticks between boot and its start, from /proc/PID/stat. */
  readonly startTime: string;
}

const STOP_MS = 20_000;

/** Names a process that runs now. */
export async function nameProcess(name: string, pid: number | undefined): Promise<NamedProcess> {
  const stat = pid === undefined ? null : await readStat(pid);
  if (pid === undefined || stat === null) throw new Error(`${name} ended at once`);
  return { name, pid, startTime: stat.startTime };
}

/** True while this very process runs. */
export async function isRunning(named: NamedProcess): Promise<boolean> {
  const stat = await readStat(named.pid);
  return stat !== null && stat.startTime === named.startTime && stat.state !== 'Z';
}

/** Asks one process to end, waits, and insists. Another process under the same pid is left alone. */
export async function stopProcess(named: NamedProcess): Promise<void> {
  if (!(await isRunning(named))) return;
  process.kill(named.pid, 'SIGTERM');
  const deadline = Date.now() + STOP_MS;
  while (await isRunning(named)) {
    if (Date.now() > deadline) process.kill(named.pid, 'SIGKILL');
    await delay(25);
  }
}

/** Ends one process at once, as a crash would, and waits until it is gone. */
export async function killProcess(named: NamedProcess): Promise<void> {
  if (await isRunning(named)) process.kill(named.pid, 'SIGKILL');
  while (await isRunning(named)) await delay(10);
}

async function readStat(pid: number): Promise<{ state: string; startTime: string } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name in parentheses may hold spaces and parentheses of its own.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}
