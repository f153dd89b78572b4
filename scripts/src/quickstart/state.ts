import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { isRunning, type NamedProcess, stopProcess } from '../world/named-process.ts';
import { removeNamespaceTraces } from '../world/namespace-traces.ts';
import { type PrivateContainerd, stopPrivateContainerd } from '../world/private-containerd.ts';
import { clearNamespace, type Runtime } from './containers.ts';

/** Everything of a run that outlives a line of code: enough to take it down from another process. */
export interface QuickstartState {
  /** Everything private lies below it. */
  directory: string;
  /** In the order of their start. */
  processes: NamedProcess[];
  /** Ours, to be stopped. */
  containerd: PrivateContainerd | null;
  /** A namespace of ours in somebody else's containerd. */
  borrowed: Runtime | null;
}

const FOLDER = join(CHECKOUT, '.holdfast');
const STATE_FILE = join(FOLDER, 'quickstart.json');
export const CONFIG_FILE = join(FOLDER, 'config.json');

/** The containerd namespace of a run, alone of its kind. */
export function namespaceOf(state: QuickstartState): string {
  return `holdfast-${state.directory.slice(-6).toLowerCase()}`;
}

/** Takes everything of a run down: processes last started first, then the runtime, then the files. */
export async function takeDown(state: QuickstartState, report: (text: string) => void): Promise<void> {
  const step = async (name: string, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      report(`could not ${name}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };
  for (const named of state.processes.toReversed()) await step(`stop ${named.name}`, () => stopProcess(named));
  const { borrowed, containerd } = state;
  if (borrowed !== null) await step('clear the namespace', () => clearNamespace(borrowed));
  const isDown = containerd === null || (await step('stop containerd', () => stopPrivateContainerd(containerd)));
  await step('remove its control groups', () => removeNamespaceTraces(namespaceOf(state)));
  // With something still mounted below, what would be removed may not be ours.
  if (!isDown) return;
  await step('remove the files', () => rm(state.directory, { recursive: true, force: true, maxRetries: 5 }));
}

/** Keeps the state of a run that stays up, and the settings that find it. */
export async function keepState(state: QuickstartState, config: object): Promise<void> {
  await mkdir(FOLDER, { recursive: true, mode: 0o700 });
  await writeFile(STATE_FILE, JSON.stringify(state, null, 2), { mode: 0o600 });
  await writeFile(CONFIG_FILE, JSON.stringify(config, null, 2), { mode: 0o600 });
}

/** The state of a run that was kept, null where there is none. */
export async function readKeptState(): Promise<QuickstartState | null> {
  const text = await readFile(STATE_FILE, 'utf8').catch(() => null);
  if (text === null) return null;
  // Written by keepState with mode 0600 in a folder of ours.
  const state: QuickstartState = JSON.parse(text);
  return state;
}

export async function isKeptRunRunning(state: QuickstartState): Promise<boolean> {
  for (const named of state.processes) if (await isRunning(named)) return true;
  return false;
}

/** Forgets a kept run: its settings and its state. */
export async function dropKeptState(): Promise<void> {
  await rm(STATE_FILE, { force: true });
  await rm(CONFIG_FILE, { force: true });
}
