import { toBytePath } from '@holdfast/evidence/inventory';
import type { InventoryBuilder } from './inventory-builder.ts';

const OS_RELEASE_PATHS = ['/etc/os-release', '/usr/lib/os-release'].map(toBytePath);
const MAX_BYTES = 64 * 1024;

/** IDs that differ only by the name that a vendor gave a release, folded as package URLs of the trade have it. */
function foldId(id: string): string {
  if (id === 'rhel') return 'redhat';
  if (id.startsWith('opensuse')) return 'opensuse';
  if (id === 'sles' || id === 'sle_hpc') return 'suse';
  return id;
}

/**
 * Finds the ID of os-release, folded, for the namespace of OS packages. Undefined where there is none: the kind of a
 * package never depends on it, for one deleted file would rename them all.
 */
export function readOsId(builder: InventoryBuilder): string | undefined {
  for (const path of OS_RELEASE_PATHS) {
    const text = builder.readFollowed(path, MAX_BYTES)?.toString('latin1');
    const id = text === undefined ? undefined : parseOsId(text);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** Reads the `ID=` line of an os-release file, the last one as a shell would. os-release(5). */
export function parseOsId(text: string): string | undefined {
  const values = text.split('\n').flatMap((line) => /^ID=\s*(["']?)([A-Za-z0-9._-]{1,64})\1\s*$/.exec(line)?.[2] ?? []);
  const id = values.at(-1);
  return id === undefined ? undefined : foldId(id.toLowerCase());
}
