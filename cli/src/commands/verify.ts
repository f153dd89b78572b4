import { checkNonce, EvidenceError, listNonces, parseToken, type VerifiedToken, verifyToken } from '@holdfast/evidence';
import { SnapshotFileError } from '@holdfast/proto';
import {
  checkCertifiedNow,
  isCertifiedAt,
  type VerifiedSnapshot,
  VerifierError,
  verifySnapshot,
} from '@holdfast/verifier';
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
  const verdict = judgeTime(snapshot.certifiedAtIssue, snapshot.nonceMatches === true);
  terminal.printJson({
    file: path,
    ...verdict,
    evidenceId: snapshot.token.evidenceId,
    ekName: snapshot.ekName,
    nonces: snapshot.nonces,
    nonceMatches: snapshot.nonceMatches,
    issuedAt: formatTime(snapshot.issuedAtMs),
    certified: viewPeriod(snapshot.certified),
    certifiedAtIssue: snapshot.certifiedAtIssue,
    head: snapshot.head,
    refusedReferences: snapshot.refusedReferences,
    result,
  });
  terminal.print(formatSnapshot(snapshot, verdict, terminal));
  terminal.print(formatResult(result, terminal));
  return verdict.valid && !(hasFound && invocation.flags.has('appraise')) ? EXIT.good : EXIT.found;
}

type Verdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly code: 'ERR_VERIFIER_CERTIFICATE_EXPIRED'; readonly message: string };

/**
 * Evidence that answers a nonce of one's own is of now, whatever its clock says. Of any other one only its own word says
 * when it was made, and keys that are not certified then may long be those of somebody else.
 */
function judgeTime(certifiedAtIssue: boolean, isAnswer: boolean): Verdict {
  if (certifiedAtIssue || isAnswer) return { valid: true };
  const message = 'the key certificates do not hold at the time that the evidence names';
  return { valid: false, code: 'ERR_VERIFIER_CERTIFICATE_EXPIRED', message };
}

function viewPeriod({ notBeforeMs, notAfterMs }: VerifiedSnapshot['certified']): { from: string; until: string } {
  return { from: formatTime(notBeforeMs), until: formatTime(notAfterMs) };
}

function formatSnapshot(snapshot: VerifiedSnapshot, verdict: Verdict, terminal: Terminal): string {
  const lines = [
    verdict.valid
      ? terminal.paint(
          'green',
          'the snapshot holds: both quotes, the signature and every document are what the node sent',
        )
      : terminal.paint('red', `the snapshot does not hold: ${verdict.message} (${verdict.code})`),
    `  EK ${snapshot.ekName}, pinned by the trust file`,
    `  nonce ${snapshot.nonces.map(printable).join(', ')}${snapshot.nonceMatches === true ? ', as asked for' : ''}`,
    ...formatTimes(snapshot.issuedAtMs, snapshot.certifiedAtIssue, snapshot.certified, terminal),
  ];
  for (const { name, reason } of snapshot.refusedReferences) {
    lines.push(terminal.paint('yellow', `  reference ${printable(name)} does not count: ${printable(reason)}`));
  }
  return `${lines.join('\n')}\n`;
}

function formatTimes(
  issuedAtMs: number,
  certifiedAtIssue: boolean,
  certified: VerifiedSnapshot['certified'],
  terminal: Terminal,
): string[] {
  const { from, until } = viewPeriod(certified);
  const made = `  made at ${formatTime(issuedAtMs)} by the node's own clock`;
  const period = `  the key certificates hold from ${from} to ${until}: not at that time`;
  return certifiedAtIssue ? [made] : [made, terminal.paint('yellow', period)];
}

async function reportToken(invocation: Invocation, path: string, bytes: Buffer): Promise<number> {
  const { flags, terminal } = invocation;
  const source = flags.text('snapshot');
  if (source === undefined) {
    throw usageError(
      `${path} is no snapshot; to verify a token give --snapshot FILE of the same node, whose keys count`,
    );
  }
  const { keys, certified } = await openKeySource(invocation, source);
  const nonce = flags.text('nonce');
  try {
    const token = verifyToken(parseToken(bytes.toString('latin1').trim()), keys);
    if (nonce !== undefined) {
      checkNonce(token.claims, nonce);
      checkCertifiedNow(certified, Date.now());
    }
    return printToken(token, certified, path, nonce !== undefined, terminal);
  } catch (error) {
    const refusal = toRefusal(path, error);
    if (refusal instanceof RefusedError) return reportRefusal(terminal, path, refusal);
    throw refusal;
  }
}

/** A snapshot that does not hold says nothing of anybody's keys. */
async function openKeySource(invocation: Invocation, path: string): Promise<VerifiedSnapshot> {
  const refuse = (reason: string, cause?: unknown) => undecided(`the snapshot ${path} does not hold: ${reason}`, cause);
  const bytes = await readInputFile(path, MAX_BYTES);
  const snapshot = await openSnapshot(invocation, path, bytes, undefined).catch((error: unknown) => {
    throw error instanceof RefusedError ? refuse(error.message, error) : error;
  });
  const verdict = judgeTime(snapshot.certifiedAtIssue, false);
  if (!verdict.valid) throw refuse(verdict.message);
  return snapshot;
}

function printToken(
  { evidenceId, claims }: VerifiedToken,
  certified: VerifiedSnapshot['certified'],
  path: string,
  isAnswer: boolean,
  terminal: Terminal,
): number {
  const nonces = listNonces(claims);
  const { holdfast } = claims;
  const issuedAtMs = claims.iat * 1000;
  const certifiedAtIssue = isCertifiedAt(certified, issuedAtMs);
  const verdict = judgeTime(certifiedAtIssue, isAnswer);
  const nonceMatches = isAnswer ? true : null;
  const times = { issuedAt: formatTime(issuedAtMs), certified: viewPeriod(certified), certifiedAtIssue };
  terminal.printJson({ file: path, ...verdict, evidenceId, nonces, nonceMatches, ...times, claims });
  terminal.print(
    verdict.valid
      ? terminal.paint('green', 'the token holds: signature and both quotes are of the keys of the snapshot')
      : terminal.paint('red', `the token does not hold: ${verdict.message} (${verdict.code})`),
  );
  terminal.print(`  nonce ${nonces.map(printable).join(', ') || 'none'}${isAnswer ? ', as asked for' : ''}`);
  for (const line of formatTimes(issuedAtMs, certifiedAtIssue, certified, terminal)) terminal.print(line);
  terminal.print(`  kube node ${printable(holdfast.kubeNode)}, chain ${holdfast.chain}, seq ${holdfast.seq ?? 'none'}`);
  return verdict.valid ? EXIT.good : EXIT.found;
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
