import { openServerStream, ResultService } from '@holdfast/proto';
import { EXIT, undecided } from '../cli-error.ts';
import { type ClientConfig, loadConfigFor } from '../client-config.ts';
import type { Command, Invocation } from '../command.ts';
import { choosePeer, connect, explainGrpcError, type Peer } from '../connection.ts';
import { formatResult } from '../result-table.ts';
import { type ResultView, viewResult } from '../result-view.ts';

export const results: Command = {
  name: 'results',
  summary: 'attestation results of every kube node, once or as they come',
  positionals: '',
  arity: [0, 0],
  options: {
    watch: { type: 'boolean', help: 'keep following; with --json one document a line' },
    node: { type: 'string', value: 'NAME', help: 'only this kube node' },
    verifier: { type: 'string', value: 'HOST:PORT', help: 'address of the verifier' },
  },
  run: async (invocation) => {
    const config = await loadConfigFor(invocation.flags);
    const peer = choosePeer('verifier', invocation.flags.text('verifier'), config);
    return invocation.flags.has('watch')
      ? await watchResults(invocation, peer, config)
      : await listResults(invocation, peer, config);
  },
};

async function listResults(invocation: Invocation, peer: Peer, config: ClientConfig): Promise<number> {
  const all: ResultView[] = [];
  for await (const result of readResults(invocation, peer, config, true)) all.push(result);
  const { terminal, flags } = invocation;
  terminal.printJson(all);
  if (all.length === 0) {
    const node = flags.text('node');
    if (node !== undefined) throw undecided(`the verifier has no result of a kube node named ${node}`);
    terminal.print('no results yet: no kube node has attested');
  }
  terminal.print(all.map((result) => formatResult(result, terminal)).join('\n\n'));
  return EXIT.good;
}

async function watchResults(invocation: Invocation, peer: Peer, config: ClientConfig): Promise<number> {
  const { terminal } = invocation;
  for await (const result of readResults(invocation, peer, config, false)) {
    terminal.printJson(result);
    terminal.print(`${terminal.paint('dim', result.appraisedAt ?? '')} ${formatResult(result, terminal)}\n`);
  }
  return EXIT.good;
}

async function* readResults(
  invocation: Invocation,
  peer: Peer,
  config: ClientConfig,
  currentOnly: boolean,
): AsyncGenerator<ResultView> {
  const client = await connect(ResultService, peer, config);
  const kubeNode = invocation.flags.text('node') ?? '';
  const deadline = currentOnly ? { deadline: Date.now() + 30_000 } : {};
  const stream = openServerStream(client, ResultService.method.watchResults, { kubeNode, currentOnly }, deadline);
  invocation.signal.addEventListener('abort', () => stream.cancel());
  try {
    for await (const answer of stream) {
      if (answer.result) yield viewResult(answer.result);
    }
  } catch (error) {
    if (!invocation.signal.aborted) throw explainGrpcError(peer, error);
  } finally {
    stream.cancel();
    client.close();
  }
}
