import { checkWord } from './check-options.ts';
import type { HashAlgorithm, Hierarchy } from './tpm-types.ts';

/** TPM_RH (TPM 2.0 Part 2, 7.4). */
const HIERARCHIES: Readonly<Record<Hierarchy, number>> = {
  owner: 0x40000001,
  null: 0x40000007,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
};

/** TPM_ALG_ID (TPM 2.0 Part 2, 6.3). */
const HASHES: Readonly<Record<HashAlgorithm, number>> = {
  sha1: 0x0004,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
};

/** TPM_RH of a hierarchy's word. @throws TypeError */
export function hierarchyNumber(value: Hierarchy, name: string): number {
  checkWord(value, name, Object.keys(HIERARCHIES));
  return HIERARCHIES[value];
}

/** TPM_ALG_ID of a hash's word. @throws TypeError */
export function hashNumber(value: HashAlgorithm, name: string): number {
  checkWord(value, name, Object.keys(HASHES));
  return HASHES[value];
}
