import assert from 'node:assert/strict';
import { EvidenceError } from '../evidence-error.ts';

type Parse = (bytes: Buffer) => unknown;

interface HostileOptions {
  /** Accept that some prefix of the sample is whole by itself. */
  readonly allowPrefix?: boolean;
  /** Cut at every n-th length only. */
  readonly cutStep?: number;
  /** Flip every n-th bit only. */
  readonly flipStep?: number;
  readonly randomRounds?: number;
}

/** Feeds a parser its sample cut at each length, with each bit flipped, and seeded random bytes. */
export function assertSurvivesHostileBytes(parse: Parse, sample: Buffer, options: HostileOptions = {}): void {
  parse(sample);
  for (let length = 0; length < sample.length; length += options.cutStep ?? 1) {
    const accepted = isAccepted(parse, sample.subarray(0, length));
    assert.ok(!accepted || options.allowPrefix === true, `a prefix of ${length} bytes was accepted`);
  }
  for (let bit = 0; bit < sample.length * 8; bit += options.flipStep ?? 1) isAccepted(parse, flipBit(sample, bit));
  const random = createRandom(0x5eed);
  for (let round = 0; round < (options.randomRounds ?? 200); round += 1) {
    const bytes = Buffer.from(Array.from({ length: random() % 300 }, () => random() & 0xff));
    const spliced = Buffer.concat([sample.subarray(0, random() % sample.length), bytes]);
    isAccepted(parse, round % 2 === 0 ? bytes : spliced);
  }
}

/** Says whether a parser took the bytes; any error but `EvidenceError` fails the test. */
export function isAccepted(parse: Parse, bytes: Buffer): boolean {
  try {
    parse(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof EvidenceError, `not an EvidenceError: ${String(error)}`);
    return false;
  }
}

export function flipBit(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return flipped;
}

/** 32-bit numbers, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** For `assert.throws`. */
export function evidenceError(code: EvidenceError['code']): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EvidenceError, `not an EvidenceError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  };
}
