import { readFile } from 'node:fs/promises';
import { listBusyboxEntries, type OciImageOptions, type TarEntry } from '@holdfast/scripts';
import { cacheDebianRoot } from './layer-fixtures.ts';

/** The one package of the busybox image, described as images without a package manager do it. */
const STANZA = `Package: busybox-static
Status: install ok installed
Version: 1:1.35.0-4
Architecture: amd64
`;

const OS_RELEASE = 'ID=holdfast\nVERSION_ID=1\n';
const IDLE = { Cmd: ['sleep', '100000'] };

/** A small image with a shell, one package and what a test adds to it. */
export async function describeBusyboxImage(name: string, entries: readonly TarEntry[]): Promise<OciImageOptions> {
  const database: TarEntry[] = [
    { path: 'etc/os-release', content: OS_RELEASE },
    { path: 'var/lib/dpkg/status.d/busybox-static', content: STANZA },
  ];
  const layers = [{ entries: await listBusyboxEntries() }, { entries: [...database, ...entries] }];
  return { name: `docker.io/holdfast/${name}:1`, layers, config: IDLE };
}

/** A Debian root, and a layer of a test's own above it. */
export async function describeDebianImage(name: string, entries: readonly TarEntry[]): Promise<OciImageOptions> {
  const tar = await readFile(await cacheDebianRoot());
  return {
    name: `docker.io/holdfast/${name}:1`,
    layers: [{ tar }, { entries }],
    config: IDLE,
    compression: 'none',
  };
}
