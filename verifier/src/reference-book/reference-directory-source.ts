import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VerifierError } from '../verifier-error.ts';

/** Signed statements that lie in a directory, one a file. */
export interface ReferenceDirectory {
  /** Hands every file that is new or changed since the last call to `take`. */
  scan(): Promise<void>;
  /** Files that were refused are tried again at the next scan: a key may count now that did not. */
  forgetRefused(): void;
}

export interface ReferenceDirectoryDeps {
  readonly directory: string;
  /** Keeps a statement. Throws `VerifierError` when it does not count. */
  readonly take: (envelope: Buffer) => void;
  /** Hears of a file that was refused, once for each state of it. */
  readonly onRefused: (path: string, error: VerifierError) => void;
}

const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const SCANS_AFTER_CHANGE = 5;
const SCAN_EVERY = 10;
const SUFFIXES = ['.json', '.jsonl', '.intoto', '.sigstore', '.dsse', '.att'];

/**
 * Creates a reader of a directory of references. A file that is written while it is read is refused and read again when
 * it has changed. Taking a file away revokes nothing. Files without a known suffix, hidden ones and directories are passed
 * over.
 */
export function createReferenceDirectory(deps: ReferenceDirectoryDeps): ReferenceDirectory {
  const seen = new Map<string, string>();
  const refused = new Set<string>();
  const schedule = createScanSchedule();
  const scanFile = async (name: string): Promise<void> => {
    const path = join(deps.directory, name);
    const { ino, size, mtimeNs, isFile } = await identify(path);
    const identity = `${ino} ${size} ${mtimeNs}`;
    if (!isFile || seen.get(path) === identity) return;
    seen.set(path, identity);
    refused.delete(path);
    try {
      if (size > MAX_FILE_BYTES) throw new VerifierError('ERR_VERIFIER_REFERENCE', 'the file is too long');
      deps.take(await readFile(path));
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      refused.add(path);
      deps.onRefused(path, error);
    }
  };
  return {
    scan: async () => {
      if (!schedule(await identify(deps.directory))) return;
      const names = await listNames(deps.directory);
      for (const name of names) await scanFile(name);
    },
    forgetRefused: () => {
      for (const path of refused) seen.delete(path);
    },
  };
}

/**
 * Whether a scan is due: for a while after names came or went, since files are still being written then, and every so
 * often for what was rewritten in place. Looking at every file each time would cost too much.
 */
function createScanSchedule(): (directory: { ino: bigint; mtimeNs: bigint }) => boolean {
  let last = '';
  let scansSinceChange = 0;
  return ({ ino, mtimeNs }) => {
    const identity = `${ino} ${mtimeNs}`;
    scansSinceChange = identity === last ? scansSinceChange + 1 : 0;
    last = identity;
    return scansSinceChange < SCANS_AFTER_CHANGE || scansSinceChange % SCAN_EVERY === 0;
  };
}

async function listNames(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    const usable = names.filter((name) => !name.startsWith('.') && SUFFIXES.some((suffix) => name.endsWith(suffix)));
    return usable.toSorted().slice(0, MAX_FILES);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VerifierError('ERR_VERIFIER_REFERENCE', `cannot read the directory of references: ${reason}`, { cause });
  }
}

async function identify(path: string) {
  try {
    const stats = await stat(path, { bigint: true });
    return { ino: stats.ino, size: stats.size, mtimeNs: stats.mtimeNs, isFile: stats.isFile() };
  } catch {
    // Gone since the directory was listed.
    return { ino: 0n, size: 0n, mtimeNs: 0n, isFile: false };
  }
}
