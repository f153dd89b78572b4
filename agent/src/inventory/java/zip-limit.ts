import { EvidenceError } from '@holdfast/evidence/inventory';

/** Is told that an archive is malformed, or holds more than is unpacked. */
export type OnZipLimit = (what: 'malformed' | 'archive') => void;

/** Runs a step that reads an archive; undefined where a limit was told. Throws what is no `EvidenceError`. */
export function attemptZip<T>(step: () => T, onLimit: OnZipLimit): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    onLimit(error.code === 'ERR_EVIDENCE_LIMIT' ? 'archive' : 'malformed');
    return undefined;
  }
}
