import { checkNonce, EvidenceError, listNonces, parseToken, type VerifiedToken, verifyToken } from '@holdfast/evidence';
import { SnapshotFileError } from '@holdfast/proto';
import { type VerifiedSnapshot, VerifierError, verifySnapshot } from '@holdfast/verifier';
import { CliError, EXIT, undecided, usageError } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import type { Command, Invocation } from '../command.ts';
import { formatTime } from '../format-time.ts';
import { readInputFile } from '../input-file.ts';
import { loadTrustFile, readReferenceFiles } from '../load-trust-file.ts';
import { formatResult } from '../result-table.ts';
import { viewResult } from '../result-view.ts';
import { printable, type Terminal } from '../terminal.ts';

const MAX_BYTES = 512 << 20;

export const verify: Command = {
  name: 'verify',
  summary: 'verify a snapshot or a token offline',
  positionals: 'FILE',
  arity: [1, 1],
  options: {
    trust: { type: 'string', value: 'FILE', help: 'trust file: pinned EKs, enrolment and SBOM keys' },
    references: { type: 'string', value: 'DIR', help: 'signed SBOMs to compare with' },
    nonce: { type: 'string', value: 'TEXT', help: 'nonce that the snapshot, or the token, must answer' },
    appraise: { type: 'boolean', help: 'exit 1 also when the appraisal finds something contraindicated' },
    snapshot: { type: 'string', value: 'FILE', help: 'for a token: a snapshot of the same node, whose keys count' },
  },
  run: async (invocation) => {
    const path = invocation.positionals[0] ?? '';
    const bytes = await readInputFile(path, MAX_BYTES);
    return isToken(bytes) ? await reportToken(invocation, path, bytes) : await reportSnapshot(invocation, path, bytes);
  },
};

/** A token is text of a certain alphabet; a snapshot has zero bytes in the first sixteen. */
function isToken(bytes: Buffer): boolean {
  return /^\s*[A-Za-z0-9_-]+\./.test(bytes.toString('latin1', 0, 4096));
}

/** With `nonce` where it is the snapshot that must answer it. */
async function openSnapshot(
  { flags }: Invocation,
  path: string,
  bytes: Buffer,
  nonce: string | undefined,
): Promise<VerifiedSnapshot> {
  const config = await loadConfigFor(flags);
  const trust = await loadTrustFile(flags.text('trust'), config);
  const references = await readReferenceFiles(flags.text('references'), config);
  const inputs = { trust, references, now: Date.now(), ...(nonce === undefined ? {} : { nonce }) };
  try {
    return await verifySnapshot(bytes, inputs);
  } catch (error) {
    throw toRefusal(path, error);
  }
}

async function reportSnapshot(invocation: Invocation, path: string, bytes: Buffer): Promise<number> {
  let snapshot: VerifiedSnapshot;
  try {
    snapshot = await openSnapshot(invocation, path, bytes, invocation.flags.text('nonce'));
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return reportRefusal(invocation.terminal, path, error);
  }
  const result = viewResult(snapshot.result);
  const { terminal } = invocation;
  const hasFound = [result.kubeNode, ...result.containers].some((item) => item.status === 'contraindicated');
  terminal.printJson({
    file: path,
    valid: true,
    evidenceId: snapshot.token.evidenceId,
    ekName: snapshot.ekName,
    nonces: snapshot.nonces,
    nonceMatches: snapshot.nonceMatches,
    issuedAt: formatTime(snapshot.issuedAtMs),
    certified: { from: formatTime(snapshot.certified.notBeforeMs), until: formatTime(snapshot.certified.notAfterMs) },
    head: snapshot.head,
    refusedReferences: snapshot.refusedReferences,
    result,
  });
  terminal.print(formatSnapshot(snapshot, terminal));
  terminal.print(formatResult(result, terminal));
  return hasFound && invocation.flags.has('appraise') ? EXIT.found : EXIT.good;
}

function formatSnapshot(snapshot: VerifiedSnapshot, terminal: Terminal): string {
  const { certified, issuedAtMs } = snapshot;
  const covers = issuedAtMs >= certified.notBeforeMs && issuedAtMs <= certified.notAfterMs;
  const lines = [
    terminal.paint('green', 'the snapshot holds: both quotes, the signature and every document are what the node sent'),
    `  EK ${snapshot.ekName}, pinned by the trust file`,
    `  nonce ${snapshot.nonces.map(printable).join(', ')}${snapshot.nonceMatches === true ? ', as asked for' : ''}`,
    `  made at ${formatTime(issuedAtMs)} by the node's own clock`,
  ];
  if (!covers) {
    lines.push(
      terminal.paint(
        'yellow',
        `  the key certificates hold from ${formatTime(certified.notBeforeMs)} to ${formatTime(certified.notAfterMs)}: not at that time`,
      ),
    );
  }
  for (const { name, reason } of snapshot.refusedReferences) {
    lines.push(terminal.paint('yellow', `  reference ${printable(name)} does not count: ${printable(reason)}`));
  }
  return `${lines.join('\n')}\n`;
}

async function reportToken(invocation: Invocation, path: string, bytes: Buffer): Promise<number> {
  const { flags, terminal } = invocation;
  const source = flags.text('snapshot');
  if (source === undefined) {
    throw usageError(
      `${path} is no snapshot; to verify a token give --snapshot FILE of the same node, whose keys count`,
    );
  }
  const bytesOfSnapshot = await readInputFile(source, MAX_BYTES);
  const { keys } = await openSnapshot(invocation, source, bytesOfSnapshot, undefined).catch((error: unknown) => {
    throw error instanceof RefusedError
      ? undecided(`the snapshot ${source} does not hold: ${error.message}`, error)
      : error;
  });
  const nonce = flags.text('nonce');
  try {
    const token = verifyToken(parseToken(bytes.toString('latin1').trim()), keys);
    if (nonce !== undefined) checkNonce(token.claims, nonce);
    printToken(token, path, nonce !== undefined, terminal);
    return EXIT.good;
  } catch (error) {
    const refusal = toRefusal(path, error);
    if (refusal instanceof RefusedError) return reportRefusal(terminal, path, refusal);
    throw refusal;
  }
}

function printToken({ evidenceId, claims }: VerifiedToken, path: string, isAnswer: boolean, terminal: Terminal): void {
  const nonces = listNonces(claims);
  const { holdfast } = claims;
  terminal.printJson({ file: path, valid: true, evidenceId, nonces, nonceMatches: isAnswer ? true : null, claims });
  terminal.print(terminal.paint('green', 'the token holds: signature and both quotes are of the keys of the snapshot'));
  terminal.print(`  nonce ${nonces.map(printable).join(', ') || 'none'}${isAnswer ? ', as asked for' : ''}`);
  terminal.print(`  kube node ${printable(holdfast.kubeNode)}, chain ${holdfast.chain}, seq ${holdfast.seq ?? 'none'}`);
}

/** Evidence that was read and does not hold: something was found, and not "could not decide". */
class RefusedError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Codes that speak of the trust file and not of the evidence: not decided. */
const UNDECIDED = new Set(['ERR_VERIFIER_TRUST', 'ERR_VERIFIER_CONFIG']);

function toRefusal(path: string, error: unknown): unknown {
  if (error instanceof CliError) return error;
  if (error instanceof SnapshotFileError && error.fault !== 'damaged')
    return undecided(`${path}: ${error.message}`, error);
  const isRefusal = [EvidenceError, VerifierError, SnapshotFileError].some((kind) => error instanceof kind);
  if (!isRefusal || !(error instanceof Error && 'code' in error)) return error;
  const code = String(error.code);
  if (UNDECIDED.has(code)) return undecided(`${path}: ${error.message}`, error);
  return new RefusedError(code, error.message, error);
}

function reportRefusal(terminal: Terminal, path: string, error: RefusedError): number {
  terminal.printJson({ file: path, valid: false, code: error.code, message: error.message });
  terminal.print(terminal.paint('red', `${path} does not hold: ${printable(error.message)} (${error.code})`));
  return EXIT.found;
}
