import {
  checkEkPublic,
  computeName,
  computeUeid,
  EvidenceError,
  parsePublic,
  type TpmPublic,
} from '@holdfast/evidence';
import type { EnrolmentStore } from '../store/enrolment-store.ts';
import type { EkPin, Trust } from '../trust/trust.ts';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';

/** A machine that may enrol: its EK is pinned, and its label is free or its own. */
export interface AdmittedEk {
  readonly kubeNode: string;
  readonly ueid: string;
  readonly ekPublic: TpmPublic;
  readonly ekName: Buffer;
  /** Row of the trust file that admits it. */
  readonly pin: EkPin;
}

const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const MAX_PUBLIC_BYTES = 1024;

/**
 * Decides who asks, before anything else of the exchange is parsed: the label's form; the EK's public area and its
 * attributes; that the operator's trust file pins this EK, and pins it for this label if for any; that neither the label
 * nor the EK is enrolled with another partner, and no other EK of the same machine is: one clean TPM must not vouch for
 * two kube nodes. An EK is never trusted because it was the first.
 *
 * Throws `VerifierError` with ERR_VERIFIER_ENROL_NAME, ERR_VERIFIER_EK_MALFORMED, _EK_ATTRIBUTES, _EK_UNKNOWN,
 * _EK_OTHER_NAME, _NAME_OTHER_EK or _EK_OTHER_MACHINE.
 */
export function admitEk(
  request: { readonly kubeNode: string; readonly ekPublic: Uint8Array },
  trust: Pick<Trust, 'eks'>,
  store: Pick<EnrolmentStore, 'findLabel' | 'findEk'>,
): AdmittedEk {
  const { kubeNode } = request;
  if (!LABEL.test(kubeNode)) {
    throw new VerifierError(
      'ERR_VERIFIER_ENROL_NAME',
      'a kube node is named by 1 to 253 letters, digits, dots, dashes',
    );
  }
  const ekPublic = parseKey(request.ekPublic, 'ERR_VERIFIER_EK_MALFORMED');
  checkKey(ekPublic, checkEkPublic, 'ERR_VERIFIER_EK_ATTRIBUTES');
  const ekName = computeName(ekPublic);
  const ueid = computeUeid(ekName);
  const pin = choosePin(kubeNode, ekName.toString('hex'), trust);
  checkPartners(kubeNode, ueid, ekName.toString('hex'), store);
  checkMachine(pin, store);
  return { kubeNode, ueid, ekPublic, ekName, pin };
}

function choosePin(kubeNode: string, ekName: string, trust: Pick<Trust, 'eks'>): EkPin {
  const pin = trust.eks.find((row) => row.ekName === ekName);
  if (pin === undefined) {
    throw new VerifierError(
      'ERR_VERIFIER_EK_UNKNOWN',
      `the trust file pins no EK with the name ${ekName}: add it there once you know it from the machine itself`,
    );
  }
  if (pin.kubeNode !== null && pin.kubeNode !== kubeNode) {
    throw new VerifierError('ERR_VERIFIER_EK_OTHER_NAME', 'the trust file pins this EK for another kube node');
  }
  if (pin.kubeNode === null && trust.eks.some((row) => row.kubeNode === kubeNode)) {
    throw new VerifierError('ERR_VERIFIER_NAME_OTHER_EK', `the trust file pins another EK for ${kubeNode}`);
  }
  return pin;
}

function checkMachine({ ekName, machine }: EkPin, store: Pick<EnrolmentStore, 'findEk'>): void {
  for (const other of machine) {
    const enrolled = other === ekName ? undefined : store.findEk(other);
    if (enrolled === undefined) continue;
    throw new VerifierError(
      'ERR_VERIFIER_EK_OTHER_MACHINE',
      `this machine is enrolled with another of its EKs, as ${enrolled.label}: remove that enrolment first`,
    );
  }
}

function checkPartners(
  kubeNode: string,
  ueid: string,
  ekName: string,
  store: Pick<EnrolmentStore, 'findLabel' | 'findEk'>,
): void {
  const holder = store.findLabel(kubeNode);
  if (holder !== undefined && holder.ueid !== ueid) {
    throw new VerifierError('ERR_VERIFIER_NAME_OTHER_EK', `${kubeNode} is enrolled with another EK`);
  }
  const enrolled = store.findEk(ekName);
  if (enrolled !== undefined && enrolled.label !== kubeNode) {
    throw new VerifierError('ERR_VERIFIER_EK_OTHER_NAME', `this EK is enrolled as ${enrolled.label}`);
  }
}

/** Parses a TPMT_PUBLIC of a peer, with a code of its own for each key. */
export function parseKey(bytes: Uint8Array, code: VerifierErrorCode): TpmPublic {
  if (bytes.length > MAX_PUBLIC_BYTES) throw new VerifierError(code, 'the public area is too long');
  try {
    return parsePublic(bytes);
  } catch (cause) {
    if (cause instanceof EvidenceError) throw new VerifierError(code, cause.message, { cause });
    throw cause;
  }
}

/** Runs a check of a key, with a code of its own for each key. */
export function checkKey(key: TpmPublic, check: (key: TpmPublic) => void, code: VerifierErrorCode): void {
  try {
    check(key);
  } catch (cause) {
    if (cause instanceof EvidenceError) throw new VerifierError(code, cause.message, { cause });
    throw cause;
  }
}
