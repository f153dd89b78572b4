import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { AttestationService, AttestRequestSchema, type AttestResponse, openBidiStream } from '@holdfast/proto';
import type { IssuedFiles } from '../dev-ca/create-dev-ca.ts';
import type { BenchContext } from './bench-context.ts';
import { atLeast, type Figure, note } from './figure.ts';
import { readCpuMs } from './process-cost.ts';
import { createBenchNodes, type Exchange, type PreparedRounds, RoundSupply } from './round-supply.ts';
import { interleave, measureCpuMs, median, medianRatio } from './sampling.ts';
import { runRawChecks } from './token-verification.ts';
import { startVerifierProcess } from './verifier-process.ts';

const NODES = 8;

/**
 * Rounds through TLS and gRPC to a verifier in its own process, eight streams at once, against the raw checks of the same
 * signatures here. The figure is rounds for each second of CPU that the verifier used, every thread and the kernel's
 * share included: client and verifier share the machine's cores, so that the time on the wall is of both.
 */
export async function measureStreamRate(context: BenchContext, perNode: number): Promise<Figure[]> {
  const nodes = createBenchNodes(NODES);
  const settings = { maxMessagesPerSecond: 100_000, maxStreamsPerPeer: 100 };
  const verifier = await startVerifierProcess(context, { nodes, agents: 1, settings });
  const [files] = verifier.agents;
  if (files === undefined) throw new TypeError('an agent was asked for');
  const client = await dial(verifier.listenAddress, files);
  context.defer(async () => client.client.close());
  const supplies = nodes.map((node) => new RoundSupply(node, openExchange(client)));
  await Promise.all(supplies.map((supply) => supply.open()));
  let last: PreparedRounds[] = [];
  const wall: number[] = [];
  const rates = await interleave(
    {
      stream: async () => {
        last = supplies.map((supply) => supply.prepare(perNode, 'unchanged'));
        const [cpuBefore, start] = [await readCpuMs(verifier.process.pid), performance.now()];
        await Promise.all(supplies.map((supply, node) => sendAll(supply, last[node])));
        wall.push((perNode * NODES * 1000) / (performance.now() - start));
        return (perNode * NODES * 1000) / ((await readCpuMs(verifier.process.pid)) - cpuBefore);
      },
      raw: async () => {
        const cpuMs = await measureCpuMs(async () => {
          for (const { checks } of last) runRawChecks(checks);
        });
        return (perNode * NODES * 1000) / cpuMs;
      },
    },
    context.isQuick ? 5 : 9,
  );
  return [
    atLeast(
      0.4,
      'rounds through the TLS stream against raw signature checks',
      medianRatio(rates.stream, rates.raw),
      '×',
    ),
    note('rounds through the TLS stream', median(rates.stream), '/s of CPU'),
    note('rounds through the TLS stream, time on the wall', median(wall), '/s'),
  ];
}

async function sendAll(supply: RoundSupply, rounds: PreparedRounds | undefined): Promise<void> {
  for (const message of rounds?.messages ?? []) await supply.send(message);
}

interface Dialled {
  readonly client: Client;
  readonly spki: string;
}

async function dial(address: string, files: IssuedFiles): Promise<Dialled> {
  const [ca, cert, key] = await Promise.all([readFile(files.ca), readFile(files.cert), readFile(files.key)]);
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return {
    client: new Client(address, credentials.createSsl(ca, key, cert)),
    spki: createHash('sha256').update(spki).digest('hex'),
  };
}

function openExchange({ client, spki }: Dialled): Exchange {
  const call = openBidiStream(client, AttestationService.method.attest);
  call.on('error', () => undefined);
  const answers: AsyncIterator<AttestResponse> = call[Symbol.asyncIterator]();
  return {
    peerSpki: spki,
    exchange: async (message) => {
      call.write(create(AttestRequestSchema, { message: message === undefined ? {} : { message } }));
      const answer = (await answers.next()).value?.message?.message;
      if (answer === undefined) throw new Error('the verifier ended the stream');
      return answer;
    },
  };
}
