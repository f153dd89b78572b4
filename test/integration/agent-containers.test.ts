import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { type ContainerClaims, parseClaimsSet, parseDrift, parseInventory } from '@holdfast/evidence';
import {
  listBusyboxEntries,
  type RunningContainer,
  startContainerd,
  type TestContainerd,
  whyNoContainerd,
} from '@holdfast/scripts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import type { SeenRound } from './agent-peer.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const IDLE = { Cmd: ['sleep', '100000'] };
const options = { skip, timeout: 120_000 };
let swtpm: Swtpm;
let containerd: TestContainerd;
let world: AgentWorld;
let agent: RunningAgent;
let container: RunningContainer;

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  containerd = await startContainerd();
  const layers = [{ entries: await listBusyboxEntries() }, { entries: [{ path: 'app', content: 'one' }] }];
  const image = await containerd.addImage({ name: 'docker.io/holdfast/app:1', layers, config: IDLE });
  container = await containerd.run({ image: image.name });
  world = await createAgentWorld();
  world.peer.isCurious = true;
  agent = await startAgent(
    world.configure({ tpm: { tcti: swtpm.tcti }, runtime: { containerd: containerd.address }, heartbeatMs: 2_000 }),
  );
});

after(async () => {
  await agent?.close();
  await world?.close();
  await containerd?.close();
  await swtpm?.close();
});

function readClaims(round: SeenRound, id: string): ContainerClaims | undefined {
  const index = round.sets.get('containers');
  if (index === undefined) return undefined;
  const { containers } = parseClaimsSet(index, 'containers');
  const set = world.peer.contents.get(containers[id] ?? '');
  return set && parseClaimsSet(set, 'container', id);
}

/** The first round from now on in which the container looks so. */
async function waitForClaims(id: string, condition: (claims: ContainerClaims) => boolean): Promise<ContainerClaims> {
  const end = Date.now() + 30_000;
  for (let at = Math.max(0, world.peer.rounds.length - 1); Date.now() < end; ) {
    const round = world.peer.rounds[at];
    if (round === undefined) {
      await sleep(20);
      continue;
    }
    at += 1;
    const claims = readClaims(round, id);
    if (claims !== undefined && condition(claims)) return claims;
  }
  throw new Error(`no such claims in ${world.peer.rounds.length} rounds: ${world.peer.failures.join('; ')}`);
}

test('a running container is claimed with all that its claims name', options, async () => {
  const claims = await waitForClaims(container.id, ({ scan, inventory }) => scan.complete && inventory !== null);
  assert.equal(claims.image.layers.length, 2);
  const inventory = parseInventory(world.peer.contents.get(claims.inventory?.sha256 ?? '') ?? Buffer.alloc(0));
  assert.deepEqual(inventory.databases, []);
  const drift = parseDrift(world.peer.contents.get(claims.drift?.sha256 ?? '') ?? Buffer.alloc(0));
  assert.deepEqual(drift.relevant, []);
});

test('a file that is replaced in a container is in a signed round soon', options, async () => {
  await waitForClaims(container.id, ({ scan }) => scan.complete);
  const changedMs = performance.now();
  await containerd.exec(container, ['/bin/sh', '-c', 'echo two > /app']);
  const claims = await waitForClaims(container.id, ({ driftCounts }) => (driftCounts?.relevant ?? 0) > 0);
  const elapsedMs = performance.now() - changedMs;
  const drift = parseDrift(world.peer.contents.get(claims.drift?.sha256 ?? '') ?? Buffer.alloc(0));
  assert.deepEqual(
    drift.relevant.map(({ kind, path }) => `${kind} ${path}`),
    ['modified /app'],
  );
  assert.ok(elapsedMs < 5_000, `${elapsedMs} ms`);
});

test('a container that ends leaves the claims', options, async () => {
  await containerd.remove(container);
  const end = Date.now() + 20_000;
  const isGone = () => {
    const last = world.peer.rounds.at(-1);
    return last !== undefined && readClaims(last, container.id) === undefined;
  };
  while (!isGone()) {
    assert.ok(Date.now() < end, 'still claimed');
    await sleep(50);
  }
  assert.deepEqual(world.peer.failures, []);
});
