import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type BenchContext, CannotRunError } from './bench-context.ts';
import { atLeast, atMost, type Figure, note } from './figure.ts';
import { readCpuMs, readMemoryMib } from './process-cost.ts';
import { createBenchNodes } from './round-supply.ts';
import type { ClientOrder, ClientReport } from './stream-clients.ts';
import { checkRunning, startVerifierProcess } from './verifier-process.ts';
import { measureVerifierRestart } from './verifier-restart.ts';

const STREAMS = 10_000;
const CLIENT_PROCESSES = 2;
const OPEN_TIMEOUT_MS = 150_000;
/** The verifier renews the challenge of a silent stream after 55 s: who gets it is really held. */
const HOLD_MS = 75_000;

/**
 * Ten thousand agents, each with a TLS connection and an Attest stream of its own and a kube node that is enrolled, held
 * by one verifier process; the clients are two other processes. Each says hello and gets a challenge. Then all are held
 * until each has got its next challenge. Before that: what a restart of the verifier loses.
 */
export async function benchStream(context: BenchContext): Promise<Figure[]> {
  context.say('a restart of the verifier while a container changes');
  const restart = await measureVerifierRestart(context);
  const streams = context.isQuick ? STREAMS / 10 : STREAMS;
  context.say(`enrolling ${streams} kube nodes`);
  const nodes = createBenchNodes(streams, 'node');
  const settings = { maxStreamsPerPeer: 10_000, maxMessagesPerSecond: 100_000 };
  const verifier = await startVerifierProcess(context, { nodes, agents: CLIENT_PROCESSES, settings });
  const bare = await readMemoryMib(verifier.process.pid);
  const rows = nodes.map(({ label, tpm }) => ({ label, ueid: tpm.ueid }));
  const share = Math.ceil(streams / CLIENT_PROCESSES);
  context.say('opening the streams');
  const start = performance.now();
  const clients = verifier.agents.map((tls, at) =>
    startClients(context, { address: verifier.listenAddress, tls, nodes: rows.slice(at * share, (at + 1) * share) }),
  );
  await waitUntil(() => sum(clients, 'held') >= streams || sum(clients, 'ended') > 0, OPEN_TIMEOUT_MS);
  const openMs = performance.now() - start;
  await checkRunning(context, verifier);
  const opened = sum(clients, 'held');
  context.say(`${opened} streams are open; holding them`);
  const cpuBefore = await readCpuMs(verifier.process.pid);
  const answersBefore = sum(clients, 'answers');
  await delay(HOLD_MS);
  await checkRunning(context, verifier);
  const cpuShare = ((await readCpuMs(verifier.process.pid)) - cpuBefore) / HOLD_MS;
  const memory = await readMemoryMib(verifier.process.pid);
  for (const client of clients) {
    const { lastError } = client.report();
    if (lastError !== '') context.say(`a client heard: ${lastError}`);
  }
  return [
    atLeast(streams, 'streams opened', opened, ''),
    atMost(0, 'streams that ended', sum(clients, 'ended'), ''),
    atLeast(streams, 'streams that got their next challenge', sum(clients, 'answers') - answersBefore, ''),
    note('time to open them', openMs / 1000, 's'),
    note('memory of the verifier for each stream', ((memory.now - bare.now) * 1024) / streams, 'KiB'),
    note('memory of the verifier', memory.now, 'MiB'),
    note('CPU of the verifier while it holds them', cpuShare * 100, '% of a core'),
    ...restart,
  ];
}

interface ClientProcess {
  readonly child: ChildProcess;
  report(): ClientReport;
}

function startClients(context: BenchContext, order: ClientOrder): ClientProcess {
  const script = fileURLToPath(new URL('stream-clients.ts', import.meta.url));
  const child = fork(script, [], { execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0123'] });
  let report: ClientReport = { held: 0, answers: 0, ended: 0, lastError: '' };
  child.on('message', (message: ClientReport) => {
    report = message;
  });
  context.defer(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
  });
  child.send(order);
  return { child, report: () => report };
}

function sum(clients: readonly ClientProcess[], name: 'held' | 'answers' | 'ended'): number {
  return clients.reduce((total, client) => total + client.report()[name], 0);
}

async function waitUntil(isDone: () => boolean, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!isDone()) {
    if (performance.now() > end) throw new CannotRunError('the clients did not get through in time');
    await delay(100);
  }
}
