import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import type { ReplayedBank } from './replay-event-log.ts';
import { listPhaseSequences, parseUserspaceLog, replayUserspaceLog } from './userspace-log.ts';

interface MadeRecord {
  readonly pcr?: number;
  readonly text?: string;
  readonly digest?: string;
}

/** As systemd 255 writes it (tpm2-util.c). */
function makeRecord({ pcr = 11, text = 'ready', digest = hash('sha256', text) }: MadeRecord): object {
  const digests = [
    { hashAlg: 'sha1', digest: hash('sha1', text) },
    { hashAlg: 'sha256', digest },
  ];
  const content = { string: text, bootId: '0'.repeat(32), timestamp: 1234, eventType: 'phase' };
  return { pcr, digests, content_type: 'systemd', content };
}

function makeLog(...records: object[]): Buffer {
  return Buffer.from(records.map((record) => `\x1e${JSON.stringify(record)}\n`).join(''));
}

const BANK: ReplayedBank = {
  algorithm: { id: 11, name: 'sha256', bytes: 32, nodeName: 'sha256' },
  pcrs: new Map([[11, Buffer.alloc(32, 5)]]),
  incomplete: new Set(),
};
const extend = (value: Buffer, text: string) =>
  hash('sha256', Buffer.concat([value, hash('sha256', text, 'buffer')]), 'buffer');
const replay = (log: Buffer) => [...replayUserspaceLog(BANK, parseUserspaceLog(log))];

suite("the operating system's log", () => {
  test('gives PCRs, digests, and texts that hash to them', () => {
    const log = makeLog(
      makeRecord({ text: 'enter-initrd' }),
      makeRecord({ pcr: 15, text: 'a key', digest: 'ab'.repeat(32) }),
    );
    assert.deepEqual(parseUserspaceLog(log), [
      { pcr: 11, digest: hash('sha256', 'enter-initrd', 'buffer'), text: 'enter-initrd' },
      { pcr: 15, digest: Buffer.alloc(32, 0xab), text: null },
    ]);
    const index = { nv_index: 1, digests: [], content: {} };
    assert.deepEqual(parseUserspaceLog(makeLog(index)), [{ pcr: null, digest: null, text: null }]);
    assert.deepEqual(parseUserspaceLog(Buffer.alloc(0)), []);
  });

  test('leaves out a last record that is being written', () => {
    const log = makeLog(makeRecord({}), makeRecord({ text: 'shutdown' }));
    for (let cut = 1; cut < 100; cut += 1) assert.equal(parseUserspaceLog(log.subarray(0, -cut)).length, 1);
  });

  test('refuses what is no such log', () => {
    const refused = [
      Buffer.from('{}\n'),
      Buffer.from('\x1e[]\n'),
      Buffer.from('\x1e{"pcr":11}\n'),
      makeLog({ pcr: 32, digests: [] }),
      makeLog({ pcr: 1.5, digests: [] }),
      makeLog({ pcr: '11', digests: [] }),
      makeLog(makeRecord({ digest: 'AB'.repeat(32) })),
      makeLog({
        pcr: 11,
        digests: [
          { hashAlg: 'sha256', digest: 'a'.repeat(64) },
          { hashAlg: 'sha256', digest: 'b'.repeat(64) },
        ],
      }),
    ];
    for (const log of refused) assert.throws(() => parseUserspaceLog(log), evidenceError('ERR_EVIDENCE_MALFORMED'));
    assert.throws(() => parseUserspaceLog(Buffer.alloc((1 << 20) + 1)), evidenceError('ERR_EVIDENCE_LIMIT'));
    const many = makeLog(...Array.from({ length: 4097 }, () => ({ digests: [] })));
    assert.throws(() => parseUserspaceLog(many), evidenceError('ERR_EVIDENCE_LIMIT'));
    assertSurvivesHostileBytes(parseUserspaceLog, makeLog(makeRecord({}), makeRecord({ pcr: 15 })), {
      allowPrefix: true,
    });
  });

  test('continues the replay of the firmware, record by record', () => {
    const steps = replay(
      makeLog(makeRecord({ text: 'sysinit' }), makeRecord({ pcr: 23 }), makeRecord({ pcr: 15, text: 'machine-id:1' })),
    );
    const pcr11 = extend(Buffer.alloc(32, 5), 'sysinit');
    assert.deepEqual(
      steps.map(({ bank }) => [bank.pcrs.get(11), bank.pcrs.get(15)]),
      [
        [pcr11, undefined],
        [pcr11, extend(Buffer.alloc(32), 'machine-id:1')],
      ],
    );
    assert.deepEqual([...BANK.pcrs.keys()], [11]);
  });

  test('takes the word that separates firmware from operating system in any PCR, and nothing like it', () => {
    const separators = [0, 7, 12].map((pcr) => makeRecord({ pcr, text: 'os-separator' }));
    assert.equal(replay(makeLog(...separators)).length, 3);
    const forged = makeRecord({ pcr: 12, text: 'os-separator', digest: 'ab'.repeat(32) });
    assert.equal(replay(makeLog(forged, ...separators)).length, 0);
    assert.equal(replay(makeLog(makeRecord({ pcr: 12, text: 'ready' }))).length, 0);
  });

  test('believes no record under which an event of the boot could hide', () => {
    for (const record of [
      makeRecord({ pcr: 4 }),
      makeRecord({ pcr: 12 }),
      makeRecord({ pcr: 9 }),
      makeRecord({ text: '.cmdline\0' }),
      makeRecord({ text: 'quiet init=/bin/sh' }),
      makeRecord({ text: 'ready', digest: 'ab'.repeat(32) }),
      { pcr: 11, digests: [] },
    ]) {
      assert.equal(replay(makeLog(makeRecord({ text: 'sysinit' }), record, makeRecord({}))).length, 1);
    }
  });

  test('phases without a log are those of systemd, from the initrd or without one', () => {
    const words = listPhaseSequences().map((sequence) => sequence.map(({ text }) => text).join(' '));
    assert.ok(words.includes('enter-initrd leave-initrd sysinit ready') && words.includes('sysinit ready'));
    assert.ok(!words.includes('') && !words.includes('ready') && words.length === 10);
    for (const sequence of listPhaseSequences()) {
      assert.equal([...replayUserspaceLog(BANK, sequence)].length, sequence.length);
    }
  });
});
