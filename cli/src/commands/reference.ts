import { callUnary, type Reference, ReferenceService } from '@holdfast/proto';
import { EXIT, usageError } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import type { Command, Invocation, OptionSpec } from '../command.ts';
import { choosePeer, connect, explainGrpcError } from '../connection.ts';
import { readInputFile } from '../input-file.ts';
import { type Column, formatTable } from '../table.ts';

const MAX_ENVELOPE_BYTES = 64 << 20;
const PAGE_SIZE = 500;
const VERIFIER: Record<string, OptionSpec> = {
  verifier: { type: 'string', value: 'HOST:PORT', help: 'address of the verifier' },
};

type Client = Awaited<ReturnType<typeof connect>>;
const options = () => ({ deadline: Date.now() + 60_000 });

export const referenceAdd: Command = {
  name: 'reference add',
  summary: 'give the verifier a signed SBOM or provenance',
  positionals: 'FILE',
  arity: [1, 1],
  options: VERIFIER,
  run: async (invocation) => {
    const envelope = await readInputFile(invocation.positionals[0] ?? '', MAX_ENVELOPE_BYTES);
    const added = await withClient(invocation, (client) =>
      callUnary(client, ReferenceService.method.putReference, { envelope }, options()),
    );
    return report(invocation, added.reference === undefined ? [] : [added.reference]);
  },
};

export const referenceList: Command = {
  name: 'reference list',
  summary: 'signed references that the verifier holds',
  positionals: '',
  arity: [0, 0],
  options: { ...VERIFIER, subject: { type: 'string', value: 'DIGEST', help: 'only those about this image digest' } },
  run: async (invocation) => {
    const subjectDigest = invocation.flags.text('subject') ?? '';
    const references = await withClient(invocation, async (client) => {
      const all: Reference[] = [];
      let pageToken = '';
      do {
        const request = { subjectDigest, pageSize: PAGE_SIZE, pageToken };
        const page = await callUnary(client, ReferenceService.method.listReferences, request, options());
        all.push(...page.references);
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      return all;
    });
    return report(invocation, references);
  },
};

export const referenceRevoke: Command = {
  name: 'reference revoke',
  summary: 'take a signed reference back',
  positionals: 'DIGEST',
  arity: [1, 1],
  options: { ...VERIFIER, reason: { type: 'string', value: 'TEXT', help: 'why; stays with the reference' } },
  run: async (invocation) => {
    const reason = invocation.flags.text('reason');
    if (reason === undefined) throw usageError('holdfast reference revoke needs --reason TEXT');
    const request = { digest: invocation.positionals[0] ?? '', reason };
    const revoked = await withClient(invocation, (client) =>
      callUnary(client, ReferenceService.method.revokeReference, request, options()),
    );
    return report(invocation, revoked.reference === undefined ? [] : [revoked.reference]);
  },
};

async function withClient<T>(invocation: Invocation, use: (client: Client) => Promise<T>): Promise<T> {
  const config = await loadConfigFor(invocation.flags);
  const peer = choosePeer('verifier', invocation.flags.text('verifier'), config);
  const client = await connect(ReferenceService, peer, config);
  try {
    return await use(client);
  } catch (error) {
    throw explainGrpcError(peer, error);
  } finally {
    client.close();
  }
}

interface ReferenceView {
  digest: string;
  predicateType: string;
  subjectName: string;
  subjectDigest: string;
  keyId: string;
  revoked: boolean;
  revocationReason: string | null;
}

const COLUMNS: Column<ReferenceView>[] = [
  { title: 'REFERENCE', cell: (row) => row.digest.slice(0, 19) },
  { title: 'SUBJECT', cell: (row) => row.subjectName },
  { title: 'SUBJECT DIGEST', cell: (row) => row.subjectDigest.slice(0, 19) },
  { title: 'PREDICATE', cell: (row) => row.predicateType },
  { title: 'KEY', cell: (row) => row.keyId },
  { title: 'STATE', cell: (row) => (row.revoked ? `revoked: ${row.revocationReason ?? ''}` : 'valid') },
];

function report(invocation: Invocation, references: readonly Reference[]): number {
  const rows = references.map(
    (item): ReferenceView => ({
      digest: item.digest,
      predicateType: item.predicateType,
      subjectName: item.subjectName,
      subjectDigest: item.subjectDigest,
      keyId: item.keyId,
      revoked: item.revokedAt !== undefined,
      revocationReason: item.revokedAt === undefined ? null : item.revocationReason,
    }),
  );
  invocation.terminal.printJson(rows);
  invocation.terminal.print(rows.length === 0 ? 'no references' : formatTable(COLUMNS, rows, invocation.terminal));
  return EXIT.good;
}
