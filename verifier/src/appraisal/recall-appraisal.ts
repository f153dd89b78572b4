import type { AppraisalPolicy, AppraisedClaims, AppraisedEvidence, Endorsement } from './appraisal-input.ts';
import { type Appraisal, appraise } from './appraise.ts';
import { judgeSkew } from './appraise-kube-node.ts';

/** See `appraise`; one object of `content` stands for one content. */
export type Appraise = (
  content: object,
  evidence: AppraisedEvidence,
  endorsement: Endorsement,
  policy: AppraisalPolicy,
) => Appraisal;

interface Remembered {
  readonly evidence: AppraisedEvidence;
  readonly endorsement: Endorsement;
  readonly policy: AppraisalPolicy;
  readonly appraisal: Appraisal;
}

/** What lists more is appraised each time, so that little is kept. */
const MAX_FINDINGS = 512;

/**
 * Makes an appraiser that gives the outcome of before where nothing that it follows from has changed. Who vouches and
 * what counts is looked up by the caller, each time: nothing here outlives a key, a reference or a trust file.
 */
export function createAppraiser(): Appraise {
  const known = new WeakMap<object, Remembered>();
  return (content, evidence, endorsement, policy) => {
    const last = known.get(content);
    const isSame = last?.endorsement === endorsement && last.policy === policy;
    if (isSame && isSameEvidence(last.evidence, evidence)) return last.appraisal;
    const appraisal = appraise(evidence, endorsement, policy);
    if (countFindings(appraisal) <= MAX_FINDINGS) known.set(content, { evidence, endorsement, policy, appraisal });
    else known.delete(content);
    return appraisal;
  };
}

function countFindings({ findings, containers }: Appraisal): number {
  return containers.reduce((sum, container) => sum + 1 + container.findings.length, findings.length);
}

type Same<T> = (a: T, b: T) => boolean;

/** Each member has its line, or this does not compile. */
const SAME: { readonly [K in keyof AppraisedEvidence]-?: Same<AppraisedEvidence> } = {
  kubeNode: (a, b) => a.kubeNode === b.kubeNode,
  claims: (a, b) => isSameClaims(a.claims, b.claims),
  receivedAtMs: (a, b) => judgeSkew(a) === judgeSkew(b),
  quotes: (a, b) => isAlike(a.quotes, b.quotes),
  chainFindings: (a, b) => isSameList(a.chainFindings, b.chainFindings, Object.is),
  host: (a, b) => isAlike(a.host, b.host),
  boot: (a, b) => isAlike(a.boot, b.boot),
  ima: (a, b) => isAlike(a.ima, b.ima),
  kernel: (a, b) => isAlike(a.kernel, b.kernel),
  bootLog: (a, b) => a.bootLog === b.bootLog,
  bootReferences: (a, b) => isSameList(a.bootReferences, b.bootReferences, isAlike),
  imaLog: (a, b) => isAlike(a.imaLog, b.imaLog),
  imaFiles: (a, b) => isSameFiles(a.imaFiles, b.imaFiles),
  containerIndex: (a, b) => isAlike(a.containerIndex, b.containerIndex),
  containers: (a, b) => a.containers === b.containers,
};
const COMPARISONS: readonly Same<AppraisedEvidence>[] = Object.values(SAME);

function isSameEvidence(a: AppraisedEvidence, b: AppraisedEvidence): boolean {
  return COMPARISONS.every((isSame) => isSame(a, b));
}

/** `iat` counts through `judgeSkew` alone. */
function isSameClaims({ holdfast: a }: AppraisedClaims, { holdfast: b }: AppraisedClaims): boolean {
  return isAlike(a.agent, b.agent) && isSameList(a.pending, b.pending, isAlike) && isSameList(a.lost, b.lost, isAlike);
}

function isSameFiles(a: AppraisedEvidence['imaFiles'], b: AppraisedEvidence['imaFiles']): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.agent === b.agent &&
    a.isLimited === b.isLimited &&
    a.measuredCode.size === b.measuredCode.size &&
    [...a.measuredCode].every((key) => b.measuredCode.has(key))
  );
}

/** Whether all members are one and the same; parsed content is one object for as long as it is the same. */
function isAlike(a: object | null, b: object | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  return isSameList(Object.keys(a), Object.keys(b), Object.is) && isSameValues(Object.values(a), Object.values(b));
}

function isSameValues(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.every((value, at) => Object.is(value, b[at]));
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: Same<T>): boolean {
  if (a === b) return true;
  const isSameAt = (value: T, at: number): boolean => {
    const other = b[at];
    return other !== undefined && isSame(value, other);
  };
  return a.length === b.length && a.every(isSameAt);
}
