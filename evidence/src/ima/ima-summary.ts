import { createHash, hash } from 'node:crypto';
import { type HashAlgorithm, hashByName } from '../tpm/algorithm.ts';
import { type ImaEntry, isImaViolation } from './ima-entry.ts';
import { readImaMeasurement } from './ima-template.ts';

export interface ImaSummary {
  readonly entries: number;
  /** Number of entries by template. */
  readonly templates: Readonly<Record<string, number>>;
  readonly violations: number;
  /** Entries whose template digest is not the hash of their data: the list was changed after the kernel wrote it. */
  readonly mismatches: number;
}

const IMA_PCR = 10;
const DIGEST_ALGORITHMS = new Map<number, readonly string[]>([
  [20, ['sha1']],
  [32, ['sha256', 'sm3']],
  [48, ['sha384']],
  [64, ['sha512']],
]);

/** Counts what a list holds and which entries contradict themselves. */
export function summariseIma(entries: readonly ImaEntry[]): ImaSummary {
  const templates = new Map<string, number>();
  for (const { template } of entries) templates.set(template, (templates.get(template) ?? 0) + 1);
  return {
    entries: entries.length,
    templates: Object.fromEntries(templates),
    violations: entries.filter(isImaViolation).length,
    mismatches: entries.filter((entry) => !isImaViolation(entry) && !isConsistent(entry)).length,
  };
}

/**
 * Compares the first entry of PCR 10, `boot_aggregate`, with PCR values of the same boot: the hash over PCRs 0 to 7, or 0 to 9 in
 * kernels from 5.8. False where it is another; null where the list has none, its bank is not given, or a PCR is missing.
 */
export function matchBootAggregate(
  entries: readonly ImaEntry[],
  banks: Partial<Record<HashAlgorithm, ReadonlyMap<number, Uint8Array>>>,
): boolean | null {
  // An entry of another PCR extends nothing that is quoted, so anybody can put it in front.
  const first = entries.find(({ pcr }) => pcr === IMA_PCR);
  const measured = first === undefined || isImaViolation(first) ? null : readImaMeasurement(first);
  if (measured === null || measured.path.toString('latin1') !== 'boot_aggregate') return null;
  const { algorithm, digest } = measured;
  if (algorithm !== 'sha1' && algorithm !== 'sha256' && algorithm !== 'sha384' && algorithm !== 'sha512') return null;
  const bank = banks[algorithm];
  const pcrs = Array.from({ length: 10 }, (_, pcr) => bank?.get(pcr));
  const present = pcrs.filter((value) => value !== undefined);
  if (present.length < pcrs.length) return null;
  const aggregate = (last: number) => {
    const hasher = createHash(hashByName(algorithm).nodeName);
    for (const value of present.slice(0, last + 1)) hasher.update(value);
    return hasher.digest();
  };
  return aggregate(7).equals(digest) || aggregate(9).equals(digest);
}

function isConsistent({ hashed, templateDigest }: ImaEntry): boolean {
  const algorithms = DIGEST_ALGORITHMS.get(templateDigest.length) ?? [];
  return algorithms.some((algorithm) => hash(algorithm, hashed, 'buffer').equals(templateDigest));
}
