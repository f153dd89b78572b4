import { createHash } from 'node:crypto';
import { BOOT_PREDICATE_TYPE } from '@holdfast/evidence';
import type { ApplicableBoot } from '../boot/appraise-boot-reference.ts';
import { AGENT_PREDICATE_TYPE, type AgentBuild } from '../references/agent-files.ts';
import type { VerifiedReference } from '../references/reference.ts';
import { SBOM_PREDICATE_TYPES } from '../references/statement.ts';
import { appliesToKubeNode, findSubject, verifyReference } from '../references/verify-reference.ts';
import type { SbomDocument } from '../sbom/sbom.ts';
import type { ReferenceStore, StoredReference } from '../store/reference-store.ts';
import { selectKey } from '../trust/select-key.ts';
import type { Trust, TrustRole } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { createWeightedCache } from '../weighted-cache.ts';

/** A signed SBOM that counts now for one image manifest. */
export interface SbomReference {
  /** `sha256:…` of the envelope. */
  readonly digest: string;
  readonly keyId: string;
  readonly sbom: SbomDocument;
}

/** The signed statements that this verifier knows. */
export interface ReferenceBook {
  /** Verifies and keeps a statement; `isNew` is false for one that is there already. Throws as `verifyReference`. */
  put(envelope: Uint8Array): { reference: StoredReference; isNew: boolean };
  /** Revokes for good. Throws `VerifierError` ERR_VERIFIER_REFERENCE where there is none. */
  revoke(digest: string, reason: string): StoredReference;
  /** Boot references for a kube node of this name whose key counts at this moment, newest first. */
  findBoots(kubeNode: string): ApplicableBoot[];
  /** Lists of the agent's files whose key counts at this moment, newest first. */
  findAgentBuilds(): AgentBuild[];
  /** SBOMs about a manifest whose key counts at this moment, newest first. */
  findSboms(manifest: string): SbomReference[];
}

export interface ReferenceBookDeps {
  readonly store: ReferenceStore;
  readonly trust: () => Trust;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Hears which images' references changed, `sha256:…` each. */
  readonly onChange: (subjects: readonly string[]) => void;
  /** Hears that a boot reference or a list of agent files came or was revoked: it may apply to any kube node. */
  readonly onNodeChange: () => void;
}

/** SBOMs of one image that are looked at, the newest. */
const MAX_PER_SUBJECT = 16;
/** Boot references that are looked at, the newest. */
const MAX_BOOTS = 512;
/** Lists of agent files that are looked at, the newest. */
const MAX_AGENTS = 64;
/** Images whose statements are kept in memory. */
const MAX_SUBJECTS = 10_000;
const CACHE_BYTES = 64 * 1024 * 1024;
const ROLES: Record<VerifiedReference['kind'], TrustRole> = {
  sbom: 'sbom',
  provenance: 'provenance',
  boot: 'boot',
  agent: 'agent',
};

/**
 * Creates the book over a store. A statement is verified when it comes in; what counts is decided at every look-up by
 * the trust file of that moment, since keys expire and are revoked: only parsed content is kept.
 */
export function createReferenceBook(deps: ReferenceBookDeps): ReferenceBook {
  const { store, trust, now } = deps;
  const verified = createWeightedCache<VerifiedReference>(CACHE_BYTES);
  const sbomsOf = new Map<string, StoredReference[]>();
  const verify = (bytes: Uint8Array): VerifiedReference =>
    verifyReference(bytes, trust(), { environment: trust().environment, now: now() });
  const load = ({ digest, envelope }: StoredReference): VerifiedReference | null => {
    try {
      const weight = envelope.length * 4;
      return verified.get(`${trust().digest}:${digest}`, () => ({ value: verify(envelope), weight }));
    } catch (error) {
      if (error instanceof VerifierError) return null;
      throw error;
    }
  };
  const find = (manifest: string): StoredReference[] => {
    const found = sbomsOf.get(manifest) ?? store.findStanding(manifest, SBOM_PREDICATE_TYPES, MAX_PER_SUBJECT);
    if (sbomsOf.size >= MAX_SUBJECTS) sbomsOf.clear();
    sbomsOf.set(manifest, found);
    return found;
  };
  let boots: StoredReference[] | undefined;
  let agents: StoredReference[] | undefined;
  const change = (subjects: readonly string[], predicateType: string): void => {
    for (const subject of subjects) sbomsOf.delete(subject);
    if (predicateType === BOOT_PREDICATE_TYPE || predicateType === AGENT_PREDICATE_TYPE) {
      boots = undefined;
      agents = undefined;
      deps.onNodeChange();
    } else deps.onChange(subjects);
  };
  return {
    put: (envelope) => {
      const reference = toStored(verify(envelope), envelope, now());
      const subjects = listSubjects(reference.verified);
      const isNew = store.addReference(reference.stored, subjects);
      if (isNew) change(subjects, reference.stored.predicateType);
      return { reference: store.findReference(reference.stored.digest) ?? reference.stored, isNew };
    },
    revoke: (digest, reason) => {
      store.revokeReference(digest, reason, now());
      const revoked = store.findReference(digest);
      if (revoked === undefined) throw new VerifierError('ERR_VERIFIER_REFERENCE', `there is no reference ${digest}`);
      change(store.listSubjects(digest), revoked.predicateType);
      return revoked;
    },
    findBoots: (kubeNode) => {
      boots ??= store.findByPredicateType(BOOT_PREDICATE_TYPE, MAX_BOOTS);
      return listBoots(boots, load, (reference) => bootCounts(reference, kubeNode, trust(), now()));
    },
    findAgentBuilds: () => {
      agents ??= store.findByPredicateType(AGENT_PREDICATE_TYPE, MAX_AGENTS);
      return listAgentBuilds(agents, load, (reference) => keyCounts(reference, trust(), now()));
    },
    findSboms: (manifest) =>
      listSboms(find(manifest), load, (reference) => counts(reference, manifest, trust(), now())),
  };
}

/** Those that count, newest first. */
function listBoots(
  stored: readonly StoredReference[],
  load: (stored: StoredReference) => VerifiedReference | null,
  isUsable: (reference: VerifiedReference) => boolean,
): ApplicableBoot[] {
  return stored.flatMap((each) => {
    const reference = load(each);
    if (reference?.kind !== 'boot' || !isUsable(reference)) return [];
    return [{ digest: each.digest, keyId: reference.keyId, reference: reference.boot }];
  });
}

function listAgentBuilds(
  stored: readonly StoredReference[],
  load: (stored: StoredReference) => VerifiedReference | null,
  isUsable: (reference: VerifiedReference) => boolean,
): AgentBuild[] {
  return stored.flatMap((each) => {
    const reference = load(each);
    return reference?.kind === 'agent' && isUsable(reference) ? [reference.agent] : [];
  });
}

function listSboms(
  stored: readonly StoredReference[],
  load: (stored: StoredReference) => VerifiedReference | null,
  isUsable: (reference: VerifiedReference) => boolean,
): SbomReference[] {
  return stored.flatMap((each) => {
    const reference = load(each);
    if (reference?.kind !== 'sbom' || !isUsable(reference)) return [];
    return [{ digest: each.digest, keyId: reference.keyId, sbom: reference.sbom }];
  });
}

/** Whether the statement names this kube node and its key still counts for all that it names. */
function bootCounts(reference: VerifiedReference, kubeNode: string, trust: Trust, now: number): boolean {
  return appliesToKubeNode(reference, kubeNode) && keyCounts(reference, trust, now);
}

/** Whether the key still counts for every name of the statement. */
function keyCounts(reference: VerifiedReference, trust: Trust, now: number): boolean {
  const use = { role: ROLES[reference.kind], environment: trust.environment, now };
  return reference.subjects.every(
    ({ name }) => typeof selectKey(trust, reference.keyId, { ...use, subjectName: name }) !== 'string',
  );
}

/** Whether the key still counts for the statement's name of this image. */
function counts(reference: VerifiedReference, manifest: string, trust: Trust, now: number): boolean {
  const subject = findSubject(reference, manifest);
  if (subject === undefined) return false;
  const use = { role: ROLES[reference.kind], environment: trust.environment, now, subjectName: subject.name };
  return typeof selectKey(trust, reference.keyId, use) !== 'string';
}

function listSubjects(reference: VerifiedReference): string[] {
  return reference.subjects.flatMap(({ digest }) => {
    const sha256 = Object.hasOwn(digest, 'sha256') ? digest['sha256'] : undefined;
    return sha256 === undefined ? [] : [`sha256:${sha256}`];
  });
}

function toStored(verified: VerifiedReference, envelope: Uint8Array, nowMs: number) {
  const digest = `sha256:${createHash('sha256').update(envelope).digest('hex')}`;
  const stored: StoredReference = {
    digest,
    envelope: Buffer.from(envelope),
    predicateType: verified.predicateType,
    subjectName: verified.subjects[0]?.name ?? '',
    subjectDigest: listSubjects(verified)[0] ?? '',
    keyId: verified.keyId,
    addedAtMs: nowMs,
    revokedAtMs: null,
    revocationReason: null,
  };
  return { stored, verified };
}
