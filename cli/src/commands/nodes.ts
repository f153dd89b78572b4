import { callUnary, ResultService } from '@holdfast/proto';
import { EXIT } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import type { Command } from '../command.ts';
import { choosePeer, connect, explainGrpcError } from '../connection.ts';
import { formatKubeNodes } from '../result-table.ts';
import { type KubeNodeView, viewKubeNode } from '../result-view.ts';

const PAGE_SIZE = 500;

export const nodes: Command = {
  name: 'nodes',
  summary: 'enrolled kube nodes with status and freshness',
  positionals: '',
  arity: [0, 0],
  options: { verifier: { type: 'string', value: 'HOST:PORT', help: 'address of the verifier' } },
  run: async ({ flags, terminal }) => {
    const config = await loadConfigFor(flags);
    const peer = choosePeer('verifier', flags.text('verifier'), config);
    const client = await connect(ResultService, peer, config);
    const rows: KubeNodeView[] = [];
    try {
      let pageToken = '';
      do {
        const page = await callUnary(
          client,
          ResultService.method.listKubeNodes,
          { pageSize: PAGE_SIZE, pageToken },
          { deadline: Date.now() + 30_000 },
        );
        rows.push(...page.kubeNodes.map(viewKubeNode));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
    } catch (error) {
      throw explainGrpcError(peer, error);
    } finally {
      client.close();
    }
    terminal.printJson(rows);
    terminal.print(formatKubeNodes(rows, terminal));
    return EXIT.good;
  },
};
