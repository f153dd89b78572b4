import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ContainerCollector, type ContainerSnapshot, createContainerCollector } from '@holdfast/agent';
import { type OciImage, type OciImageOptions, writeOciImage } from '@holdfast/scripts';
import { lookAt, type SeenContainer, settleCollector, waitFor } from './container-world.ts';

const run = promisify(execFile);

export interface PodmanContainer {
  readonly id: string;
}

/** podman with a store of its own and a collector over it. Needs root. */
export interface PodmanWorld {
  /** The store. */
  readonly root: string;
  readonly runRoot: string;
  readonly collector: ContainerCollector;
  podman(args: readonly string[]): Promise<string>;
  /** Writes the image as an OCI layout and copies it into the store. */
  addImage(options: OciImageOptions): Promise<OciImage>;
  /** Starts a container of an image without a network; further flags come before the image's name. */
  run(image: string, args: readonly string[], flags?: readonly string[]): Promise<PodmanContainer>;
  remove(id: string): Promise<void>;
  settle(): Promise<ContainerSnapshot>;
  look(id: string): Promise<SeenContainer>;
  close(): Promise<void>;
}

/** Says why podman cannot run here, or undefined when it can. Throws instead where CI is set. */
export async function whyNoPodman(): Promise<string | undefined> {
  const reason = await findObstacle();
  if (reason !== undefined && process.env['CI'] !== undefined) throw new Error(`podman is needed in CI: ${reason}`);
  return reason;
}

async function findObstacle(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['podman', 'skopeo', 'runc']) {
    try {
      await run(program, ['--version']);
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

/** Makes the store, lets `prepare` fill it and starts a collector over it. `driver` is how the store keeps its layers, `mountOptions` what it adds to their mounts. */
export async function startPodmanWorld(
  prepare: (world: Pick<PodmanWorld, 'addImage' | 'podman'>) => Promise<unknown>,
  driver = 'overlay',
  mountOptions = '',
): Promise<PodmanWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-podman-'));
  const [root, runRoot] = [join(directory, 'root'), join(directory, 'run')];
  const paths = ['--root', root, '--runroot', runRoot, '--tmpdir', join(directory, 'tmp')];
  const settings = [
    '--storage-driver',
    driver,
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'runc',
    '--events-backend',
    'none',
    ...(mountOptions === '' ? [] : ['--storage-opt', `overlay.mountopt=${mountOptions}`]),
  ];
  // What the machine's own settings say of mounts and limits must not count here.
  const env = {
    ...process.env,
    CONTAINERS_CONF: join(directory, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(directory, 'storage.conf'),
  };
  await writeFile(env.CONTAINERS_CONF, '[containers]\ndefault_ulimits = []\n');
  await writeFile(
    env.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver = "${driver}"\ngraphroot = "${root}"\nrunroot = "${runRoot}"\n`,
  );
  const call = async (program: string, args: readonly string[]) =>
    (await run(program, args, { env, timeout: 60_000 })).stdout.trim();
  const podman = async (args: readonly string[]) => await call('podman', [...paths, ...settings, ...args]);
  const addImage = async (options: OciImageOptions) => {
    const image = await writeOciImage(await mkdtemp(join(directory, 'image-')), options);
    const policy = join(directory, 'policy.json');
    await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    const target = `containers-storage:[${driver}@${root}+${runRoot}]${options.name}`;
    await call('skopeo', ['--policy', policy, 'copy', '--quiet', `oci:${image.directory}`, target]);
    return image;
  };
  const close = async () => {
    await podman(['rm', '--all', '--force', '--time', '0']).catch(() => undefined);
    await removeStore(directory);
  };
  try {
    await prepare({ addImage, podman });
    const collector = await createContainerCollector({
      containersStorage: { root, runRoot },
      pollMs: 100,
      sweepMs: 150,
    });
    await collector.start();
    const settle = () => settleCollector(collector);
    return {
      root,
      runRoot,
      collector,
      podman,
      addImage,
      run: async (image, args, flags = []) => {
        const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];
        const id = await podman(['run', '--detach', '--network', 'none', ...limits, ...flags, image, ...args]);
        return { id };
      },
      remove: async (id) => {
        // podman gives up where its own unmounting is not done yet.
        await waitFor(
          async () => await podman(['rm', '--force', '--ignore', '--time', '0', id]),
          () => true,
        );
      },
      settle,
      look: (id) => lookAt(collector, id),
      close: async () => {
        await collector.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * podman cleans up after its containers by itself, a little later, and mounts the store's directory anew for that: what is in
 * use is tried again as a whole, for retries within would multiply with every level of the tree.
 */
async function removeStore(directory: string): Promise<void> {
  await waitFor(
    async () => {
      for (const mount of (await listMounts(directory)).reverse())
        await run('umount', ['--lazy', mount]).catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
    () => true,
  );
}

async function listMounts(directory: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${directory}/`));
}
