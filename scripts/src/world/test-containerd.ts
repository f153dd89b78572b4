import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { killProcess } from './named-process.ts';
import { type OciImage, type OciImageOptions, writeOciImage } from './oci-image.ts';
import {
  type PrivateContainerd,
  type PrivateContainerdOptions,
  startPrivateContainerd,
  stopPrivateContainerd,
} from './private-containerd.ts';

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

/** A containerd of our own: own root, state and socket below a temporary directory, overlayfs. Needs root. */
export interface TestContainerd {
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

/** Says why containerd cannot run here, or undefined when it can. Throws instead where CI is set. */
export async function whyNoContainerd(): Promise<string | undefined> {
  const reason = await findObstacle();
  // Where tests must run, one that passes over itself would pass on nothing.
  if (reason !== undefined && process.env['CI'] !== undefined) throw new Error(`containerd is needed in CI: ${reason}`);
  return reason;
}

async function findObstacle(): Promise<string | undefined> {
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
export async function startContainerd(options: PrivateContainerdOptions = {}): Promise<TestContainerd> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-ctd-'));
  try {
    return new StartedContainerd(await startPrivateContainerd(directory, options));
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

class StartedContainerd implements TestContainerd {
  // runc keeps its state below /run by namespace, whichever containerd it serves: two may run on one machine.
  readonly namespace = `holdfast-${randomUUID().slice(0, 8)}`;
  readonly #daemon: PrivateContainerd;
  #closed: Promise<void> | undefined;

  constructor(daemon: PrivateContainerd) {
    this.#daemon = daemon;
  }

  get address(): string {
    return this.#daemon.address;
  }

  get directory(): string {
    return this.#daemon.directory;
  }

  async ctr(args: readonly string[], namespace = this.namespace): Promise<string> {
    const options = { maxBuffer: 64 << 20, timeout: 900_000 };
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
    await killProcess(this.#daemon.process);
  }

  close(): Promise<void> {
    this.#closed ??= stopPrivateContainerd(this.#daemon);
    return this.#closed;
  }
}
