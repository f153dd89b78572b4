import { hash } from 'node:crypto';

/** What an expected event stands for. A name of the kind `sectionName` comes before its `section`. */
export const EXPECTED_EVENT_KINDS = [
  'action',
  'separator',
  'image',
  'variable',
  'authority',
  'sectionName',
  'section',
  'loadOptions',
  'initrd',
] as const;
export type ExpectedEventKind = (typeof EXPECTED_EVENT_KINDS)[number];

/** One event that a boot must have. */
export interface ExpectedEvent {
  readonly pcr: number;
  readonly kind: ExpectedEventKind;
  /** For people: text of an action, name of a variable, a section or an image. */
  readonly name: string;
  /** SHA-256, hex; null for an initrd of which nobody can say it beforehand. */
  readonly digest: string | null;
  /** For an event that some stubs and firmware leave out, and that says nothing which others do not. */
  readonly optional?: boolean;
}

/** What a signed reference says of a boot: computed before any machine boots. As trustworthy as its signature. */
export interface BootReference {
  readonly version: 1;
  /** Null where none is built in or given. */
  readonly commandLine: string | null;
  /** Whether Secure Boot is on in the variables that were given; null where none were, and PCR 7 is not compared. */
  readonly secureBoot: boolean | null;
  /**
   * By index, hex: the values that each compared PCR can have when firmware and boot loader are done. Empty for a PCR of
   * which an event's digest is not known.
   */
  readonly pcrs: Readonly<Record<string, readonly string[]>>;
  /** Of the compared PCRs, in the order in which each is extended. */
  readonly events: readonly ExpectedEvent[];
}

/** Type of the predicate in which a reference travels. */
export const BOOT_PREDICATE_TYPE = 'urn:holdfast:predicate:boot:v1';

const MAX_ALTERNATIVES = 16;
const DIGEST_BYTES = 32;

/**
 * Computes the SHA-256 values that a PCR has after its events, with and without those that are optional, the most likely
 * (all of them) first. Empty where a digest is unknown or too many are optional.
 */
export function computePcrValues(events: readonly ExpectedEvent[], pcr: number): string[] {
  let values = [Buffer.alloc(DIGEST_BYTES)];
  for (const { digest, optional } of events.filter((event) => event.pcr === pcr)) {
    if (digest === null) return [];
    const extended = values.map((value) =>
      hash('sha256', Buffer.concat([value, Buffer.from(digest, 'hex')]), 'buffer'),
    );
    values = optional === true ? [...extended, ...values] : extended;
    if (values.length > MAX_ALTERNATIVES) return [];
  }
  return values.map((value) => value.toString('hex'));
}
