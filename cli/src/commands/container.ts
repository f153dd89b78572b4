import { EXIT } from '../cli-error.ts';
import { type Command, integerFlag } from '../command.ts';
import { type ContainerRow, formatContainers } from '../container-table.ts';
import { judgeContainer } from '../judge-container.ts';
import { collectLiveContainers } from '../live-containers.ts';
import { chooseRuntime, RUNTIME_OPTION } from '../runtime-choice.ts';

const DEFAULT_TIMEOUT_MS = 600_000;

export const container: Command = {
  name: 'container',
  summary: 'image proof and drift of running containers, live and without a verifier (root)',
  positionals: 'ID|all',
  arity: [1, 1],
  options: {
    runtime: RUNTIME_OPTION,
    'timeout-ms': {
      type: 'string',
      value: 'N',
      help: `longest wait for scans and proofs; default ${DEFAULT_TIMEOUT_MS}`,
    },
  },
  run: async (invocation) => {
    const { flags, positionals, terminal, signal } = invocation;
    const [wanted = ''] = positionals;
    const timeoutMs = integerFlag(flags, 'timeout-ms', { min: 1, max: 86_400_000 }) ?? DEFAULT_TIMEOUT_MS;
    const runtime = await chooseRuntime(invocation);
    const onProgress = (waiting: number, total: number) =>
      terminal.note(`${waiting} of ${total} containers are still being read`);
    const live = await collectLiveContainers({ wanted, runtime, timeoutMs, signal, needsProof: true, onProgress });
    const rows = live.containers.map(
      (each): ContainerRow => ({ container: each, judged: judgeContainer(each.claims) }),
    );
    terminal.printJson({ runtime: live.runtime, containers: rows.map(viewRow) });
    terminal.print(formatContainers(rows, terminal));
    return chooseExit(rows);
  },
};

function viewRow({ container: { claims, drift, inventory, baseline }, judged }: ContainerRow) {
  const counts = { inventory: inventory?.packages.length ?? null, baseline: baseline?.packages.length ?? null };
  return { id: claims.id, name: claims.name, ...judged, packages: counts, claims, drift };
}

/** What was found counts more than what could not be decided. */
function chooseExit(rows: readonly ContainerRow[]): number {
  const verdicts = new Set(rows.map(({ judged }) => judged.verdict));
  if (verdicts.has('changed') || verdicts.has('unproven')) return EXIT.found;
  return verdicts.has('undecided') ? EXIT.undecided : EXIT.good;
}
