import { readFile, stat } from 'node:fs/promises';
import type { MetaStore } from '../store/meta-store.ts';
import { checkTrustSuccessor, loadTrust } from '../trust/load-trust.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';

/** The operator's trust file as it is now. */
export interface TrustSource {
  current(): Trust;
  /** Looks at the file again; true when another one is in use from here on. Throws and keeps the old one when it is bad. */
  refresh(): Promise<boolean>;
}

const MAX_TRUST_BYTES = 16 * 1024 * 1024;
const META_KEY = 'trust';

/**
 * Opens the trust file. The last version that was in use is kept in the store, so that an older file is refused even
 * after a restart. Throws `VerifierError` ERR_VERIFIER_TRUST.
 */
export async function openTrustSource(path: string, meta: MetaStore): Promise<TrustSource> {
  let seen = await identify(path);
  let trust = await load(path, meta);
  return {
    current: () => trust,
    refresh: async () => {
      const identity = await identify(path);
      if (identity === seen) return false;
      seen = identity;
      const next = await load(path, meta);
      const isOther = next.digest !== trust.digest;
      trust = next;
      return isOther;
    },
  };
}

async function load(path: string, meta: MetaStore): Promise<Trust> {
  const bytes = await read(path);
  const trust = loadTrust(bytes);
  const before = meta.read(META_KEY);
  if (before !== undefined) checkTrustSuccessor(parseSeen(before), trust);
  meta.write(META_KEY, `${trust.version} ${trust.digest}`);
  return trust;
}

function parseSeen(text: string): { version: number; digest: string } {
  const [version, digest] = text.split(' ');
  return { version: Number(version), digest: digest ?? '' };
}

async function read(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TRUST_BYTES) throw new VerifierError('ERR_VERIFIER_TRUST', `the trust file ${path} is too long`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof VerifierError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VerifierError('ERR_VERIFIER_TRUST', `cannot read the trust file: ${reason}`, { cause });
  }
}

async function identify(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return 'missing';
  }
}
