import { createHash } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';

const CACHE = join(CHECKOUT, '.cache/vm');

/**
 * Returns `.cache/vm/KIND-KEY`, made by `make` where it is not there. `make` writes to the path that it is given, which
 * becomes the entry only when it is whole. Other entries of that kind are removed with `only`.
 */
export async function cached(
  kind: string,
  key: string,
  make: (path: string) => Promise<void>,
  options: { only?: boolean } = {},
): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const name = `${kind}-${key}`;
  const path = join(CACHE, name);
  if (await exists(path)) return path;
  const part = join(CACHE, `.part-${process.pid}-${name}`);
  try {
    await make(part);
    if (options.only === true) await removeOthers(kind);
    await rename(part, path);
    return path;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

/** A short key that changes with any of its parts. */
export function keyOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(createHash('sha256').update(part).digest());
  return hash.digest('hex').slice(0, 16);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function removeOthers(kind: string): Promise<void> {
  const old = (await readdir(CACHE)).filter((name) => name.startsWith(`${kind}-`));
  for (const name of old) await rm(join(CACHE, name), { recursive: true, force: true });
}
