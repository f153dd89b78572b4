import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ContainerClaims, MountClaims } from '@holdfast/evidence';
import { judgeContainer } from './judge-container.ts';

const DIFF_ID = `sha256:${'ab'.repeat(32)}`;
const BLOB = { sha256: 'cd'.repeat(32), bytes: 1 };

function createClaims(change: (claims: ContainerClaims) => void = () => undefined): ContainerClaims {
  const claims: ContainerClaims = {
    type: 'container',
    id: 'c',
    namespace: 'k8s.io',
    name: 'c',
    pod: null,
    sandbox: false,
    runtime: 'io.containerd.runc.v2',
    started: null,
    status: 'running',
    image: {
      reference: null,
      index: null,
      manifest: DIFF_ID,
      config: DIFF_ID,
      chainId: DIFF_ID,
      platform: null,
      layers: [{ diffId: DIFF_ID, chainId: DIFF_ID, proof: 'content' }],
      via: {},
      retagged: false,
    },
    rootfs: { driver: 'overlayfs', snapshotKey: 'c', lowerCount: 1, upper: true },
    inventory: BLOB,
    baseline: BLOB,
    drift: BLOB,
    driftCounts: { relevant: 0, other: 7 },
    process: null,
    security: null,
    mounts: [],
    running: { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] },
    scan: { complete: true, limits: [], timed: false },
  };
  change(claims);
  return claims;
}

function createMount(change: Partial<MountClaims>): MountClaims {
  const mount = { path: '/data', fsType: 'ext4', source: 'x', readonly: false, inSpec: true, coversImage: true };
  return { ...mount, ...change };
}

suite('what a live look at a container ends in', () => {
  test('a proven image without relevant drift is unchanged, however much else was written', () => {
    const judged = judgeContainer(createClaims());
    assert.deepEqual(judged, {
      verdict: 'unchanged',
      reasons: [],
      notes: [],
      volumes: [],
      proof: { content: 1, tarSplit: 0, firstUse: 0, none: 0 },
    });
  });

  const limited = (limit: string) => (claims: ContainerClaims) => {
    claims.scan = { complete: false, limits: [limit], timed: false };
  };

  test('drift, tampered layers, foreign code and mounts that nobody asked for are changes', () => {
    for (const [change, reason] of [
      [(claims: ContainerClaims) => (claims.driftCounts = { relevant: 2, other: 0 }), 'drift:2'],
      [limited('layerContent:/bin/sh'), 'layerContent:/bin/sh'],
      [(claims: ContainerClaims) => claims.running?.transient.push('/t'), 'ran:/t'],
      [limited('rootMismatch'), 'rootMismatch'],
      [(claims: ContainerClaims) => claims.mounts.push(createMount({ inSpec: false })), 'mount:/data'],
    ] as const) {
      const { verdict, reasons } = judgeContainer(createClaims(change));
      assert.deepEqual([verdict, reasons], ['changed', [reason]]);
    }
  });

  test('a layer that was not compared, and an image that nobody knows, are unproven', () => {
    const unproven = createClaims(({ image }) => {
      image.layers = [{ diffId: DIFF_ID, chainId: DIFF_ID, proof: 'firstUse' }];
    });
    assert.equal(judgeContainer(unproven).verdict, 'unproven');
    assert.deepEqual(judgeContainer(unproven).reasons, [`layer:firstUse:${DIFF_ID}`]);
    const unknown = createClaims((claims) => {
      claims.image.manifest = null;
      claims.scan.limits.push('imageUnknown');
    });
    assert.deepEqual(judgeContainer(unknown).reasons, ['imageUnknown']);
    assert.equal(judgeContainer(unknown).verdict, 'unproven');
    assert.equal(judgeContainer(createClaims(({ image }) => image.layers.splice(0))).verdict, 'unproven');
  });

  test('any other limit, and a drift that is missing, decide nothing', () => {
    assert.equal(judgeContainer(createClaims(limited('inventory:stanzas /x'))).verdict, 'undecided');
    assert.equal(judgeContainer(createClaims(limited('layerContentOfAnotherName'))).verdict, 'undecided');
    const missing = createClaims((claims) => {
      claims.drift = null;
      claims.driftCounts = null;
    });
    assert.deepEqual([judgeContainer(missing).verdict, judgeContainer(missing).reasons], ['undecided', ['drift']]);
    const unsupported = createClaims((claims) => {
      claims.status = 'unsupported';
      claims.image.layers = [];
      claims.scan.limits.push('unsupported:userNamespace');
    });
    assert.deepEqual(judgeContainer(unsupported).reasons, ['unsupported:userNamespace']);
    assert.equal(judgeContainer(unsupported).verdict, 'undecided');
  });

  test('a change counts more than what could not be decided beside it', () => {
    const claims = createClaims((each) => {
      each.driftCounts = { relevant: 1, other: 0 };
      each.scan.limits.push('inventory:time /');
    });
    assert.equal(judgeContainer(claims).verdict, 'changed');
    assert.deepEqual(judgeContainer(claims).reasons, ['drift:1', 'inventory:time /']);
  });

  test('volumes over the image are named and change nothing; what the kernel makes is no volume', () => {
    const claims = createClaims(({ mounts }) =>
      mounts.push(
        createMount({}),
        createMount({ path: '/proc', fsType: 'proc' }),
        createMount({ path: '/dev/shm', fsType: 'tmpfs' }),
        createMount({ path: '/elsewhere', coversImage: false }),
      ),
    );
    const { verdict, volumes } = judgeContainer(claims);
    assert.deepEqual([verdict, volumes], ['unchanged', ['/data']]);
  });
});
