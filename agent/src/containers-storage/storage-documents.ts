import { EvidenceError, type JsonValue, parseStrictJson } from '@holdfast/evidence';
import { readList, readMember, readString } from '../container/json-value.ts';

/** One row of `overlay-containers/containers.json`. */
export interface StorageContainer {
  readonly id: string;
  readonly names: readonly string[];
  /** Config digest of the image, 64 hex digits; empty for a root directory without an image. */
  readonly image: string;
  /** Id of the writable layer; empty where there is none. */
  readonly layer: string;
  /** Name of the image when the container was made, as podman notes it. */
  readonly imageName: string;
  /** RFC 3339 as written. */
  readonly created: string | null;
}

/** One row of `overlay-layers/layers.json`. */
export interface StorageLayer {
  readonly id: string;
  /** Undefined for a bottom layer. */
  readonly parent: string | undefined;
  /** `sha256:…` of the tar that it was made of; undefined for a writable layer and for what was fetched in parts. */
  readonly diffId: string | undefined;
  /** Its files were given other owners for a user namespace. */
  readonly isShifted: boolean;
}

/** One row of `overlay-images/images.json`. */
export interface StorageImage {
  /** Config digest, 64 hex digits. */
  readonly id: string;
  readonly names: readonly string[];
  /** Documents kept of it: key and digest. */
  readonly documents: readonly { readonly key: string; readonly digest: string }[];
}

/** Largest of these files, in bytes: some thousand layers take a few MiB. */
export const MAX_STORAGE_FILE_BYTES = 64 << 20;
const LIMITS = { maxBytes: MAX_STORAGE_FILE_BYTES, maxDepth: 16, maxKeys: 2_000_000 };
const MAX_ROWS = 20_000;
const ID = /^[0-9a-f]{64}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Reads the list of containers (github.com/containers/storage, containers.go). Throws `EvidenceError` for anything else. */
export function parseStorageContainers(bytes: Uint8Array): StorageContainer[] {
  return parseRows(bytes).map((row) => {
    const image = readString(readMember(row, 'image')) ?? '';
    const layer = readString(readMember(row, 'layer')) ?? '';
    if ((image !== '' && !ID.test(image)) || (layer !== '' && !ID.test(layer))) throw malformed('an id is none');
    const created = readString(readMember(row, 'created'));
    return {
      id: readId(row, 'id'),
      names: readNames(row),
      image,
      layer,
      imageName: readImageName(row),
      created: created !== undefined && created.length <= 64 ? created : null,
    };
  });
}

/** Reads the list of layers (layers.go). Throws `EvidenceError` for anything else. */
export function parseStorageLayers(bytes: Uint8Array): StorageLayer[] {
  return parseRows(bytes).map((row) => {
    const diffId = readString(readMember(row, 'diff-digest')) ?? '';
    if (diffId !== '' && !DIGEST.test(diffId)) throw malformed('a digest is none');
    const hasMappings = ['uidmap', 'gidmap'].some((name) => readList(readMember(row, name)).length > 0);
    return {
      id: readId(row, 'id'),
      parent: readMember(row, 'parent') === undefined ? undefined : readId(row, 'parent'),
      diffId: diffId === '' ? undefined : diffId,
      isShifted: hasMappings,
    };
  });
}

/** Reads the list of images (images.go). Throws `EvidenceError` for anything else. */
export function parseStorageImages(bytes: Uint8Array): StorageImage[] {
  return parseRows(bytes).map((row) => {
    const digests = readMember(row, 'big-data-digests') ?? {};
    if (typeof digests !== 'object' || digests === null || Array.isArray(digests))
      throw malformed('documents of an image');
    const documents = Object.entries(digests).flatMap(([key, value]) => {
      const digest = readString(value);
      return digest !== undefined && DIGEST.test(digest) ? [{ key, digest }] : [];
    });
    return { id: readId(row, 'id'), names: readNames(row), documents };
  });
}

/**
 * Name of the file that holds a document of an image: the key itself where it is plain, else its base64 after `=`
 * (userdata.go, makeBigDataBaseName). Undefined where that is no single file name.
 */
export function formatDocumentName(key: string): string | undefined {
  const name = /^[0-9a-z.]*$/.test(key) ? key : `=${Buffer.from(key).toString('base64')}`;
  return name === '' || name === '.' || name === '..' || name.includes('/') || name.length > 255 ? undefined : name;
}

function parseRows(bytes: Uint8Array): readonly JsonValue[] {
  const value = parseStrictJson(bytes, LIMITS);
  // Go writes an empty list as null.
  if (value !== null && !Array.isArray(value)) throw malformed('no list');
  const rows = readList(value);
  if (rows.length > MAX_ROWS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', `storage: more than ${MAX_ROWS} rows`);
  return rows;
}

function readId(row: JsonValue, name: string): string {
  const id = readString(readMember(row, name));
  if (id === undefined || !ID.test(id)) throw malformed('an id is none');
  return id;
}

function readNames(row: JsonValue): string[] {
  return readList(readMember(row, 'names')).flatMap((name) => (typeof name === 'string' ? [name] : []));
}

/** podman and CRI-O keep JSON of their own as text in the row. */
function readImageName(row: JsonValue): string {
  const metadata = readString(readMember(row, 'metadata')) ?? '';
  if (!metadata.startsWith('{')) return '';
  return readString(readMember(parseStrictJson(metadata, LIMITS), 'image-name')) ?? '';
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `storage: ${what}`);
}
