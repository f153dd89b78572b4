import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { events } from '@holdfast/proto/containerd';
import { decodeEvent } from './containerd-events.ts';

/** Length-delimited text in field `number` of a message. */
function field(number: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
}

function decode(topic: string, ...fields: Buffer[]) {
  const event = { typeUrl: 'x', value: Buffer.concat(fields) };
  return decodeEvent(create(events.EnvelopeSchema, { namespace: 'n', topic, event }));
}

test('events of containers and tasks name their container', () => {
  assert.equal(decode('/containers/delete', field(1, 'c')).containerId, 'c');
  assert.equal(decode('/containers/create', field(1, 'c'), field(2, 'image')).containerId, 'c');
  assert.equal(decode('/tasks/start', field(1, 'c'), Buffer.from([0x10, 7])).containerId, 'c');
  assert.equal(decode('/tasks/exec-started', field(1, 'c'), field(2, 'exec'), Buffer.from([0x18, 7])).containerId, 'c');
  assert.equal(decode('/tasks/paused', field(1, 'c')).containerId, 'c');
});

test('a restored process is told from one that was started', () => {
  assert.equal(decode('/tasks/create', field(1, 'c'), field(2, '/bundle')).isRestored, false);
  assert.equal(decode('/tasks/create', field(1, 'c'), field(5, 'sha256:ab')).isRestored, true);
  assert.equal(decode('/tasks/create', field(1, 'c'), field(5, 'sha256:ab')).containerId, 'c');
});

test('the end of a first process is told from the end of a command', () => {
  assert.deepEqual(decode('/tasks/exit', field(1, 'c'), field(2, 'c')).execId, undefined);
  assert.deepEqual(decode('/tasks/exit', field(1, 'c'), field(2, 'probe')).execId, 'probe');
});

test('events of images, events without content and malformed ones keep their topic', () => {
  assert.deepEqual(decode('/images/update', field(1, 'name')).containerId, undefined);
  assert.deepEqual(decode('/tasks/exit', Buffer.from([0xff, 0xff])), {
    namespace: 'n',
    topic: '/tasks/exit',
    containerId: undefined,
    execId: undefined,
  });
  const empty = decodeEvent(create(events.EnvelopeSchema, { namespace: 'n', topic: '/tasks/oom' }));
  assert.equal(empty.containerId, undefined);
});
