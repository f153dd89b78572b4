import { join } from 'node:path';
import type { BenchContext } from './bench-context.ts';
import { atLeast, type Figure, note } from './figure.ts';
import { loadHistory } from './result-history.ts';
import { createBenchNodes, type PreparedRounds, type RoundKind, RoundSupply } from './round-supply.ts';
import { interleave, measureCpuMs, median, medianRatio, type Side } from './sampling.ts';
import { runRawChecks } from './token-verification.ts';
import { type BenchVerifier, createBenchVerifier, MemoryConversation } from './verifier-core.ts';
import { measureStreamRate } from './verifier-stream.ts';

const NODES = 8;
const FEW_RESULTS = 10_000;
const MANY_RESULTS = 1_000_000;

/**
 * Evidence of kube nodes with ten unchanged containers: what a verifier takes a second, in process and through its TLS
 * stream, against the raw checks of the same tokens' signatures; and whether the rate holds with a hundred times as many
 * stored results. The store lies on a disk. Rates are for each second of CPU that the process used, all threads counted,
 * so that who shares the cores does not count.
 */
export async function benchVerifier(context: BenchContext): Promise<Figure[]> {
  context.say('loading results into two stores');
  const few = await openSide(context, 'few', FEW_RESULTS);
  const many = await openSide(context, 'many', context.isQuick ? MANY_RESULTS / 10 : MANY_RESULTS);
  const perNode = context.isQuick ? 25 : 60;
  context.say('rounds in process against raw signature checks');
  const rates = await interleave(
    {
      process: few.rate('unchanged', perNode),
      raw: few.rawRate,
      processMany: many.rate('unchanged', perNode),
      changed: few.rate('changed', Math.ceil(perNode / 5)),
      changedMany: many.rate('changed', Math.ceil(perNode / 5)),
    },
    context.isQuick ? 5 : 9,
  );
  context.say('rounds through the TLS stream');
  const stream = await measureStreamRate(context, perNode);
  return [
    atLeast(0.6, 'rounds in process against raw signature checks', medianRatio(rates.process, rates.raw), '×'),
    note('rounds in process', median(rates.process), '/s of CPU'),
    note('raw signature checks, three a round', median(rates.raw), 'rounds/s of CPU'),
    ...stream,
    atLeast(
      0.85,
      `rounds, ${many.results} stored results against ${FEW_RESULTS}`,
      medianRatio(rates.processMany, rates.process),
      '×',
    ),
    atLeast(
      0.85,
      `rounds that store a result, ${many.results} stored results against ${FEW_RESULTS}`,
      medianRatio(rates.changedMany, rates.changed),
      '×',
    ),
    note('rounds that store a result', median(rates.changed), '/s of CPU'),
  ];
}

interface VerifierSide {
  readonly results: number;
  rate(kind: RoundKind, perNode: number): Side;
  /** Of the rounds that were processed last. */
  readonly rawRate: Side;
}

async function openSide(context: BenchContext, name: string, results: number): Promise<VerifierSide> {
  const nodes = createBenchNodes(NODES);
  const verifier = await createBenchVerifier(join(context.directory, name), nodes);
  context.defer(() => verifier.close());
  loadHistory(verifier.stores, nodes, results);
  const supplies = await openSupplies(verifier, nodes);
  let last: PreparedRounds[] = [];
  return {
    results,
    rate: (kind, perNode) => async () => {
      last = supplies.map((supply) => supply.prepare(perNode, kind));
      const cpuMs = await measureCpuMs(() => sendInTurn(supplies, last, perNode));
      return (perNode * NODES * 1000) / cpuMs;
    },
    rawRate: async () => {
      const cpuMs = await measureCpuMs(async () => {
        for (const { checks } of last) runRawChecks(checks);
      });
      return (last.reduce((sum, { messages }) => sum + messages.length, 0) * 1000) / cpuMs;
    },
  };
}

async function sendInTurn(supplies: readonly RoundSupply[], rounds: readonly PreparedRounds[], perNode: number) {
  for (let at = 0; at < perNode; at += 1) {
    for (const [node, supply] of supplies.entries()) await supply.send(rounds[node]?.messages[at]);
  }
}

async function openSupplies(
  verifier: BenchVerifier,
  nodes: ReturnType<typeof createBenchNodes>,
): Promise<RoundSupply[]> {
  const supplies: RoundSupply[] = [];
  for (const node of nodes) {
    const supply = new RoundSupply(node, new MemoryConversation(verifier.core));
    await supply.open();
    supplies.push(supply);
  }
  return supplies;
}
