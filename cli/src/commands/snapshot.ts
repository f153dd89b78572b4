import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EvidenceService, openServerStream } from '@holdfast/proto';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import { type ClientConfig, loadConfigFor } from '../client-config.ts';
import type { Command } from '../command.ts';
import { choosePeer, connect, explainGrpcError, type Peer } from '../connection.ts';
import { explainFileError } from '../input-file.ts';

/** A snapshot waits for a scan and a quote, and a hardware TPM may take a second for each signature. */
const DEADLINE_MS = 300_000;
const MAX_SNAPSHOT_BYTES = 1 << 30;

export const snapshot: Command = {
  name: 'snapshot',
  summary: 'pull a self-contained snapshot of a node from its agent',
  positionals: '',
  arity: [0, 0],
  options: {
    out: {
      type: 'string',
      value: 'FILE',
      help: 'where the snapshot goes; an existing file is replaced only when it is whole',
    },
    agent: { type: 'string', value: 'HOST:PORT', help: 'address of the agent' },
    nonce: {
      type: 'string',
      value: 'TEXT',
      help: 'your own nonce, 43 to 88 characters of base64url; else a random one',
    },
  },
  run: async ({ flags, terminal, signal }) => {
    const out = flags.text('out');
    if (out === undefined) throw usageError('holdfast snapshot needs --out FILE');
    const nonce = flags.text('nonce') ?? createNonce();
    if (!/^[A-Za-z0-9_-]{43,88}$/.test(nonce)) throw usageError('--nonce takes 43 to 88 characters of base64url');
    const config = await loadConfigFor(flags);
    const peer = choosePeer('agent', flags.text('agent'), config);
    terminal.note(`pulling a snapshot from ${peer.address}`);
    const path = resolve(out);
    const bytes = await pullSnapshot(path, nonce, peer, config, signal);
    terminal.printJson({ file: path, bytes, nonce });
    terminal.print(`${path}: ${bytes} bytes, nonce ${nonce}`);
    terminal.print('holdfast verify FILE checks it offline');
    return EXIT.good;
  },
};

async function pullSnapshot(
  path: string,
  nonce: string,
  peer: Peer,
  config: ClientConfig,
  signal: AbortSignal,
): Promise<number> {
  const part = join(dirname(path), `.${randomBytes(6).toString('hex')}.part`);
  const file = await open(part, 'wx', 0o600).catch((error: unknown) => {
    throw undecided(`cannot write ${path}: ${explainFileError(dirname(path), error)}`, error);
  });
  const client = await connect(EvidenceService, peer, config).catch(async (error: unknown) => {
    await file.close();
    await rm(part, { force: true });
    throw error;
  });
  let total = 0;
  try {
    const stream = openServerStream(
      client,
      EvidenceService.method.getSnapshot,
      { nonce },
      { deadline: Date.now() + DEADLINE_MS },
    );
    signal.addEventListener('abort', () => stream.cancel());
    for await (const answer of stream) {
      total += answer.chunk.length;
      if (total > MAX_SNAPSHOT_BYTES) throw undecided(`the agent sends more than ${MAX_SNAPSHOT_BYTES} bytes; stopped`);
      await file.write(answer.chunk);
    }
    if (total === 0) throw undecided(`the agent at ${peer.address} sent an empty snapshot`);
    await file.sync();
    await rename(part, path);
    return total;
  } catch (error) {
    await rm(part, { force: true });
    throw error instanceof Error && error.name === 'CliError' ? error : explainGrpcError(peer, error);
  } finally {
    await file.close();
    client.close();
  }
}

/** Never one that begins with a hyphen: on a command line `--nonce` would take it for a flag. */
function createNonce(): string {
  for (;;) {
    const nonce = randomBytes(32).toString('base64url');
    if (!nonce.startsWith('-')) return nonce;
  }
}
