import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { encodeTar, listTarEntries, type TarEntry } from './tar-writer.ts';

/** A layer of its entries, of a directory tree, or of a ready tar. */
export type LayerSource =
  | { readonly entries: Iterable<TarEntry> }
  | { readonly directory: string }
  | { readonly tar: Uint8Array };

export interface OciImageOptions {
  /** Full name such as `docker.io/holdfast/busybox:1`. */
  readonly name: string;
  /** Bottom first. */
  readonly layers: readonly LayerSource[];
  readonly config?: {
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly Env?: readonly string[];
    readonly WorkingDir?: string;
    readonly User?: string;
  };
  /** Default gzip. */
  readonly compression?: 'gzip' | 'none';
  /** Put an image index with a platform between the layout's index and the manifest. */
  readonly nestedIndex?: boolean;
  readonly created?: string;
}

export interface OciLayer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly mediaType: string;
}

export interface OciImage {
  /** The layout's directory. */
  readonly directory: string;
  readonly name: string;
  readonly manifestDigest: string;
  readonly configDigest: string;
  readonly indexDigest: string | null;
  readonly layers: readonly OciLayer[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const MEDIA = 'application/vnd.oci.image';
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** Writes an OCI image layout of one image below `directory`, with node alone and without unpacking anything. */
export async function writeOciImage(directory: string, options: OciImageOptions): Promise<OciImage> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  const layers: OciLayer[] = [];
  for (const source of options.layers) layers.push(await writeLayer(directory, source, options.compression ?? 'gzip'));
  const platform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
  const config = await writeJsonBlob(directory, `${MEDIA}.config.v1+json`, {
    ...platform,
    created: options.created ?? '2024-01-01T00:00:00Z',
    config: options.config ?? {},
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created_by: 'test' })),
  });
  const manifest = await writeJsonBlob(directory, `${MEDIA}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const index = options.nestedIndex ? await writeIndexBlob(directory, { ...manifest, platform }) : undefined;
  await writeLayoutIndex(directory, index ?? manifest, options.name);
  return {
    directory,
    name: options.name,
    manifestDigest: manifest.digest,
    configDigest: config.digest,
    indexDigest: index?.digest ?? null,
    layers,
  };
}

async function writeLayoutIndex(directory: string, target: Descriptor, name: string): Promise<void> {
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) };
  const index = { schemaVersion: 2, mediaType: `${MEDIA}.index.v1+json`, manifests: [{ ...target, annotations }] };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

async function writeIndexBlob(directory: string, manifest: Descriptor & { platform: object }): Promise<Descriptor> {
  const mediaType = `${MEDIA}.index.v1+json`;
  return await writeJsonBlob(directory, mediaType, { schemaVersion: 2, mediaType, manifests: [manifest] });
}

async function writeJsonBlob(directory: string, mediaType: string, value: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(directory, 'blobs/sha256', hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

async function writeLayer(directory: string, source: LayerSource, compression: 'gzip' | 'none'): Promise<OciLayer> {
  const diff = createHash('sha256');
  const blob = createHash('sha256');
  const part = join(directory, 'blobs', `part-${process.hrtime.bigint()}`);
  const compress = compression === 'gzip' ? [createGzip({ level: 1 })] : [];
  await pipeline([
    Readable.from(openTar(source)),
    createTee(diff),
    ...compress,
    createTee(blob),
    createWriteStream(part),
  ]);
  const digest = blob.digest('hex');
  const { size } = await stat(part);
  await rename(part, join(directory, 'blobs/sha256', digest));
  const mediaType = `${MEDIA}.layer.v1.tar${compression === 'gzip' ? '+gzip' : ''}`;
  return { digest: `sha256:${digest}`, diffId: `sha256:${diff.digest('hex')}`, size, mediaType };
}

async function* openTar(source: LayerSource): AsyncGenerator<Uint8Array> {
  if ('tar' in source) yield source.tar;
  else if ('directory' in source) yield* encodeTar(listTarEntries(source.directory));
  else yield* encodeTar(source.entries);
}

function createTee(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
