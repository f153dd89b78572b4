import { EvidenceError, parseBundle, parseToken, type UnverifiedToken } from '@holdfast/evidence';
import { parseSnapshotFile, type Snapshot, SnapshotFileError } from '@holdfast/proto';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { printable } from '../terminal.ts';
import { formatToken, viewToken } from './inspect-token.ts';

const MAX_BYTES = 512 << 20;

export const inspectSnapshot: Command = {
  name: 'inspect snapshot',
  summary: 'what a snapshot holds, unverified',
  positionals: 'FILE',
  arity: [1, 1],
  options: { token: { type: 'boolean', help: 'print only the compact token, for other JWT tools' } },
  run: async ({ positionals, terminal, flags }) => {
    const path = positionals[0] ?? '';
    const { snapshot, token, sets } = openSnapshot(path, await readInputFile(path, MAX_BYTES));
    if (flags.has('token')) {
      process.stdout.write(`${token.compact}\n`);
      return EXIT.good;
    }
    terminal.printJson({
      kubeNode: snapshot.kubeNode,
      nonce: snapshot.nonce,
      certificates: snapshot.certificates.map((der) => Buffer.from(der).toString('base64')),
      ekPublic: Buffer.from(snapshot.ekPublic).toString('hex'),
      akPublic: Buffer.from(snapshot.akPublic).toString('hex'),
      signingPublic: Buffer.from(snapshot.signingPublic).toString('hex'),
      head: { chain: snapshot.headChain, seq: String(snapshot.headSeq) },
      blobs: snapshot.evidence?.blobs.length ?? 0,
      logs:
        snapshot.evidence?.logs.map((log) => ({
          kind: log.kind,
          offset: String(log.offset),
          bytes: log.content.length,
        })) ?? [],
      token: viewToken(token, sets),
    });
    terminal.print(formatToken(token, terminal));
    terminal.print(`nonce        ${printable(snapshot.nonce)}`);
    terminal.print(
      `holds        ${snapshot.certificates.length} certificates, ${snapshot.evidence?.blobs.length ?? 0} documents`,
    );
    return EXIT.good;
  },
};

interface OpenedSnapshot {
  readonly snapshot: Snapshot;
  readonly token: UnverifiedToken;
  readonly sets: ReadonlyMap<string, Uint8Array>;
}

function openSnapshot(path: string, bytes: Buffer): OpenedSnapshot {
  try {
    const snapshot = parseSnapshotFile(bytes);
    const token = snapshot.evidence?.token;
    if (token?.case === 'bundle') return { snapshot, ...parseBundle(token.value) };
    if (token?.case === 'jwt') return { snapshot, token: parseToken(token.value), sets: new Map() };
    throw undecided(`${path} holds no token`);
  } catch (error) {
    if (error instanceof SnapshotFileError || error instanceof EvidenceError) {
      throw undecided(`${path}: ${error.message}`, error);
    }
    throw error;
  }
}
