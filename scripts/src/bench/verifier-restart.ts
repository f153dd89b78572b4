import { setTimeout as delay } from 'node:timers/promises';
import { startAttestedNode } from './attested-node.ts';
import type { BenchContext } from './bench-context.ts';
import { APART_MS, ContainerChanges } from './container-changes.ts';
import { atMost, type Figure, note } from './figure.ts';

const CHANGES = 5;

/**
 * Kills the verifier, changes a container while it is down, and starts it again: every round of the agent's chain has to
 * arrive. A hole that the agent does not declare makes CHAIN_GAP; what it had to drop it declares.
 */
export async function measureVerifierRestart(context: BenchContext): Promise<Figure[]> {
  const node = await startAttestedNode(context, { containers: 1, heartbeatMs: 60_000 });
  let gaps = 0;
  node.onResult(({ findings }) => {
    if (findings.some(({ code }) => code === 'CHAIN_GAP' || code === 'CHAIN_FORK')) gaps += 1;
  });
  const changes = new ContainerChanges(node, `/proc/${node.containers[0]?.pid}/root`);
  await changes.make(1);
  const before = await node.countRounds();
  await node.restartVerifier(async () => {
    for (let made = 0; made < CHANGES; made += 1) {
      changes.makeUnseen();
      await delay(APART_MS);
    }
  });
  await changes.make(1);
  return [
    atMost(0, 'rounds lost over a restart of the verifier', (await node.countLosses()) + gaps, ''),
    note('rounds accepted after the restart', (await node.countRounds()) - before, ''),
  ];
}
