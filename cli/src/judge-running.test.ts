import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CodeOrigin, ContainerClaims, RunningClaims } from '@holdfast/evidence';
import { judgeRunning } from './judge-running.ts';

const NOTHING: RunningClaims = { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] };
const judge = (running: Partial<RunningClaims>) =>
  judgeRunning({ running: { ...NOTHING, ...running } } as Pick<ContainerClaims, 'running'> as ContainerClaims);
const program = { path: '/x', origin: 'layer' as const, sha256: null };
const code = (origin: CodeOrigin) => ({ code: [{ ...program, origin, use: 'program' as const }] });

suite('what a live look says of what runs', () => {
  test('code of the image is nothing, code from elsewhere a change, from a volume a note, from nowhere open', () => {
    assert.deepEqual(judge(code('layer')), { changes: [], open: [], notes: [] });
    for (const origin of ['upper', 'tmpfs', 'memfd', 'deleted'] as const) {
      assert.deepEqual(judge(code(origin)), { changes: [`runs:${origin}:/x`], open: [], notes: [] });
    }
    assert.deepEqual(judge(code('volume')), { changes: [], open: [], notes: ['runs:volume:/x'] });
    for (const origin of ['host', 'unknown'] as const) {
      assert.deepEqual(judge(code(origin)), { changes: [], open: [`runs:${origin}:/x`], notes: [] });
    }
  });

  test('decoys, what was executed and is gone, and a library that a process asked for are changes', () => {
    const injected = { path: '/x', name: 'LD_PRELOAD', value: '/y' };
    const judged = judge({
      foreign: [{ ...program, sees: 'otherRoot' }],
      transient: ['/t'],
      injected: [{ ...injected, from: 'process' }],
    });
    assert.deepEqual(judged.changes, ['ran:/t', 'otherRoot:/x', 'LD_PRELOAD=/y']);
    assert.deepEqual(judge({ injected: [{ ...injected, from: 'image' }] }).changes, []);
  });

  test('commands from outside and executable memory are notes', () => {
    const { notes, changes } = judge({ executed: [{ ...program, terminal: true }], anonymous: [program] });
    assert.deepEqual([notes, changes], [['executed:/x at a terminal', 'anonymousCode:/x'], []]);
  });
});
