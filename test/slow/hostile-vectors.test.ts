import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryUsage } from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  EvidenceError,
  parseAttest,
  parseEventLog,
  parseImaList,
  parseSignature,
  readBootFacts,
  replayEventLog,
  summariseIma,
} from '@holdfast/evidence';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const OWN = join(CHECKOUT, 'test/vectors');
const SHARED = join(CHECKOUT, '../shared/vectors');
const FOLDER = existsSync(SHARED) ? SHARED : OWN;
/** Every bit of what is shorter is flipped; of the rest a sample, spread evenly. */
const EVERY_BIT_BYTES = 64 * 1024;
const SAMPLED_BITS = 8 * EVERY_BIT_BYTES;
const RANDOM_ROUNDS = 2_000;
/** One input, whatever it is, on a machine that does other things too: thousands of times what the largest log here takes. */
const MAX_PARSE_MS = 10_000;
const MAX_GROWTH_MIB = 512;

/** What was parsed of one input in so many is also used: replayed, its facts read. */
const USE_EVERY = 16;

/** `use` says whether the parsed value is to be used too. */
type Parse = (bytes: Buffer, use: boolean) => unknown;

const PARSERS: Readonly<Record<string, Parse>> = {
  eventLog: (bytes, use) => {
    const log = parseEventLog(bytes);
    return use ? [replayEventLog(log), readBootFacts(log)] : log;
  },
  ima: (bytes, use) => {
    const entries = parseImaList(bytes);
    return use ? summariseIma(entries) : entries;
  },
  attest: parseAttest,
  signature: parseSignature,
};

interface Sample {
  readonly name: string;
  readonly parse: Parse;
  readonly bytes: Buffer;
}

function listSamples(): Sample[] {
  const of = (folder: string, pattern: RegExp, parser: string): Sample[] =>
    readdirSync(join(FOLDER, folder))
      .filter((name) => pattern.test(name))
      .map((name) => ({
        name: `${folder}/${name}`,
        parse: PARSERS[parser] ?? assert.fail(parser),
        bytes: readFileSync(join(FOLDER, folder, name)),
      }));
  const boots = readdirSync(join(FOLDER, 'measured-boot')).map((name) => join('measured-boot', name));
  return [
    ...of('event-logs', /\.bin$/, 'eventLog'),
    ...of('ima', /^ima-log/, 'ima'),
    ...boots.flatMap((boot) => [
      ...of(boot, /^binary_bios_measurements$/, 'eventLog'),
      ...of(boot, /^ima_(?:before|after|quote|ascii)$/, 'ima'),
      ...of(boot, /^quote\.msg$/, 'attest'),
      ...of(boot, /^quote\.sig$/, 'signature'),
    ]),
  ];
}

/** 32-bit numbers, the same for the same seed (xorshift). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Milliseconds that the parser took; anything but an answer or an `EvidenceError` fails. */
function feed({ name, parse }: Sample, bytes: Buffer, what: string, use: boolean): number {
  const begin = performance.now();
  try {
    parse(bytes, use);
  } catch (error) {
    assert.ok(error instanceof EvidenceError, `${name}, ${what}: ${String(error)}`);
  }
  return performance.now() - begin;
}

function* mutate({ bytes }: Sample): Generator<[what: string, bytes: Buffer]> {
  for (let length = 0; length <= bytes.length; length += 1) yield [`cut at ${length}`, bytes.subarray(0, length)];
  const bits = bytes.length * 8;
  const step = bytes.length <= EVERY_BIT_BYTES ? 1 : bits / SAMPLED_BITS;
  const flipped = Buffer.from(bytes);
  for (let at = 0; at < bits; at += step) {
    const bit = Math.floor(at);
    const byte = flipped.readUInt8(bit >> 3);
    flipped.writeUInt8(byte ^ (1 << (bit & 7)), bit >> 3);
    yield [`bit ${bit}`, flipped];
    flipped.writeUInt8(byte, bit >> 3);
  }
  const random = createRandom(0x5eed);
  for (let round = 0; round < RANDOM_ROUNDS; round += 1) {
    const noise = Buffer.from(Array.from({ length: random() % 512 }, () => random() & 0xff));
    const head = bytes.subarray(0, random() % (bytes.length + 1));
    yield [`random ${round}`, round % 2 === 0 ? noise : Buffer.concat([head, noise])];
  }
}

test('no vector, cut, flipped or made of noise, gets more out of a parser than a refusal', {
  timeout: 1_800_000,
}, (t) => {
  const before = memoryUsage().rss;
  let [inputs, worstMs] = [0, 0];
  const samples = listSamples();
  for (const sample of samples) {
    for (const [what, bytes] of mutate(sample)) {
      const tookMs = feed(sample, bytes, what, inputs % USE_EVERY === 0);
      assert.ok(tookMs < MAX_PARSE_MS, `${sample.name}, ${what}: ${tookMs} ms`);
      worstMs = Math.max(worstMs, tookMs);
      inputs += 1;
    }
  }
  const grownMib = (memoryUsage().rss - before) / 1024 / 1024;
  assert.ok(grownMib < MAX_GROWTH_MIB, `memory grew by ${grownMib} MiB`);
  assert.ok(samples.length >= 12 && inputs > 100_000);
  t.diagnostic(
    `${samples.length} files, ${inputs} inputs, slowest ${worstMs.toFixed(1)} ms, ${grownMib.toFixed(0)} MiB`,
  );
});
