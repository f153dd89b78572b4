import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../world/run-tool.ts';
import { cached } from './cache.ts';

export interface GuestKernel {
  /** Its release, such as `6.1.0-56-cloud-amd64`. */
  readonly release: string;
  /** The kernel as an EFI application. */
  readonly image: string;
  /** Folder of its modules. */
  readonly modules: string;
}

const META_PACKAGE = 'linux-image-cloud-amd64';

/**
 * Gets Debian's cloud kernel from the archive: unpacked, never installed. It has NVMe, ext4, TPM and IMA built in, so that
 * no initial RAM disk stands between firmware and root.
 */
export async function openGuestKernel(): Promise<GuestKernel> {
  const depends = (await runTool('apt-cache', ['depends', META_PACKAGE])).toString();
  const name = /Depends: (linux-image-(\S+))/.exec(depends);
  if (name?.[1] === undefined || name[2] === undefined) {
    throw new Error(`the package lists do not know ${META_PACKAGE}; run apt-get update`);
  }
  const [, packageName, release] = name;
  const directory = await cached('kernel', release, async (path) => await unpack(packageName, path), { only: true });
  return {
    release,
    image: join(directory, 'boot', `vmlinuz-${release}`),
    modules: join(directory, 'lib/modules', release, 'kernel'),
  };
}

async function unpack(packageName: string, path: string): Promise<void> {
  const download = await mkdtemp(join(tmpdir(), 'hfvm-kernel-'));
  try {
    await runTool('sh', ['-c', 'cd "$1" && exec apt-get download -qq "$2"', 'sh', download, packageName]);
    const archive = (await readdir(download)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get brought no ${packageName}`);
    const tree = join(download, 'tree');
    await mkdir(tree);
    await runTool('dpkg-deb', ['--extract', join(download, archive), tree]);
    await runTool('cp', ['-a', tree, path]);
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}
