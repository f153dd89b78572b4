import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type NamedProcess, nameProcess } from './named-process.ts';

/** The checkout that this file is part of. */
export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** How long a service may take from its start to the line that says it is ready. */
const START_MS = 60_000;

export interface HoldfastProcess {
  readonly process: NamedProcess;
  readonly listenAddress: string;
}

/** Starts `holdfast WORDS --json`, detached from this process, and waits for the line that says where it listens. */
export async function startHoldfast(
  words: readonly string[],
  logFile: string,
  command = `${CHECKOUT}/scripts/holdfast`,
): Promise<HoldfastProcess> {
  const name = words[0] ?? '';
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(command, [...words, '--json'], {
    stdio: ['ignore', 'pipe', log],
    detached: true,
  });
  const line = await readFirstLine(child, name, logFile);
  child.stdout?.destroy();
  child.unref();
  const announced: unknown = JSON.parse(line);
  const address =
    typeof announced === 'object' && announced !== null && 'listenAddress' in announced
      ? announced.listenAddress
      : null;
  if (typeof address !== 'string') throw new Error(`holdfast ${name} announced no address: ${line}`);
  return { process: await nameProcess(name, child.pid), listenAddress: address };
}

async function readFirstLine(child: ChildProcess, name: string, logFile: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    let text = '';
    const fail = (what: string) => {
      clearTimeout(timer);
      void describeFailure(name, what, logFile).then(reject, reject);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`was not ready within ${START_MS / 1000} s`);
    }, START_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`ended (${signal ?? `exit ${code}`})`));
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(text.slice(0, end));
    });
  });
}

async function describeFailure(name: string, what: string, logFile: string): Promise<Error> {
  const log = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
  return new Error(`holdfast ${name} ${what}${log === '' ? '' : `:\n${log}`}`);
}
