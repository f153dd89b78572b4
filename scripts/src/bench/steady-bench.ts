import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from '../world/named-process.ts';
import { runTool } from '../world/run-tool.ts';
import { type AttestedNode, startAttestedNode } from './attested-node.ts';
import type { BenchContext } from './bench-context.ts';
import { atMost, type Figure, note } from './figure.ts';
import { readCpuMs, readMemoryMib } from './process-cost.ts';
import { median } from './sampling.ts';

const CONTAINERS = 100;
const FAST_HEARTBEAT_MS = 1_000;
const DEFAULT_HEARTBEAT_MS = 60_000;
const WINDOWS = 5;
/** By then what came with the start is over: everything is walked once more after half a minute, which is no round's work. */
const REST_MS = 45_000;

/**
 * An agent with a hundred real, unchanged containers of one image. With a heartbeat of a second: CPU of the agent's whole
 * process (the software TPM is another process, so that its own time is not in it), and bytes of the TCP connection to the
 * verifier, both ways. Then files opened below the containers' storage by strace. Then CPU and memory at the default
 * heartbeat: what that CPU is less for each second is a round's, and the rest is spent whether there are rounds or not.
 */
export async function benchSteady(context: BenchContext): Promise<Figure[]> {
  const containers = context.isQuick ? 30 : CONTAINERS;
  context.say(`starting ${containers} containers, a TPM, a verifier and an agent`);
  const node = await startAttestedNode(context, { containers, heartbeatMs: FAST_HEARTBEAT_MS });
  context.say('waiting until what came with the start is over');
  await delay(context.isQuick ? 5_000 : REST_MS);
  context.say('rounds at a heartbeat of one second');
  const windows: Window[] = [];
  for (let at = 0; at < WINDOWS; at += 1) windows.push(await measureWindow(node, context.isQuick ? 4_000 : 12_000));
  context.say('files opened, by strace');
  const opened = await countOpened(context, node);
  context.say('the default heartbeat');
  await node.restartAgent(DEFAULT_HEARTBEAT_MS);
  await node.settle();
  await delay(context.isQuick ? 20_000 : REST_MS);
  const idle = await measureWindow(node, context.isQuick ? 65_000 : 120_000);
  const memory = await readMemoryMib(node.agent.process.pid);
  return [
    atMost(5, 'CPU of a steady round', median(windows.map((window) => toRoundMs(window, idle))), 'ms'),
    note(
      'CPU of the agent at a heartbeat of a second',
      median(windows.map(({ cpuShare }) => cpuShare)) * 100,
      '% of a core',
    ),
    atMost(4, 'a steady round on the wire, both ways', median(windows.map(({ bytes }) => bytes)) / 1024, 'KiB'),
    atMost(0, 'files opened in unchanged roots', opened.files, ''),
    note('rounds while files were watched', opened.rounds, ''),
    atMost(120, 'memory of the agent', memory.now, 'MiB'),
    note('memory of the agent, peak', memory.peak, 'MiB'),
    atMost(1, 'CPU of the agent at the default heartbeat', idle.cpuShare * 100, '% of a core'),
    note('containers', containers, ''),
  ];
}

interface Window {
  /** Of the time on the wall. */
  readonly cpuShare: number;
  readonly roundsPerMs: number;
  /** Of one round. */
  readonly bytes: number;
}

/** CPU of one round, in ms: what the agent uses more of a core where it makes more rounds. */
function toRoundMs(fast: Window, idle: Window): number {
  return (fast.cpuShare - idle.cpuShare) / (fast.roundsPerMs - idle.roundsPerMs);
}

async function measureWindow(node: AttestedNode, forMs: number): Promise<Window> {
  const read = async () => ({
    cpuMs: await readCpuMs(node.agent.process.pid),
    bytes: await readWireBytes(node),
    rounds: await node.countRounds(),
    atMs: performance.now(),
  });
  const before = await read();
  await delay(forMs);
  const after = await read();
  const [rounds, ms] = [after.rounds - before.rounds, after.atMs - before.atMs];
  if (rounds < 1) throw new Error('no round was made');
  return {
    cpuShare: (after.cpuMs - before.cpuMs) / ms,
    roundsPerMs: rounds / ms,
    bytes: (after.bytes - before.bytes) / rounds,
  };
}

/** Bytes of the agent's connections to the verifier, both ways, TLS and HTTP/2 included, as the kernel counts them. */
async function readWireBytes({ agent, verifierAddress }: AttestedNode): Promise<number> {
  const text = (await runTool('ss', ['-tinpHO', 'dst', verifierAddress])).toString();
  const lines = text.split('\n').filter((line) => line.includes(`pid=${agent.process.pid},`));
  const sum = (name: string) =>
    lines.reduce((total, line) => total + Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0), 0);
  return sum('bytes_sent') + sum('bytes_received');
}

/** Opens of anything below the runtime's storage but of directories (which the walk by stat lists) and bare handles. */
async function countOpened(context: BenchContext, node: AttestedNode): Promise<{ files: number; rounds: number }> {
  const output = join(context.directory, 'strace.txt');
  const before = await node.countRounds();
  const args = [
    '-f',
    '-y',
    '-qq',
    '-e',
    'trace=open,openat,openat2',
    '-o',
    output,
    '-p',
    String(node.agent.process.pid),
  ];
  const strace = spawn('strace', args, { stdio: 'ignore' });
  await delay(8_000);
  strace.kill('SIGINT');
  await once(strace, 'exit');
  if (!(await isRunning(node.agent.process))) throw new Error('the agent did not survive strace');
  const rounds = (await node.countRounds()) - before;
  const lines = (await readFile(output, 'utf8')).split('\n').filter((line) => line.includes(node.runtimeDirectory));
  if (rounds < 1) throw new Error('no round was made while files were watched');
  return { files: lines.filter((line) => !/O_PATH|O_DIRECTORY|ENOENT/.test(line)).length, rounds };
}
