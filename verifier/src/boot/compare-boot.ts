import { hash } from 'node:crypto';
import type { BootFacts, BootReference, ExpectedEvent } from '@holdfast/evidence';

export type MeasuredEvent = BootFacts['events'][number];

/** One place where a measured boot is not the expected one: an event that is missing, one too many, or both. */
export interface BootDifference {
  readonly pcr: number;
  readonly expected: ExpectedEvent | null;
  readonly actual: MeasuredEvent | null;
}

const NO_ACTION = 3;
/** A boot log has some dozens; what is beyond is a difference anyway. */
const MAX_EVENTS = 1024;
const CALLING = hash('sha256', 'Calling EFI Application from Boot Option');
const RETURNING = hash('sha256', 'Returning from EFI Application from Boot Option');

/**
 * Compares the events of a log that a quote vouches for with a reference, PCR by PCR, by digest and order alone: types
 * and data of events play no part. Empty where the boot is the expected one.
 */
export function compareBoot({ pcrs, events }: BootReference, measured: readonly MeasuredEvent[]): BootDifference[] {
  return Object.keys(pcrs).flatMap((key) => {
    const pcr = Number(key);
    const own = measured.filter(({ event }) => event.pcr === pcr && event.typeId !== NO_ACTION);
    const actual = pcr === 4 ? dropAttempts(own) : own;
    const expected = events.filter((event) => event.pcr === pcr);
    const beyond = actual.slice(MAX_EVENTS, MAX_EVENTS + 1).map((event) => ({ pcr, expected: null, actual: event }));
    return [...comparePcr(pcr, expected, actual.slice(0, MAX_EVENTS)), ...beyond];
  });
}

/** SHA-256 of an event, hex; empty for one that has none, which equals nothing. */
export function digestOf({ event }: MeasuredEvent): string {
  return event.digests.get('sha256')?.toString('hex') ?? '';
}

function comparePcr(
  pcr: number,
  expected: readonly ExpectedEvent[],
  actual: readonly MeasuredEvent[],
): BootDifference[] {
  const pairs = [...alignEvents(expected, actual), { expectedAt: expected.length, actualAt: actual.length }];
  const differences: BootDifference[] = [];
  let [fromExpected, fromActual] = [0, 0];
  for (const { expectedAt, actualAt } of pairs) {
    const missing = expected.slice(fromExpected, expectedAt).filter(({ optional }) => optional !== true);
    const added = actual.slice(fromActual, actualAt);
    for (let at = 0; at < Math.max(missing.length, added.length); at += 1) {
      differences.push({ pcr, expected: missing[at] ?? null, actual: added[at] ?? null });
    }
    [fromExpected, fromActual] = [expectedAt + 1, actualAt + 1];
  }
  return differences;
}

/** Boot options that failed: that firmware calls again and that one came back starts nothing by itself. */
function dropAttempts(events: readonly MeasuredEvent[]): MeasuredEvent[] {
  const first = events.find((event) => digestOf(event) === CALLING);
  return events.filter((event) => event === first || ![CALLING, RETURNING].includes(digestOf(event)));
}

interface Pair {
  readonly expectedAt: number;
  readonly actualAt: number;
}

/** The longest common subsequence: places of both lists that stand for each other, in order. */
function alignEvents(expected: readonly ExpectedEvent[], actual: readonly MeasuredEvent[]): Pair[] {
  const digests = actual.map(digestOf);
  const isSame = (a: number, b: number) => {
    const digest = expected[a]?.digest;
    return digest === null || digest === digests[b];
  };
  const lengths = measureCommon(expected.length, digests.length, isSame);
  const at = (a: number, b: number) => lengths[a]?.[b] ?? 0;
  const pairs: Pair[] = [];
  let [a, b] = [0, 0];
  while (a < expected.length && b < digests.length) {
    if (isSame(a, b) && at(a, b) === at(a + 1, b + 1) + 1) {
      pairs.push({ expectedAt: a, actualAt: b });
      a += 1;
      b += 1;
    } else if (at(a + 1, b) >= at(a, b + 1)) a += 1;
    else b += 1;
  }
  return pairs;
}

/** `[a][b]`: the length of the longest common subsequence of what begins there. */
function measureCommon(rows: number, columns: number, isSame: (a: number, b: number) => boolean): Uint16Array[] {
  const lengths = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  for (let a = rows - 1; a >= 0; a -= 1) {
    const [row, below] = [lengths[a], lengths[a + 1]];
    if (row === undefined || below === undefined) continue;
    for (let b = columns - 1; b >= 0; b -= 1) {
      row[b] = isSame(a, b) ? (below[b + 1] ?? 0) + 1 : Math.max(below[b] ?? 0, row[b + 1] ?? 0);
    }
  }
  return lengths;
}
