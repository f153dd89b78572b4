import type { VerifiedToken } from '@holdfast/evidence';
import type { AppraisalStatus, FindingCode } from '../appraisal/finding-code.ts';
import type { ImaInputs } from '../ima/ima-conclusion.ts';
import type { ImaSegment } from '../ima/ima-progress.ts';
import { runTransaction } from '../store/open-database.ts';
import { VerifierError } from '../verifier-error.ts';
import { appraiseEvidence, type EvidenceParts, mergeCodes } from './appraise-evidence.ts';
import type { Ask } from './ask-for-content.ts';
import { chooseContent } from './choose-content.ts';
import { type ConcludedLogs, concludeLogs } from './conclude-logs.ts';
import { admitContents, listOwnDigests } from './content-allowance.ts';
import { findAgentRoot, joinMeasured, saveMeasured } from './join-measured.ts';
import { judgeBootSession } from './judge-boot-session.ts';
import { type ChainJudgement, judgeChain } from './judge-chain.ts';
import type { NodeState } from './node-registry.ts';
import { addBlobs, countBytes, type UnverifiedRound } from './parse-round.ts';
import { announce, loadStanding, recordIncidents } from './reappraise.ts';
import type { MissingContent, ResolvedEvidence } from './resolve-evidence.ts';
import type { RoundDeps } from './round-deps.ts';
import { checkEnrolment, type VerifiedRound } from './verify-round.ts';

/** How one round ended. */
export interface RoundReply {
  readonly evidenceId: string;
  /** False for history: accepted into the chain, but said nothing of now. */
  readonly fresh: boolean;
  /** Status of the kube node with its containers. */
  readonly overall: AppraisalStatus;
}

/** Digests of accepted evidence are kept for as long as a nonce could make a copy look fresh, many times over. */
const MEMORY_MS = 3_600_000;
const FORGET_EVERY = 64;

/**
 * Takes a verified round into the chain and, when it is fresh, its contents and result into the store, all in one
 * transaction. `lost race` when another stream of the same kube node moved the head meanwhile: nothing is written then.
 *
 * Throws `VerifierError` as `judgeChain` refuses, as `checkEnrolment` does where the enrolment ended meanwhile, and what
 * `ask` throws.
 */
export async function acceptRound(
  state: NodeState,
  round: UnverifiedRound,
  verified: VerifiedRound,
  ask: Ask,
  deps: RoundDeps,
): Promise<RoundReply | 'lost race'> {
  const expected = state.head;
  const judgement = judge(state, verified, deps);
  if (judgement.kind === 'refuse') {
    await recordIncidents(state, judgement.incidents, deps);
    throw new VerifierError(judgement.code, judgement.message);
  }
  const { token } = verified;
  if (!verified.fresh) {
    const isMoved = await commit(state, expected, judgement, deps);
    return isMoved ? createReply(token, false, state) : 'lost race';
  }
  const parts = await conclude(state, round, verified, judgement, ask, deps);
  const { resolved, receivedAtMs, concluded } = parts;
  const publication = await appraiseEvidence(state, parts, deps);
  const isChanged = isChange(state, parts);
  const mustLast = publication !== undefined || isChanged;
  const isMoved = await commit(state, expected, judgement, deps, mustLast, () => {
    checkStillEnrolled(state, deps);
    if (isChanged) storeContents(state, round, resolved, deps);
    deps.contents.writeStanding(state.node.ueid, token.compact, receivedAtMs);
    deps.contents.touchNode(state.node.ueid, receivedAtMs);
    saveSession(state, concluded, deps);
    saveMeasured(state, concluded, deps);
    if (publication !== undefined) deps.publisher.save(publication);
  });
  if (!isMoved) return 'lost race';
  if (isChanged) updateContents(state, resolved);
  state.bootSession = concluded?.session;
  if (concluded?.ima.outcome === 'matched') state.measured = concluded.files.state;
  state.standing = { token, receivedAtMs };
  if (publication !== undefined) announce(state, publication, deps);
  return createReply(token, true, state);
}

/** Contents came in and a result was signed: what was true of the enrolment before may no longer be. */
function checkStillEnrolled(state: NodeState, deps: RoundDeps): void {
  if (deps.registry.open(state.node.ueid) !== state) {
    throw new VerifierError('ERR_VERIFIER_UNKNOWN_KEY', 'the keys of this kube node were replaced meanwhile');
  }
  checkEnrolment(state.node, deps);
}

interface ConcludedRound extends EvidenceParts {
  readonly concluded: ConcludedLogs | undefined;
}

/** Collects what a round names, and says what it and the logs show together with what is known. */
async function conclude(
  state: NodeState,
  round: UnverifiedRound,
  verified: VerifiedRound,
  { incidents }: Accepted,
  ask: Ask,
  deps: RoundDeps,
): Promise<ConcludedRound> {
  const resolved = await collectContent(state, round, ask, deps);
  const concluded = await collectLogs(state, round, verified, resolved, ask, deps);
  const known = mergeCodes(state.incidents, incidents);
  const chainFindings = mergeCodes(known, judgeSession(state, verified, concluded, deps));
  const imaFiles = joinMeasured(state, round.token.claims, resolved.sets, concluded, deps);
  const logs = { bootLog: concluded?.boot ?? null, imaLog: concluded?.ima ?? null, imaFiles };
  return { ...verified, resolved, concluded, logs, chainFindings };
}

type Accepted = ChainJudgement & { kind: 'accept' };

function judge(state: NodeState, verified: VerifiedRound, deps: RoundDeps): ChainJudgement {
  const { ueid } = state.node;
  const link = {
    evidenceId: verified.token.evidenceId,
    holdfast: verified.token.claims.holdfast,
    akName: state.keys.ak?.name.toString('hex') ?? '',
    quotes: verified.quotes,
    clock: verified.clock,
    fresh: verified.fresh,
  };
  return judgeChain(link, state.head, {
    hasEvidence: (evidenceId) => deps.chain.hasEvidence(ueid, evidenceId),
    hasChain: (chain) => deps.chain.hasChain(ueid, chain),
  });
}

/**
 * Asks until nothing new is missing, or no more fits into a round: each answer may name more. What was asked once and not
 * given is not to be had.
 */
async function collectContent(
  state: NodeState,
  round: UnverifiedRound,
  ask: Ask,
  deps: RoundDeps,
): Promise<ResolvedEvidence> {
  const { ueid } = state.node;
  const source = {
    has: (digest: string) => round.contents.has(digest) || state.contents.has(digest),
    read: (digest: string) => round.contents.get(digest) ?? deps.contents.readContent(ueid, digest),
  };
  const asked = new Set<string>();
  const lacking: MissingContent[] = [];
  for (;;) {
    const resolved = deps.resolver.resolve(round.token.claims, source);
    const open = resolved.missing.filter(({ digest }) => !asked.has(digest));
    const { maxRoundBytes } = deps;
    const { contentAllowance: allowance } = state;
    const own = open.length === 0 ? new Set<string>() : listOwnDigests(round.token.claims);
    const chosen = chooseContent(open, { maxRoundBytes, carriedBytes: countBytes(round), allowance, own });
    if (chosen.length === 0) {
      allowance.note([...open, ...lacking]);
      return resolved;
    }
    for (const { digest, isBootLog } of chosen) {
      asked.add(digest);
      if (isBootLog === true) own.add(digest);
    }
    // What is here already was spent for; sizes of claims-sets are told by nobody before.
    const known = new Set([...state.contents, ...round.contents.keys()]);
    addBlobs(round.contents, await ask.content(round.token.evidenceId, chosen), maxRoundBytes);
    lacking.push(...admitContents(round.contents, { known, own }, allowance));
  }
}

async function collectLogs(
  { keys, bootSession, measured, imaAllowance }: NodeState,
  round: UnverifiedRound,
  { token }: VerifiedRound,
  resolved: ResolvedEvidence,
  ask: Ask,
  deps: Pick<RoundDeps, 'maxRoundBytes' | 'judgeBoot'>,
): Promise<ConcludedLogs | undefined> {
  return await concludeLogs(token, {
    akName: keys.ak?.name.toString('hex') ?? '',
    concludeBoot: (quote, userspaceLog) => deps.judgeBoot(resolved, quote, userspaceLog),
    segments: round.imaSegments,
    ask: limitSegments(async (offset) => await ask.imaSegment(token.evidenceId, offset), round, deps),
    take: imaAllowance.begin(),
    userspaceLog: round.userspaceLog,
    askUserspaceLog: async () => await ask.userspaceLog(token.evidenceId),
    session: bootSession,
    agentRoot: findAgentRoot(resolved.sets),
    measured,
  });
}

/** What is asked for counts as what came with the round. */
function limitSegments(
  ask: (offset: number) => Promise<ImaSegment | undefined>,
  round: UnverifiedRound,
  { maxRoundBytes }: Pick<RoundDeps, 'maxRoundBytes'>,
): ImaInputs['ask'] {
  let left = maxRoundBytes - countBytes(round);
  return async (offset) => {
    if (left <= 0) return 'limit';
    const segment = await ask(offset);
    left -= segment?.content.length ?? 0;
    return left < 0 ? 'limit' : segment;
  };
}

function judgeSession(
  state: NodeState,
  { token, quotes }: VerifiedRound,
  logs: ConcludedLogs | undefined,
  deps: RoundDeps,
): readonly FindingCode[] {
  if (logs === undefined) return [];
  const isSameKernel = () => loadStanding(state, deps)?.token.claims.bootseed === token.claims.bootseed;
  return judgeBootSession({
    akName: logs.session.akName,
    quotes,
    ima: logs.ima,
    before: state.bootSession,
    isSameKernel,
  });
}

/** An unchanged kube node costs no write. */
function saveSession(state: NodeState, logs: ConcludedLogs | undefined, deps: RoundDeps): void {
  if (logs !== undefined && !isSameSession(state, logs)) deps.bootSessions.saveSession(state.node.ueid, logs.session);
}

function isSameSession({ bootSession: a }: NodeState, { session: b }: ConcludedLogs): boolean {
  const isSamePlace = a?.akName === b.akName && a.resetCount === b.resetCount && a.restartCount === b.restartCount;
  const isSameList = a?.outcome === b.outcome && a.ima.replay.entries === b.ima.replay.entries;
  return isSamePlace && isSameList && isSameLog(a?.userspaceLog ?? null, b.userspaceLog);
}

function isSameLog(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/**
 * Moves the head and runs `write` in one transaction; false, and nothing written, when the head was moved meanwhile. Only
 * what changes more than the head is waited for until it is on the disk.
 */
async function commit(
  state: NodeState,
  expected: NodeState['head'],
  judgement: Accepted,
  deps: RoundDeps,
  mustLast = false,
  write: () => void = () => undefined,
): Promise<boolean> {
  const { ueid } = state.node;
  const nowMs = deps.now();
  const work = (): boolean => {
    if (!deps.chain.moveHead(ueid, expected, judgement.head, nowMs)) return false;
    for (const code of judgement.incidents) deps.chain.addIncident(ueid, code, nowMs);
    if (judgement.head.seq % FORGET_EVERY === 0) deps.chain.forgetEvidence(ueid, nowMs - MEMORY_MS);
    write();
    return true;
  };
  const isHeavy = mustLast || judgement.incidents.length > 0;
  const isMoved = isHeavy ? runTransaction(deps.database, work) : await deps.lightWriter.run(work);
  state.head = isMoved ? judgement.head : deps.chain.findHead(ueid);
  if (isMoved) state.incidents = mergeCodes(state.incidents, judgement.incidents);
  return isMoved;
}

/** Whether a round tells more than that all is as it was. */
function isChange(state: NodeState, { resolved, concluded }: ConcludedRound): boolean {
  const { referenced, missing } = resolved;
  const isSameSize = state.contents.size === referenced.size - missing.length;
  if (!isSameSize) return true;
  for (const digest of state.contents) {
    if (!referenced.has(digest)) return true;
  }
  return concluded !== undefined && !isSameSession(state, concluded);
}

function storeContents(
  state: NodeState,
  round: UnverifiedRound,
  { referenced }: ResolvedEvidence,
  deps: RoundDeps,
): void {
  const { ueid } = state.node;
  for (const [digest, content] of round.contents) {
    if (referenced.has(digest) && !state.contents.has(digest)) deps.contents.addContent(ueid, digest, content);
  }
  for (const digest of state.contents) {
    if (!referenced.has(digest)) deps.contents.dropContent(ueid, digest);
  }
}

function updateContents(state: NodeState, { referenced, missing }: ResolvedEvidence): void {
  const absent = new Set(missing.map(({ digest }) => digest));
  for (const digest of state.contents) {
    if (!referenced.has(digest)) state.contents.delete(digest);
  }
  for (const digest of referenced) {
    if (!absent.has(digest)) state.contents.add(digest);
  }
}

function createReply(token: VerifiedToken, fresh: boolean, state: NodeState): RoundReply {
  return { evidenceId: token.evidenceId, fresh, overall: state.published?.overall ?? 'none' };
}
