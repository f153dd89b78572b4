import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { readBootImages } from './boot-images.ts';
import { findVerifiedForm } from './event-data.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { LogEvent } from './parse-event-log.ts';

/** Zeros with something behind them, in bytes and in UTF-16: no text ends in them. */
const ZEROS = Buffer.concat([Buffer.alloc(8 * 1024 * 1024), Buffer.from('a\0')]);
const INITRD_TAG = Buffer.from('ec223b8f00000000', 'hex');
const ALGORITHMS = [{ id: 11, name: 'sha256', nodeName: 'sha256', bytes: 32 }] as const;

function createEvent(pcr: number, typeId: number, data: Buffer): LogEvent {
  return { index: 1, pcr, typeId, type: 'EV', digests: new Map([['sha256', hash('sha256', 'other', 'buffer')]]), data };
}

test('data of any length is compared with its digest', () => {
  assert.equal(findVerifiedForm(createEvent(12, EVENT_TYPE.EV_IPL, ZEROS), ALGORITHMS), undefined);
});

test('names of files and initrds end where their zeros do not', () => {
  const data = [ZEROS.subarray(0, -1), Buffer.concat([INITRD_TAG, ZEROS.subarray(0, -1)])];
  const [file, initrd] = data.map((bytes, at) =>
    createEvent(9, at === 0 ? EVENT_TYPE.EV_IPL : EVENT_TYPE.EV_EVENT_TAG, bytes),
  );
  assert.ok(file !== undefined && initrd !== undefined);
  const verified = [file, initrd].map((event) => ({ event, form: undefined, dataVerified: false }));
  const { files, initrds } = readBootImages(verified);
  assert.deepEqual([files[0]?.name?.length, initrds[0]?.name?.length], [ZEROS.length - 1, ZEROS.length - 1]);
});
