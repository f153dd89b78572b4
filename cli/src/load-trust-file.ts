import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceError } from '@holdfast/evidence';
import { loadTrust, type Trust, VerifierError } from '@holdfast/verifier';
import { undecided, usageError } from './cli-error.ts';
import type { ClientConfig } from './client-config.ts';
import { explainFileError, readInputFile } from './input-file.ts';

const MAX_TRUST_BYTES = 4 << 20;
const MAX_REFERENCE_BYTES = 64 << 20;
const MAX_REFERENCES = 10_000;

/** Loads the trust file that a flag or the settings name. */
export async function loadTrustFile(flag: string | undefined, config: ClientConfig): Promise<Trust> {
  const path = flag ?? config.trust;
  if (path === null) {
    throw usageError('whom to trust must be said: give --trust FILE, or settings with a trust file (--config)');
  }
  const bytes = await readInputFile(path, MAX_TRUST_BYTES);
  try {
    return loadTrust(bytes);
  } catch (error) {
    if (error instanceof VerifierError || error instanceof EvidenceError)
      throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}

export interface ReferenceFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Reads every *.json file of a folder of signed references. No folder named: none. */
export async function readReferenceFiles(flag: string | undefined, config: ClientConfig): Promise<ReferenceFile[]> {
  const directory = flag ?? config.references;
  if (directory === null) return [];
  const names = await readdir(directory).catch((error: unknown) => {
    throw undecided(explainFileError(directory, error), error);
  });
  const chosen = names.filter((name) => name.endsWith('.json')).toSorted();
  if (chosen.length > MAX_REFERENCES) throw undecided(`${directory} holds more than ${MAX_REFERENCES} references`);
  return await Promise.all(
    chosen.map(async (name) => ({ name, bytes: await readInputFile(join(directory, name), MAX_REFERENCE_BYTES) })),
  );
}
