import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { encodeKeyFile, parseKeyFile } from './key-file.ts';

const blob = (seed: number) => ({
  private: Buffer.alloc(60, seed),
  public: Buffer.alloc(90, seed),
  auth: Buffer.alloc(32, seed),
});
const keys = {
  ekTemplate: 'L-1' as const,
  ekName: Buffer.alloc(34, 9),
  createdAtMs: 1_700_000_000_000,
  ak: blob(1),
  signing: blob(2),
};
const file = encodeKeyFile(keys);

function isRefusal(error: unknown): boolean {
  return error instanceof AgentError && error.code === 'ERR_AGENT_KEYS';
}

test('a key file says the same after it was written and read', () => {
  assert.deepEqual(parseKeyFile(file), keys);
});

test('a key file of an agent that kept no time is as old as can be', () => {
  const { createdAtMs: _, ...fields } = JSON.parse(file.toString());
  assert.equal(parseKeyFile(Buffer.from(JSON.stringify(fields))).createdAtMs, 0);
  assert.throws(() => parseKeyFile(Buffer.from(JSON.stringify({ ...fields, createdAtMs: -1 }))), isRefusal);
});

test('a key file that is cut off anywhere is refused', () => {
  for (let size = 0; size < file.length - 1; size += 1)
    assert.throws(() => parseKeyFile(file.subarray(0, size)), isRefusal);
});

test('a flipped bit is refused or changes the keys, and never throws anything else', () => {
  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const flipped = Buffer.from(file);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    try {
      parseKeyFile(flipped);
    } catch (error) {
      assert.ok(isRefusal(error));
    }
  }
});

test('random bytes are refused', () => {
  for (let round = 0; round < 200; round += 1) assert.throws(() => parseKeyFile(randomBytes(round)), isRefusal);
});

test('an auth value of another length, another format and a missing blob are refused', () => {
  const change = (edit: object) => Buffer.from(JSON.stringify({ ...JSON.parse(file.toString()), ...edit }));
  const encoded = JSON.parse(file.toString());
  assert.throws(() => parseKeyFile(change({ ak: { ...encoded.ak, auth: 'AAAA' } })), isRefusal);
  assert.throws(() => parseKeyFile(change({ format: 'holdfast-keys-v2' })), isRefusal);
  assert.throws(() => parseKeyFile(change({ signing: null })), isRefusal);
  assert.throws(() => parseKeyFile(change({ ekTemplate: 'L-7' })), isRefusal);
});
