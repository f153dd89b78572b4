import { createHash } from 'node:crypto';
import { parseBootReference } from '@holdfast/evidence';
import { readSbom } from '../sbom/parse-sbom.ts';
import type { SbomDocument } from '../sbom/sbom.ts';
import { isInScope } from '../trust/scope.ts';
import { refuseKey } from '../trust/select-key.ts';
import { isSignedBy } from '../trust/signature.ts';
import type { Trust, TrustKey, TrustRole } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { readAgentBuild } from './agent-files.ts';
import { encodePreAuth, parseEnvelope, STATEMENT_PAYLOAD_TYPE, type UnverifiedEnvelope } from './envelope.ts';
import { readProvenanceV1, readProvenanceV02 } from './provenance.ts';
import type { ReferenceContext, ReferenceReason, ReferenceSubject, VerifiedReference } from './reference.ts';
import { ReferenceRefused, refuseMalformed } from './reference-refused.ts';
import { classifyPredicate, type PredicateKind, parseStatement, type Statement } from './statement.ts';

const MESSAGES: Partial<Record<ReferenceReason, string>> = {
  TRUST_EXPIRED: 'The trust file has expired.',
  KEY_UNKNOWN: 'The reference names a key that the trust file does not know.',
  KEY_ROLE: 'The key of the reference has another role.',
  KEY_ENVIRONMENT: 'The key of the reference belongs to another environment.',
  KEY_REVOKED: 'The key of the reference is revoked.',
  KEY_EXPIRED: 'The key of the reference is not valid now.',
  KEY_SCOPE: 'The key of the reference does not cover the name of its subject.',
  LIMIT: 'The reference has too many signatures that do not name their key.',
  BAD_SIGNATURE: 'The signature of the reference does not verify.',
};

/** Each trial hashes the whole payload. */
const MAX_TRIALS = 64;
const REFERENCE_ROLES: readonly TrustRole[] = ['sbom', 'provenance', 'boot', 'agent'];
const ROLE_OF: Record<PredicateKind, TrustRole> = {
  cyclonedx: 'sbom',
  spdx: 'sbom',
  'provenance-v1': 'provenance',
  'provenance-v0.2': 'provenance',
  boot: 'boot',
  agent: 'agent',
};

const refuse = (reason: ReferenceReason) => new ReferenceRefused(reason, MESSAGES[reason] ?? reason);

/**
 * Verifies a signed SBOM, provenance or boot reference.
 *
 * Checks in this order: expiry of the trust file; form of the envelope, payload type and base64; for each signature a
 * key of the trust file, the signature over the exact payload bytes with the algorithm of that key; only then the
 * statement is parsed: its type, subjects and predicate type; role, environment, revocation, validity and scope of the
 * key, the scope against every signed subject name; at last the predicate itself. Nothing unsigned is used but for
 * finding the key. Without a trusted time, a key that is expired or revoked now is refused whatever the age of the
 * signature.
 *
 * The result is verified for origin and form. That it is about a given image is for `findSubject` to say.
 * Throws `ReferenceRefused`.
 */
export function verifyReference(bytes: Uint8Array, trust: Trust, context: ReferenceContext): VerifiedReference {
  if (context.now >= trust.expiresMs) throw refuse('TRUST_EXPIRED');
  const envelope = parseEnvelope(bytes);
  const signers = findSigners(envelope, trust);
  const statement = parseStatement(envelope.payload);
  const kind = classifyPredicate(statement.predicateType);
  const key = chooseSigner(signers, trust, statement, kind, context);
  const base = {
    digest: `sha256:${sha256(bytes)}`,
    statementDigest: `sha256:${sha256(envelope.payload)}`,
    container: envelope.container,
    statementVersion: statement.version,
    predicateType: statement.predicateType,
    subjects: statement.subjects,
    keyId: key.id,
  };
  // The one place where the brand is given.
  return { ...base, ...readPredicate(kind, statement.predicate) } as VerifiedReference;
}

/** The subject with this image digest (`sha256:…`), undefined where the statement is about something else. */
export function findSubject(reference: VerifiedReference, digest: string): ReferenceSubject | undefined {
  const colon = digest.indexOf(':');
  const [algorithm, value] = [digest.slice(0, colon), digest.slice(colon + 1)];
  if (colon < 0 || value === '' || value.includes(':')) return undefined;
  return reference.subjects.find(
    (subject) => Object.hasOwn(subject.digest, algorithm) && subject.digest[algorithm] === value,
  );
}

/** Whether the statement's subjects name a kube node: exactly, by `prefix/*` or by `*`. */
export function appliesToKubeNode({ subjects }: VerifiedReference, kubeNode: string): boolean {
  return isInScope(
    kubeNode,
    subjects.map(({ name }) => name),
  );
}

/** Keys of the trust file by which a signature verifies, in the order of the signatures. */
function findSigners(envelope: UnverifiedEnvelope, trust: Trust): TrustKey[] {
  const preAuth = encodePreAuth(STATEMENT_PAYLOAD_TYPE, envelope.payload);
  const candidates = envelope.signatures.flatMap(({ hint, signature }) =>
    findCandidates(trust, hint).map((key) => ({ key, signature })),
  );
  if (candidates.length === 0) throw refuse('KEY_UNKNOWN');
  if (candidates.length > MAX_TRIALS) throw refuse('LIMIT');
  const signers = candidates.filter(({ key, signature }) => isSignedBy(preAuth, signature, key, 'der'));
  if (signers.length === 0) throw refuse('BAD_SIGNATURE');
  return signers.map(({ key }) => key);
}

/** A hint is an id of the trust file or the SHA-256 of the key, in hex or in base64; without one, any key may fit. */
function findCandidates(trust: Trust, hint: string | undefined): TrustKey[] {
  const signing = trust.keys.filter((key) => key.certificate === undefined);
  if (hint === undefined) return signing.filter((key) => REFERENCE_ROLES.includes(key.role));
  return signing.filter((key) => {
    return key.id === hint || key.spkiSha256 === hint || Buffer.from(key.spkiSha256, 'hex').toString('base64') === hint;
  });
}

function chooseSigner(
  signers: readonly TrustKey[],
  trust: Trust,
  statement: Statement,
  kind: PredicateKind,
  context: ReferenceContext,
): TrustKey {
  let first: ReferenceReason | undefined;
  for (const key of signers) {
    const refusals = statement.subjects.map(({ name }) =>
      refuseKey(trust, key, { ...context, role: ROLE_OF[kind], subjectName: name }),
    );
    const refusal = refusals.find((reason) => reason !== undefined);
    if (refusal === undefined) return key;
    first ??= refusal;
  }
  throw refuse(first ?? 'KEY_UNKNOWN');
}

type PredicateFacts =
  | Pick<Extract<VerifiedReference, { kind: 'sbom' }>, 'kind' | 'sbom'>
  | Pick<Extract<VerifiedReference, { kind: 'provenance' }>, 'kind' | 'provenance'>
  | Pick<Extract<VerifiedReference, { kind: 'boot' }>, 'kind' | 'boot'>
  | Pick<Extract<VerifiedReference, { kind: 'agent' }>, 'kind' | 'agent'>;

function readPredicate(kind: PredicateKind, predicate: unknown): PredicateFacts {
  switch (kind) {
    case 'provenance-v1':
      return { kind: 'provenance', provenance: readProvenanceV1(predicate) };
    case 'provenance-v0.2':
      return { kind: 'provenance', provenance: readProvenanceV02(predicate) };
    case 'boot':
      return { kind: 'boot', boot: refuseMalformed(() => parseBootReference(predicate)) };
    case 'agent':
      return { kind: 'agent', agent: readAgentBuild(predicate) };
    default:
      return { kind: 'sbom', sbom: readSbomPredicate(kind, predicate) };
  }
}

function readSbomPredicate(kind: 'cyclonedx' | 'spdx', predicate: unknown): SbomDocument {
  const sbom = readSomeSbom(predicate);
  if (sbom.format !== kind)
    throw new ReferenceRefused('PREDICATE_TYPE', 'The SBOM has another format than its predicate type says.');
  // It could be taken to vouch for what it leaves out.
  if (!sbom.complete)
    throw new ReferenceRefused('SBOM_INSUFFICIENT', 'The SBOM was refused: it says of itself that it is not complete.');
  return sbom;
}

function readSomeSbom(predicate: unknown): SbomDocument {
  try {
    return readSbom(predicate);
  } catch (error) {
    if (!(error instanceof VerifierError)) throw error;
    throw new ReferenceRefused('SBOM_INSUFFICIENT', error.message, { cause: error });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
