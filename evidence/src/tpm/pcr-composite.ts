import { createHash } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import { type HashAlgorithm, hashByName } from './algorithm.ts';
import type { PcrSelection } from './pcr-selection.ts';

/** Values of PCRs by bank and index. */
export type PcrBanks = Partial<Record<HashAlgorithm, ReadonlyMap<number, Uint8Array>>>;

/**
 * Digest that TPM2_Quote makes over the selected PCRs: their values in the order of the selection and of the index,
 * hashed by the algorithm of the signature (TPM 2.0 part 3, 18.4).
 *
 * Throws `EvidenceError` ERR_EVIDENCE_QUOTE when a selected value is missing or has another length than its bank's.
 */
export function composePcrDigest(
  selections: readonly PcrSelection[],
  values: PcrBanks,
  algorithm: HashAlgorithm = 'sha256',
): Buffer {
  const composite = createHash(hashByName(algorithm).nodeName);
  for (const { bank, pcrs } of selections) {
    const { bytes } = hashByName(bank);
    for (const pcr of pcrs) {
      const value = values[bank]?.get(pcr);
      if (value?.length !== bytes) {
        throw new EvidenceError('ERR_EVIDENCE_QUOTE', `no value for ${bank} PCR ${pcr}`);
      }
      composite.update(value);
    }
  }
  return composite.digest();
}
