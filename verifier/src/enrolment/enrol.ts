import { create } from '@bufbuild/protobuf';
import {
  computeKid,
  computeName,
  computeTranscript,
  exportSigningJwk,
  makeCredential,
  parsePublic,
  verifyProof,
} from '@holdfast/evidence';
import { type EnrollBegin, type EnrollRequest, type EnrollResponse, EnrollResponseSchema } from '@holdfast/proto';
import type { CertificateIssuer } from '../certificates/certificate-issuer.ts';
import { addPredecessor } from '../certificates/predecessors.ts';
import type { MessagePort } from '../server/message-port.ts';
import type { EnrolledNode, EnrolmentStore } from '../store/enrolment-store.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { type AdmittedEk, admitEk } from './admit-ek.ts';
import { checkEkCertificates } from './endorsement.ts';
import { type CertifiedKeys, type OfferedKeys, verifyOfferedKeys, verifyWithCode } from './verify-keys.ts';
import { type KeySuccession, verifySuccession } from './verify-succession.ts';

/** Keys of a kube node that were taken, and what was enrolled before. */
export interface Enrolment {
  readonly node: EnrolledNode;
  readonly before: EnrolledNode | undefined;
  readonly succession: KeySuccession;
}

export interface EnrolmentDeps {
  readonly store: EnrolmentStore;
  readonly trust: () => Trust;
  readonly issuer: CertificateIssuer;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Hears of a kube node that was enrolled, and of what its keys are to those before. */
  readonly onEnrolled: (enrolment: Enrolment) => void;
}

/** For each step; a slow TPM takes seconds for the last one. */
const STEP_TIMEOUT_MS = 30_000;
const CERTIFICATE_LIFETIME_MS = 24 * 3_600_000;
/** The clocks of those who check a certificate offline need not agree with ours to the second. */
export const BACKDATE_MS = 300_000;
const MAX_EK_CERTIFICATES = 8;
const MAX_EK_CERTIFICATE_BYTES = 8192;

/**
 * Carries one enrolment: who asks (see `admitEk`); EK certificates (see `checkEkCertificates`); a nonce; the keys (see `verifyOfferedKeys`, `verifySuccession`); a
 * credential that only
 * the TPM with that EK and that AK can open; proof by HMAC over the whole exchange; certificates for both keys. The
 * keys before these die. Nothing is stored before the proof holds.
 *
 * Throws `VerifierError` with a code for each reason of refusal, `EvidenceError` for bytes that do not parse.
 */
export async function enrol(port: MessagePort<EnrollRequest, EnrollResponse>, deps: EnrolmentDeps): Promise<void> {
  const first = await receiveStep(port);
  if (first.case !== 'begin') throw orderError('begin');
  const begin = first.value;
  if (deps.now() >= deps.trust().expiresMs) {
    throw new VerifierError('ERR_VERIFIER_TRUST', 'the trust file has expired, so nobody can enrol');
  }
  const ek = admitEk(begin, deps.trust(), deps.store);
  port.identify(ek.ueid);
  checkCertificateSizes(begin);
  checkEkCertificates(ek, begin.ekCertificates, deps.trust(), deps.now());
  const nonce = deps.randomBytes(32);
  await respond(port, { case: 'nonce', value: { nonce } });

  const second = await receiveStep(port);
  if (second.case !== 'keys') throw orderError('keys');
  const offered = second.value;
  const keys = verifyOfferedKeys(offered, ek, nonce, port.peerSpki);
  const findSuccession = () => verifySuccession(offered, keys, ek, nonce, deps.store.findNode(ek.ueid));
  findSuccession();
  const secret = deps.randomBytes(32);
  const credential = verifyWithCode('ERR_VERIFIER_EK_ATTRIBUTES', () =>
    makeCredential({ ekPublic: ek.ekPublic, name: keys.akName, secret, random: deps.randomBytes }),
  );
  await respond(port, { case: 'challenge', value: credential });

  const third = await receiveStep(port);
  if (third.case !== 'proof') throw orderError('proof');
  const transcript = computeTranscript({ ...pickBegin(begin), nonce, ...pickKeys(offered), ...credential });
  verifyWithCode('ERR_VERIFIER_PROOF', () => verifyProof(secret, transcript, third.value.hmac));
  await admitNode(begin, ek, { ...keys, findSuccession }, port, deps);
}

async function admitNode(
  begin: EnrollBegin,
  ek: AdmittedEk,
  keys: CertifiedKeys & { readonly findSuccession: () => KeySuccession },
  port: MessagePort<EnrollRequest, EnrollResponse>,
  deps: EnrolmentDeps,
): Promise<void> {
  const predecessors = listPredecessors(deps.store.findNode(ek.ueid), keys.findSuccession());
  const { node, certificates } = await certify(begin, ek, { ...keys, predecessors }, deps);
  // Another exchange may have ended while the certificates were signed.
  admitEk(begin, deps.trust(), deps.store);
  const enrolment = { node, before: deps.store.findNode(ek.ueid), succession: keys.findSuccession() };
  deps.store.saveNode(node);
  deps.onEnrolled(enrolment);
  await respond(port, { case: 'enrolled', value: { certificates, kid: node.kid } });
}

async function certify(
  { ekCertificates }: Pick<EnrollBegin, 'ekCertificates'>,
  ek: AdmittedEk,
  keys: CertifiedKeys & { readonly predecessors: readonly string[] },
  deps: EnrolmentDeps,
): Promise<{ node: EnrolledNode; certificates: Buffer[] }> {
  // Certificates have whole seconds: what is stored must be what can be read from them.
  const issuedAtMs = Math.floor(deps.now() / 1000) * 1000;
  const { ueid, kubeNode } = ek;
  const { predecessors } = keys;
  const period = { notBeforeMs: issuedAtMs - BACKDATE_MS, notAfterMs: issuedAtMs + CERTIFICATE_LIFETIME_MS };
  const issue = async (purpose: 'ak' | 'evidence', key: CertifiedKeys['akKey']): Promise<Buffer> => {
    const publicKey = key.export({ type: 'spki', format: 'der' });
    const before = purpose === 'ak' ? { predecessors } : {};
    return await deps.issuer.issue({ purpose, ueid, kubeNode, publicKey, ...before, ...period });
  };
  const certificates = [
    await issue('ak', keys.akKey),
    await issue('evidence', keys.signingKey),
    deps.issuer.certificate,
  ];
  const node: EnrolledNode = {
    ueid,
    label: kubeNode,
    ekName: ek.ekName.toString('hex'),
    ekPublic: ek.ekPublic.encoded,
    ekCertificates: ekCertificates.map((der) => Buffer.from(der)),
    akPublic: keys.akPublic.encoded,
    signingPublic: keys.signingPublic.encoded,
    kid: computeKid(exportSigningJwk(keys.signingKey)),
    predecessors,
    issuedAtMs,
    expiresAtMs: period.notAfterMs,
  };
  return { node, certificates };
}

/** A verifier that takes the enrolment over learns from the certificate which AKs were rotated, not replaced. */
function listPredecessors(before: EnrolledNode | undefined, succession: KeySuccession): readonly string[] {
  if (before === undefined || succession === 'first' || succession === 'replaced') return [];
  if (succession === 'same') return before.predecessors;
  return addPredecessor(computeName(parsePublic(before.akPublic)).toString('hex'), before.predecessors);
}

async function receiveStep(port: MessagePort<EnrollRequest, EnrollResponse>): Promise<EnrollRequest['step']> {
  const message = await port.receive(STEP_TIMEOUT_MS);
  if (message === 'timeout') throw new VerifierError('ERR_VERIFIER_DEADLINE', 'the next step did not come in time');
  return message?.step ?? { case: undefined };
}

function orderError(expected: string): VerifierError {
  return new VerifierError('ERR_VERIFIER_ENROL_ORDER', `an enrolment needs ${expected} here`);
}

async function respond(
  port: MessagePort<EnrollRequest, EnrollResponse>,
  step:
    | { case: 'nonce'; value: { nonce: Uint8Array } }
    | { case: 'challenge'; value: { idObject: Uint8Array; encryptedSecret: Uint8Array } }
    | { case: 'enrolled'; value: { certificates: Uint8Array[]; kid: string } },
): Promise<void> {
  await port.send(create(EnrollResponseSchema, { step }));
}

function checkCertificateSizes({ ekCertificates }: EnrollBegin): void {
  const isTooLong = ekCertificates.some((certificate) => certificate.length > MAX_EK_CERTIFICATE_BYTES);
  if (isTooLong || ekCertificates.length > MAX_EK_CERTIFICATES) {
    throw new VerifierError('ERR_VERIFIER_ENROL_LIMIT', 'there are too many EK certificates, or one is too long');
  }
}

function pickBegin({ kubeNode, ekPublic, ekCertificates }: EnrollBegin) {
  return { kubeNode, ekPublic, ekCertificates };
}

function pickKeys(offered: OfferedKeys) {
  const { akPublic, signingPublic, certifyAttest, certifySignature, tlsSpkiSha256 } = offered;
  const { rotationAttest, rotationSignature } = offered;
  return {
    akPublic,
    signingPublic,
    certifyAttest,
    certifySignature,
    tlsSpkiSha256,
    rotationAttest,
    rotationSignature,
  };
}
