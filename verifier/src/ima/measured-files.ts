import { hash } from 'node:crypto';
import {
  bytePathToBuffer,
  EvidenceError,
  type ImaEntry,
  type ImaFileMeasurement,
  isImaViolation,
  parseBytePath,
  readImaMeasurement,
} from '@holdfast/evidence';

/** What entries that a quote covers say of files, as far as it is kept. */
export interface MeasuredFiles {
  /** See `keyMeasured`. */
  readonly keys: ReadonlySet<string>;
  /** Files of the agent's build: hex SHA-256, a space and the path. */
  readonly agentFiles: ReadonlySet<string>;
  /** True when there were more than are kept: a file that is not among them may still have been measured. */
  readonly isLimited: boolean;
}

/** Where the agent's build lies, and how much is kept already of the same boot. */
export interface MeasuredFilesOptions {
  /** Path as claims have it; null where the agent names none. */
  readonly agentRoot: string | null;
  readonly known: number;
}

/** Files with distinct path or content that are kept for a kube node and boot. A machine with many pods measures 10,000. */
const MAX_KEYS = 65_536;
const MAX_AGENT_FILES = 8_192;
const KEY_BYTES = 16;
/** PATH_MAX of Linux. */
const MAX_PATH_BYTES = 4_096;
const IMA_PCR = 10;
const SHA256_BYTES = 32;
const BUFFER = /^ima-buf$|(?:^|\|)buf(?:\||$)/;

/** Nothing measured. */
export const NO_MEASURED_FILES: MeasuredFiles = { keys: new Set(), agentFiles: new Set(), isLimited: false };

/**
 * Gathers what verified entries say of files: a short key for each path with its SHA-256, and the files below the agent's
 * own directory. Left out is what says nothing of a file's content (violations, buffers, other digests than SHA-256,
 * fs-verity digests), and entries of other PCRs: no quote covers them.
 */
export class MeasuredFilesCollector {
  readonly #keys = new Set<string>();
  readonly #agentFiles = new Set<string>();
  readonly #agentPrefix: string | undefined;
  readonly #room: number;
  #isLimited = false;

  constructor({ agentRoot, known }: MeasuredFilesOptions) {
    const root = agentRoot === null ? undefined : toMeasuredPath(agentRoot);
    this.#agentPrefix = root === undefined ? undefined : `${root}/`;
    this.#room = MAX_KEYS - known;
  }

  get files(): MeasuredFiles {
    return { keys: this.#keys, agentFiles: this.#agentFiles, isLimited: this.#isLimited };
  }

  add(entries: readonly ImaEntry[]): void {
    for (const entry of entries) {
      const measured = isOfFile(entry) ? readMeasurement(entry) : null;
      if (measured !== null && isSha256(measured)) this.#addFile(measured);
    }
  }

  #addFile({ path: bytes, digest }: ImaFileMeasurement): void {
    const path = bytes.toString('latin1');
    const sha256 = digest.toString('hex');
    this.#keep(this.#keys, computeKey(path, sha256), this.#room);
    const isAgent = this.#agentPrefix !== undefined && path.startsWith(this.#agentPrefix);
    if (isAgent && isNormal(path)) this.#keep(this.#agentFiles, `${sha256} ${path}`, MAX_AGENT_FILES);
  }

  #keep(set: Set<string>, value: string, most: number): void {
    if (set.size < most) set.add(value);
    else if (!set.has(value)) this.#isLimited = true;
  }
}

/**
 * A key for a file by its path, as claims and drift documents write it, and its content; IMA's entry for the same path and
 * content has the same key. Undefined for what is no such path.
 */
export function keyMeasured(path: string, sha256: string): string | undefined {
  const measured = toMeasuredPath(path);
  return measured === undefined ? undefined : computeKey(measured, sha256);
}

/** The bytes of a path, one a character, as IMA writes them: it makes spaces underscores. */
export function toMeasuredPath(path: string): string | undefined {
  try {
    return bytePathToBuffer(parseBytePath(path)).toString('latin1').replaceAll(' ', '_');
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

function computeKey(path: string, sha256: string): string {
  const digest = hash('sha256', Buffer.from(`${sha256} ${path}`, 'latin1'), 'buffer');
  return digest.toString('base64url', 0, KEY_BYTES);
}

function isOfFile(entry: ImaEntry): boolean {
  return entry.pcr === IMA_PCR && !isImaViolation(entry) && !BUFFER.test(entry.template);
}

function isSha256({ algorithm, digest, digestType, path }: ImaFileMeasurement): boolean {
  const isDigest = algorithm === 'sha256' && digestType === 'ima' && digest.length === SHA256_BYTES;
  return isDigest && path.length <= MAX_PATH_BYTES;
}

/** Root on the node can extend the PCR with whatever it likes; the kernel writes no other paths. */
function isNormal(path: string): boolean {
  const parts = path.split('/').slice(1);
  return !path.includes('\0') && parts.every((part) => !['', '.', '..'].includes(part));
}

/** The kernel writes fields that fit their template; an entry whose fields do not says nothing. */
function readMeasurement(entry: ImaEntry): ImaFileMeasurement | null {
  try {
    return readImaMeasurement(entry);
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}
