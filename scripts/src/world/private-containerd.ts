import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canConnect } from './can-connect.ts';
import { isRunning, killProcess, type NamedProcess, nameProcess, stopProcess } from './named-process.ts';
import { removeNamespaceTraces } from './namespace-traces.ts';
import { runTool } from './run-tool.ts';

export interface PrivateContainerd {
  /** Its socket. */
  readonly address: string;
  /** Root, state, socket and log lie below it. */
  readonly directory: string;
  readonly process: NamedProcess;
}

const START_MS = 30_000;

export interface PrivateContainerdOptions {
  /** Serve the Kubernetes container runtime interface too; sandboxes are made of this image. No pod networks. */
  readonly sandboxImage?: string;
}

/** Starts a containerd with its own root, state and socket below `directory`, detached, without CRI unless asked for. */
export async function startPrivateContainerd(
  directory: string,
  options: PrivateContainerdOptions = {},
): Promise<PrivateContainerd> {
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const address = join(directory, 'containerd.sock');
  const config = join(directory, 'config.toml');
  await writeFile(config, formatConfig(directory, address, options.sandboxImage));
  const child = spawn('containerd', ['--config', config], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  const named = await nameProcess('containerd', child.pid);
  child.unref();
  const deadline = Date.now() + START_MS;
  while (!(await canConnect(address))) {
    if (!(await isRunning(named))) throw new Error('containerd ended before it opened its socket');
    if (Date.now() > deadline) throw new Error(`containerd opened no socket within ${START_MS / 1000} s`);
    await delay(50);
  }
  return { address, directory, process: named };
}

function formatConfig(directory: string, address: string, sandboxImage: string | undefined): string {
  const disabled = [
    ...(sandboxImage === undefined ? ['grpc.v1.cri'] : []),
    'snapshotter.v1.aufs',
    'snapshotter.v1.btrfs',
    'snapshotter.v1.zfs',
    'internal.v1.opt',
  ];
  return `version = 2
root = "${join(directory, 'root')}"
state = "${join(directory, 'state')}"
disabled_plugins = [${disabled.map((name) => `"io.containerd.${name}"`).join(', ')}]
[grpc]
address = "${address}"
${sandboxImage === undefined ? '' : formatCri(directory, sandboxImage)}`;
}

function formatCri(directory: string, sandboxImage: string): string {
  return `[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${sandboxImage}"
stream_server_address = "127.0.0.1"
stream_server_port = "0"
disable_apparmor = true
restrict_oom_score_adj = true
disable_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${join(directory, 'cni-bin')}"
conf_dir = "${join(directory, 'cni-conf')}"
`;
}

/** Ends its containers, shims and the daemon, unmounts what they mounted and removes the directory. */
export async function stopPrivateContainerd(containerd: PrivateContainerd): Promise<void> {
  const namespaces = await readdir(join(containerd.directory, 'state/io.containerd.runtime.v2.task')).catch(() => []);
  if (await isRunning(containerd.process)) await removeAllTasks(containerd.address, namespaces).catch(() => undefined);
  await stopProcess(containerd.process);
  await killContainerProcesses(containerd.directory);
  await killShims(containerd.address);
  await unmountBelow(containerd.directory);
  for (const namespace of namespaces) await removeNamespaceTraces(namespace);
  // Containers may leave paths behind that are longer than any system call takes: rm(1) walks, node does not.
  await runTool('rm', ['-rf', containerd.directory]);
}

async function removeAllTasks(address: string, namespaces: readonly string[]): Promise<void> {
  const list = async (args: string[]) =>
    (await runTool('ctr', ['--address', address, ...args])).toString().split('\n').filter(Boolean);
  for (const namespace of namespaces) {
    for (const id of await list(['--namespace', namespace, 'tasks', 'ls', '-q'])) {
      await list(['--namespace', namespace, 'tasks', 'rm', '--force', id]).catch(() => undefined);
    }
  }
}

/** Processes of its containers outlive a daemon that was killed; their root names its directory. */
async function killContainerProcesses(directory: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
    const root = mounts.split('\n').find((line) => line.split(' ')[4] === '/');
    if (root?.includes(`upperdir=${directory}/`) !== true) continue;
    const named = await nameProcess('container', Number(pid)).catch(() => null);
    if (named !== null) await killProcess(named);
  }
}

/** Shims outlive their daemon; those of this one carry its socket among their arguments. */
async function killShims(address: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!args[0]?.includes('containerd-shim') || !args.includes(address)) continue;
    const shim = await nameProcess('shim', Number(pid)).catch(() => null);
    if (shim !== null) await stopProcess(shim);
  }
}

/**
 * Takes away every mount below a directory, the innermost first. Throws when one stays: what lies under a mount may be
 * anybody's, and is not to be removed with the directory.
 */
async function unmountBelow(directory: string): Promise<void> {
  for (const point of (await listMountsBelow(directory)).reverse()) {
    await runTool('umount', ['--lazy', point]).catch(() => undefined);
  }
  const [left] = await listMountsBelow(directory);
  if (left !== undefined) throw new Error(`${left} is still mounted; ${directory} is left as it is`);
}

async function listMountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${directory}/`));
}
