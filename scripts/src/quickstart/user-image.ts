import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InputError } from './options.ts';

export interface UserLayout {
  readonly directory: string;
  /** Digest of the chosen entry of the layout's index. */
  readonly digest: string;
  /** Name under which the runtime will know it, without digest. */
  readonly base: string;
}

interface IndexEntry {
  digest: string;
  annotations?: Record<string, string>;
}

/** Opens `DIR` or `DIR:TAG`. Throws a sentence when there is no layout, or the tag does not choose one image. */
export async function openUserImage(reference: string): Promise<UserLayout> {
  const { directory, tag } = await splitReference(reference);
  const text = await readFile(join(directory, 'index.json'), 'utf8').catch(() => {
    throw new InputError(`${directory} is no OCI image layout: it has no readable index.json`);
  });
  const entries = readEntries(text, directory).filter((entry) => tag === null || matchesTag(entry, tag));
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    throw new InputError(`${reference} names ${entries.length} images; name one as OCI-LAYOUT:TAG`);
  }
  return { directory, digest: entry.digest, base: 'holdfast.local/quickstart/yours' };
}

function readEntries(text: string, directory: string): IndexEntry[] {
  try {
    const index: { manifests?: IndexEntry[] } = JSON.parse(text);
    return index.manifests ?? [];
  } catch {
    throw new InputError(`${directory}/index.json is no JSON`);
  }
}

async function splitReference(reference: string): Promise<{ directory: string; tag: string | null }> {
  if (await isDirectory(reference)) return { directory: resolve(reference), tag: null };
  const colon = reference.lastIndexOf(':');
  if (colon > 0 && (await isDirectory(reference.slice(0, colon)))) {
    return { directory: resolve(reference.slice(0, colon)), tag: reference.slice(colon + 1) };
  }
  throw new InputError(`${reference} is no directory; name an OCI image layout`);
}

function matchesTag(entry: IndexEntry, tag: string): boolean {
  const name = entry.annotations?.['org.opencontainers.image.ref.name'] ?? '';
  return name === tag || name.endsWith(`:${tag}`);
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
