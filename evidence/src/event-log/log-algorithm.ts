import { hashById } from '../tpm/algorithm.ts';

/** A bank of an event log. Logs may use algorithms that no TPM key of ours does. */
export interface LogAlgorithm {
  readonly id: number;
  /** As tpm2-tools names it; the number in hex where it is unknown. */
  readonly name: string;
  readonly bytes: number;
  /** As node:crypto names it; null where it cannot be computed, and the bank not be replayed. */
  readonly nodeName: string | null;
}

const SHA3: readonly LogAlgorithm[] = [
  { id: 0x0027, name: 'sha3_256', bytes: 32, nodeName: 'sha3-256' },
  { id: 0x0028, name: 'sha3_384', bytes: 48, nodeName: 'sha3-384' },
  { id: 0x0029, name: 'sha3_512', bytes: 64, nodeName: 'sha3-512' },
];

/** Undefined where the log gives a known algorithm another digest size than it has. */
export function findLogAlgorithm(id: number, bytes: number): LogAlgorithm | undefined {
  const known = hashById(id) ?? SHA3.find((algorithm) => algorithm.id === id);
  if (known !== undefined) return known.bytes === bytes ? known : undefined;
  return { id, name: `0x${id.toString(16).padStart(4, '0')}`, bytes, nodeName: null };
}
