import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type AttestedNode, startAttestedNode } from './attested-node.ts';
import type { BenchContext } from './bench-context.ts';
import { ContainerChanges } from './container-changes.ts';
import { atLeast, atMost, type Figure, note } from './figure.ts';
import { readCpuMs } from './process-cost.ts';
import { median, percentile } from './sampling.ts';

const HEARTBEAT_MS = 60_000;
/** The heartbeat, and the verifier's wish to hear from the agent, may both fall into a window of half a minute. */
const ROUTINE_ROUNDS = 2;

/**
 * From a write in a container to the signed result of the verifier that names it, as a responder who watches gets it: the
 * evidence is at the verifier before that. Writes go through the container's own mount. Then the same under 5,000
 * irrelevant writes a second in that container.
 */
export async function benchDrift(context: BenchContext): Promise<Figure[]> {
  context.say('starting containers, a TPM, a verifier and an agent');
  const node = await startAttestedNode(context, { containers: 3, heartbeatMs: HEARTBEAT_MS });
  const root = `/proc/${node.containers[0]?.pid}/root`;
  const changes = new ContainerChanges(node, root);
  await changes.make(3);
  context.say('changes in a quiet container');
  const quiet = await changes.make(context.isQuick ? 20 : 200);
  context.say('changes under 5,000 writes a second');
  const noise = startNoise(context, root);
  await noise.ready;
  await delay(3_000);
  const cost = await measureNoise(node, noise, context.isQuick ? 10_000 : 30_000);
  const loud = await changes.make(context.isQuick ? 10 : 80);
  return [
    atMost(250, 'a change seen, median', median(quiet), 'ms'),
    atMost(1_000, 'a change seen, p99', percentile(quiet, 99), 'ms'),
    atMost(5, 'CPU of the agent under noise', cost.share * 100, '% of a core'),
    atMost(ROUTINE_ROUNDS, 'rounds while nothing but noise was written', cost.rounds, ''),
    atMost(1_000, 'a change seen under noise, p99', percentile(loud, 99), 'ms'),
    note('a change seen under noise, median', median(loud), 'ms'),
    atLeast(4_500, 'irrelevant writes', cost.writesPerSecond, '/s'),
    note('changes, quiet', quiet.length, ''),
    note('changes, under noise', loud.length, ''),
  ];
}

interface Noise {
  readonly ready: Promise<unknown>;
  /** Writes so far. */
  written(): number;
}

function startNoise(context: BenchContext, root: string): Noise {
  const script = fileURLToPath(new URL('noise-writer.ts', import.meta.url));
  const child = fork(script, [root], { execArgv: ['--disable-warning=ExperimentalWarning'] });
  let written = 0;
  child.on('message', (message) => {
    if (typeof message === 'number') written = message;
  });
  context.defer(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit');
  });
  return { ready: once(child, 'message'), written: () => written };
}

async function measureNoise(node: AttestedNode, noise: Noise, forMs: number) {
  const read = async () => ({
    cpuMs: await readCpuMs(node.agent.process.pid),
    rounds: await node.countRounds(),
    written: noise.written(),
    atMs: performance.now(),
  });
  const before = await read();
  await delay(forMs);
  const after = await read();
  const ms = after.atMs - before.atMs;
  return {
    share: (after.cpuMs - before.cpuMs) / ms,
    rounds: after.rounds - before.rounds,
    writesPerSecond: ((after.written - before.written) * 1000) / ms,
  };
}
