import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runTool, ToolError } from '../world/run-tool.ts';
import { MARKER } from './images.ts';

export interface StartedContainer {
  readonly id: string;
  readonly namespace: string;
}

/** The runtime as this quickstart uses it: one socket, one namespace of its own. */
export interface Runtime {
  readonly address: string;
  readonly namespace: string;
  /** Where archives may be written on the way. */
  readonly scratch: string;
}

async function ctr(runtime: Runtime, args: readonly string[], input?: Uint8Array): Promise<string> {
  const options = input === undefined ? {} : { input };
  const all = ['--address', runtime.address, '--namespace', runtime.namespace, ...args];
  return (await runTool('ctr', all, options)).toString();
}

/** Imports an OCI layout; every image in it gets the name BASE@DIGEST beside its own. */
export async function importLayout(runtime: Runtime, layout: string, base: string): Promise<void> {
  const archive = join(runtime.scratch, `${randomBytes(6).toString('hex')}.tar`);
  try {
    await runTool('tar', ['-cf', archive, '-C', layout, '.']);
    await ctr(runtime, ['images', 'import', '--digests', '--base-name', base, archive]);
  } finally {
    await rm(archive, { force: true });
  }
}

/** Starts a container; without arguments it runs what its image says. */
export async function startContainer(
  runtime: Runtime,
  image: string,
  label: string,
  args: readonly string[],
): Promise<StartedContainer> {
  const id = `${label}-${randomBytes(3).toString('hex')}`;
  await ctr(runtime, ['run', '--detach', image, id, ...args]);
  return { id, namespace: runtime.namespace };
}

/** Starts somebody's image: with its own command, or idle where that command ends by itself. */
export async function startForeignContainer(runtime: Runtime, image: string): Promise<StartedContainer> {
  const commands = [[], ['sleep', 'infinity'], ['sh', '-c', 'while :; do sleep 3600; done']];
  let reason = '';
  for (const args of commands) {
    const started = await startContainer(runtime, image, 'yours', args).catch((error: unknown) => {
      if (!(error instanceof ToolError)) throw error;
      reason = error.message;
      return null;
    });
    await delay(started === null ? 0 : 1500);
    if (started !== null && (await isContainerRunning(runtime, started.id))) return started;
    if (started !== null) await ctr(runtime, ['tasks', 'rm', '--force', started.id]).catch(() => undefined);
  }
  throw new Error(`your image does not stay up: neither its own command, nor sleep, nor a shell. ${reason}`);
}

async function isContainerRunning(runtime: Runtime, id: string): Promise<boolean> {
  const rows = (await ctr(runtime, ['tasks', 'ls'])).split('\n').map((line) => line.split(/\s+/));
  return rows.some(([name, , status]) => name === id && status === 'RUNNING');
}

/** Runs a command inside, with bytes for its standard input. */
async function execInside(
  runtime: Runtime,
  container: StartedContainer,
  args: readonly string[],
  input?: Uint8Array,
): Promise<string> {
  const execId = randomBytes(6).toString('hex');
  return await ctr(runtime, ['tasks', 'exec', '--exec-id', execId, container.id, ...args], input);
}

/** Removes containers and the images of a namespace from a runtime that is not ours to stop. */
export async function clearNamespace(runtime: Runtime): Promise<void> {
  const names = async (args: string[]) => (await ctr(runtime, args)).split('\n').filter(Boolean);
  for (const id of await names(['tasks', 'ls', '-q'])) await ctr(runtime, ['tasks', 'rm', '--force', id]);
  for (const id of await names(['containers', 'ls', '-q'])) await ctr(runtime, ['containers', 'rm', id]);
  for (const image of await names(['images', 'ls', '-q'])) await ctr(runtime, ['images', 'rm', '--sync', image]);
  await delay(200);
  await runTool('ctr', ['--address', runtime.address, 'namespaces', 'rm', runtime.namespace]);
}

/** Installs a Debian package inside, as an intruder or a hurried admin would. */
export async function installPackage(runtime: Runtime, container: StartedContainer, file: string): Promise<void> {
  const script = ['cat >/tmp/added.deb', 'dpkg --install /tmp/added.deb', 'rm /tmp/added.deb'];
  await changeInside(runtime, container, script, await readFile(file));
}

/** Replaces a shared library that a package owns by one of other content; no package database is touched. */
export async function replaceLibrary(runtime: Runtime, container: StartedContainer): Promise<void> {
  const script = [
    'lib=$(readlink -f /lib/*/libz.so.1)',
    'cp "$lib" "$lib.new"',
    'printf "\\0" >>"$lib.new"',
    'mv "$lib.new" "$lib"',
  ];
  await changeInside(runtime, container, script);
}

/** Runs a script inside, which first makes sure that it is: where runtimes are nested, an exec can land on the host. */
async function changeInside(
  runtime: Runtime,
  container: StartedContainer,
  script: readonly string[],
  input?: Uint8Array,
): Promise<void> {
  const guard = `[ -e ${MARKER} ] || { echo "this is not the container; nothing was changed" >&2; exit 9; }`;
  await execInside(runtime, container, ['sh', '-c', ['set -e', guard, ...script].join('\n')], input);
}
