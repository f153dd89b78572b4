import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type OciImage, type OciImageOptions, writeOciImage } from './oci-image.ts';

const run = promisify(execFile);

export interface RunOptions {
  readonly image: string;
  /** Default: a fresh one. */
  readonly id?: string;
  readonly namespace?: string;
  /** Replaces the image's own command. */
  readonly args?: readonly string[];
  /** Further flags of `ctr run`, such as `--read-only` or `--mount type=bind,…`. */
  readonly flags?: readonly string[];
}

export interface RunningContainer {
  readonly id: string;
  readonly namespace: string;
  readonly pid: number;
}

/** A containerd of our own: own root, state and socket below a temporary directory, no CRI, overlayfs. Needs root. */
export interface PrivateContainerd {
  readonly address: string;
  readonly directory: string;
  /** The namespace used where none is given. */
  readonly namespace: string;
  ctr(args: readonly string[], namespace?: string): Promise<string>;
  /** Writes the image as an OCI layout and imports it. */
  addImage(options: OciImageOptions, namespace?: string): Promise<OciImage>;
  importLayout(layout: string, namespace?: string): Promise<void>;
  run(options: RunOptions): Promise<RunningContainer>;
  /** Runs a command inside and returns its output; rejects when it fails. */
  exec(container: RunningContainer, args: readonly string[]): Promise<string>;
  /** Ends the container's processes and removes it with its snapshot. */
  remove(container: RunningContainer): Promise<void>;
  /** Kills the daemon alone, as a crash would; containers and shims stay until `close`. */
  kill(): Promise<void>;
  /** Ends every container, shim and the daemon, unmounts and removes all. May be called twice. */
  close(): Promise<void>;
}

/** Says why containerd cannot run here, or undefined when it can. */
export async function whyNoContainerd(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['containerd', 'ctr', 'runc']) {
    const found = await run(program, ['--version']).then(
      () => true,
      () => false,
    );
    if (!found) return `${program} is not installed`;
  }
  return undefined;
}

/** Starts a private containerd and waits until its socket answers. */
export async function startContainerd(): Promise<PrivateContainerd> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-ctd-'));
  const address = join(directory, 'containerd.sock');
  const config = join(directory, 'config.toml');
  await writeFile(config, formatConfig(directory, address));
  const daemon = spawn('containerd', ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const log: string[] = [];
  daemon.stderr.on('data', (chunk: Buffer) => log.length < 200 && log.push(chunk.toString()));
  const started = new StartedContainerd(directory, address, daemon);
  try {
    await waitForSocket(address, daemon);
  } catch (cause) {
    await started.close();
    throw new Error(`containerd did not start:\n${log.join('')}`, { cause });
  }
  return started;
}

function formatConfig(directory: string, address: string): string {
  const disabled = [
    'grpc.v1.cri',
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
`;
}

async function waitForSocket(address: string, daemon: ChildProcess): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (daemon.exitCode !== null) throw new Error(`containerd ended with ${daemon.exitCode}`);
    if (await canConnect(address)) return;
    await delay(50);
  }
  throw new Error('containerd opened no socket within 20 s');
}

async function canConnect(address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

class StartedContainerd implements PrivateContainerd {
  readonly address: string;
  readonly directory: string;
  readonly namespace = 'holdfast-test';
  readonly #daemon: ChildProcess;
  readonly #ended: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(directory: string, address: string, daemon: ChildProcess) {
    this.directory = directory;
    this.address = address;
    this.#daemon = daemon;
    this.#ended = new Promise((resolve) => {
      daemon.once('exit', () => resolve());
      daemon.once('error', () => resolve());
    });
  }

  async ctr(args: readonly string[], namespace = this.namespace): Promise<string> {
    const options = { maxBuffer: 64 << 20, timeout: 120_000 };
    return (await run('ctr', ['--address', this.address, '--namespace', namespace, ...args], options)).stdout;
  }

  async addImage(options: OciImageOptions, namespace?: string): Promise<OciImage> {
    const layout = join(this.directory, `layout-${randomUUID()}`);
    const image = await writeOciImage(layout, options);
    await this.importLayout(layout, namespace);
    return image;
  }

  async importLayout(layout: string, namespace?: string): Promise<void> {
    const archive = join(this.directory, `import-${randomUUID()}.tar`);
    await run('tar', ['-cf', archive, '-C', layout, '.']);
    await this.ctr(['images', 'import', archive], namespace);
    await rm(archive);
  }

  async run(options: RunOptions): Promise<RunningContainer> {
    const id = options.id ?? `c-${randomUUID().slice(0, 8)}`;
    const namespace = options.namespace ?? this.namespace;
    const flags = options.flags ?? [];
    await this.ctr(['run', '--detach', ...flags, options.image, id, ...(options.args ?? [])], namespace);
    return { id, namespace, pid: await this.#findPid(id, namespace) };
  }

  async #findPid(id: string, namespace: string): Promise<number> {
    const rows = (await this.ctr(['tasks', 'ls'], namespace)).split('\n').map((line) => line.split(/\s+/));
    const row = rows.find(([name]) => name === id);
    if (row === undefined) throw new Error(`container ${id} has no task`);
    return Number(row[1]);
  }

  async exec(container: RunningContainer, args: readonly string[]): Promise<string> {
    const execId = `x-${randomUUID().slice(0, 8)}`;
    return await this.ctr(['tasks', 'exec', '--exec-id', execId, container.id, ...args], container.namespace);
  }

  async remove(container: RunningContainer): Promise<void> {
    await this.ctr(['tasks', 'rm', '--force', container.id], container.namespace);
    await this.ctr(['containers', 'rm', container.id], container.namespace);
  }

  async kill(): Promise<void> {
    this.#daemon.kill('SIGKILL');
    await this.#ended;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#isRunning) await this.#removeAll().catch(() => undefined);
    if (this.#isRunning && this.#daemon.kill('SIGTERM')) {
      const stopped = await Promise.race([this.#ended.then(() => true), delay(10_000, false, { ref: false })]);
      if (!stopped) this.#daemon.kill('SIGKILL');
      await this.#ended;
    }
    await killShims(this.address);
    await unmountBelow(this.directory);
    // Trees of tests may be deeper than a path can be long.
    await run('rm', ['-rf', '--one-file-system', this.directory]);
  }

  get #isRunning(): boolean {
    return this.#daemon.exitCode === null && this.#daemon.signalCode === null;
  }

  async #removeAll(): Promise<void> {
    for (const namespace of (await this.ctr(['namespaces', 'ls', '-q'])).split('\n').filter(Boolean)) {
      for (const id of (await this.ctr(['tasks', 'ls', '-q'], namespace)).split('\n').filter(Boolean)) {
        await this.ctr(['tasks', 'rm', '--force', id], namespace).catch(() => undefined);
      }
    }
  }
}

/** Shims outlive their daemon, and containers their shim; shims of this daemon carry its socket among their arguments. */
async function killShims(address: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const shims = new Set<number>();
  for (const pid of pids) {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[0]?.includes('containerd-shim') && args.includes(address)) shims.add(pid);
  }
  for (const pid of pids) {
    const parent = /^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1];
    if (parent !== undefined && shims.has(Number(parent))) killProcess(pid);
  }
  for (const pid of shims) killProcess(pid);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

async function unmountBelow(directory: string): Promise<void> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const points = lines.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) await run('umount', ['--lazy', point]).catch(() => undefined);
}
