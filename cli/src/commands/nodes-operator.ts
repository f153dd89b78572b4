import { callUnary, type Incident, ResultService } from '@holdfast/proto';
import { EXIT, usageError } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import type { Command, Invocation, OptionSpec } from '../command.ts';
import { choosePeer, connect, explainGrpcError } from '../connection.ts';
import { viewTime } from '../result-view.ts';
import { type Column, formatTable } from '../table.ts';

type Client = Awaited<ReturnType<typeof connect>>;

const TIMEOUT_MS = 30_000;
const OPTIONS: Record<string, OptionSpec> = {
  verifier: { type: 'string', value: 'HOST:PORT', help: 'address of the verifier' },
  reason: { type: 'string', value: 'TEXT', help: 'why; kept with who asked' },
};

export const nodesAck: Command = {
  name: 'nodes ack',
  summary: 'end an incident of a kube node that was looked into',
  positionals: 'NODE CODE',
  arity: [2, 2],
  options: OPTIONS,
  run: async (invocation) => {
    const [kubeNode = '', code = ''] = invocation.positionals;
    const { incident } = await ask(invocation, (client, reason, options) =>
      callUnary(client, ResultService.method.acknowledgeIncident, { kubeNode, code, reason }, options),
    );
    const incidents = incident === undefined ? [] : [viewIncident(incident)];
    invocation.terminal.printJson({ kubeNode, incidents });
    invocation.terminal.print(formatTable(COLUMNS, incidents, invocation.terminal));
    return EXIT.good;
  },
};

export const nodesRemove: Command = {
  name: 'nodes remove',
  summary: 'forget the enrolment of a kube node',
  positionals: 'NODE',
  arity: [1, 1],
  options: OPTIONS,
  run: async (invocation) => {
    const [kubeNode = ''] = invocation.positionals;
    const removed = await ask(invocation, (client, reason, options) =>
      callUnary(client, ResultService.method.removeKubeNode, { kubeNode, reason }, options),
    );
    const incidents = removed.incidents.map(viewIncident);
    invocation.terminal.printJson({ kubeNode, ueid: removed.ueid, incidents });
    invocation.terminal.print(`${kubeNode} is enrolled no longer; take its EK out of the trust file to keep it so`);
    if (incidents.length > 0) invocation.terminal.print(formatTable(COLUMNS, incidents, invocation.terminal));
    return EXIT.good;
  },
};

async function ask<T>(
  invocation: Invocation,
  call: (client: Client, reason: string, options: { deadline: number }) => Promise<T>,
): Promise<T> {
  const { flags } = invocation;
  const reason = flags.text('reason');
  if (reason === undefined || reason.trim() === '') throw usageError('say why with --reason TEXT: it is kept');
  const config = await loadConfigFor(flags);
  const peer = choosePeer('verifier', flags.text('verifier'), config);
  const client = await connect(ResultService, peer, config);
  try {
    return await call(client, reason, { deadline: Date.now() + TIMEOUT_MS });
  } catch (error) {
    throw explainGrpcError(peer, error);
  } finally {
    client.close();
  }
}

interface IncidentView {
  code: string;
  firstAt: string | null;
  lastAt: string | null;
  count: number;
}

const COLUMNS: Column<IncidentView>[] = [
  { title: 'INCIDENT', cell: ({ code }) => code },
  { title: 'FIRST', cell: ({ firstAt }) => firstAt ?? '' },
  { title: 'LAST', cell: ({ lastAt }) => lastAt ?? '' },
  { title: 'TIMES', cell: ({ count }) => String(count) },
];

function viewIncident({ code, firstAt, lastAt, count }: Incident): IncidentView {
  return { code, firstAt: viewTime(firstAt), lastAt: viewTime(lastAt), count };
}
