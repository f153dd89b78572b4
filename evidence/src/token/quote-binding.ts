import { hash } from 'node:crypto';
import { encodePcrSelection, type PcrSelection } from '../tpm/pcr-selection.ts';

const DOMAIN = 'holdfast-quote-v1\0';

/** PCRs that the profile quotes: boot and operating system first, then PCR 10, which IMA extends while it is read. */
export const PROFILE_SELECTIONS: readonly [readonly PcrSelection[], readonly PcrSelection[]] = [
  [{ bank: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15] }],
  [{ bank: 'sha256', pcrs: [10] }],
];

/** The same two as TPML_PCR_SELECTION, for TPM2_Quote, in the order in which they are to be taken. */
export const QUOTE_SELECTIONS: readonly [Buffer, Buffer] = [
  encodePcrSelection(PROFILE_SELECTIONS[0]),
  encodePcrSelection(PROFILE_SELECTIONS[1]),
];

/**
 * What both quotes of a round are made over: SHA-256 of `holdfast-quote-v1`, a zero byte and the payload text exactly as
 * it stands in the compact token.
 */
export function computeQualifyingData(payload: string): Buffer {
  return hash('sha256', `${DOMAIN}${payload}`, 'buffer');
}
