/** One entry of an IMA measurement list. */
export interface ImaEntry {
  readonly pcr: number;
  /** As the list has it: SHA-1 in the kernel's usual lists, all zero for a violation. */
  readonly templateDigest: Buffer;
  /** `ima-ng`, `ima-sig`, …, or the field list of a custom template. */
  readonly template: string;
  /** What the kernel hashes for this entry. */
  readonly hashed: Buffer;
  readonly fields: readonly Buffer[];
}

/** What the fields of the known templates say. */
export interface ImaFileMeasurement {
  /** Bytes of the path, or a name such as `boot_aggregate`. Spaces were made underscores by the kernel. */
  readonly path: Buffer;
  /** `sha1`, `sha256`, … as the kernel names it. */
  readonly algorithm: string;
  readonly digest: Buffer;
  /** `ima` for the file's content, `verity` for its fs-verity digest. */
  readonly digestType: 'ima' | 'verity';
  /** Signature, buffer or whatever stands in the third field. */
  readonly extra: Buffer | null;
}

/**
 * A violation: a file that was open for writing while it was measured. The kernel extends ones for it, so nothing binds
 * what the entry says of the file.
 */
export function isImaViolation({ templateDigest }: ImaEntry): boolean {
  return templateDigest.every((byte) => byte === 0);
}
