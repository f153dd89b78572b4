import type { KeyObject } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import { hashById } from '../tpm/algorithm.ts';
import { checkAkPublic } from '../tpm/key-check.ts';
import { publicToKeyObject } from '../tpm/key-object.ts';
import { computeAkQualifiedName, computeName } from '../tpm/object-name.ts';
import { parsePublic } from '../tpm/public-area.ts';
import { computeKid, computeUeid, computeUeidWithoutTpm, exportSigningJwk } from './identity.ts';
import type { SigningJwk } from './token-claims.ts';

/** What an enrolment left of one kube node. Both TPM members are null exactly when it was enrolled without a TPM. */
export interface EnrolledKeys {
  /** Public P-256 key. */
  readonly signingKey: KeyObject;
  /** TPMT_PUBLIC of the AK. */
  readonly akPublic: Uint8Array | null;
  /** Name of the EK: algorithm and digest. */
  readonly ekName: Uint8Array | null;
}

export interface PreparedAk {
  readonly key: KeyObject;
  readonly name: Buffer;
  readonly qualifiedSigner: Buffer;
}

/** Enrolled keys, checked and decoded once for many tokens; only `prepareEnrolledKeys` makes one. */
export class PreparedKeys {
  readonly signingKey: KeyObject;
  readonly jwk: SigningJwk;
  readonly kid: string;
  readonly ueid: string;
  readonly ak: PreparedAk | null;

  private constructor(keys: EnrolledKeys) {
    this.signingKey = keys.signingKey;
    this.jwk = exportSigningJwk(keys.signingKey);
    this.kid = computeKid(this.jwk);
    this.ak = prepareAk(keys);
    this.ueid = keys.ekName === null ? computeUeidWithoutTpm(this.kid) : computeUeid(keys.ekName);
  }

  /** See `prepareEnrolledKeys`. */
  static prepare(keys: EnrolledKeys): PreparedKeys {
    return new PreparedKeys(keys);
  }
}

/**
 * Checks and decodes the keys of one kube node: the signing key is on P-256, the AK is a restricted signing key that can
 * never leave its TPM and is not the signing key. Costs more than a verification: callers that verify often keep the
 * result.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY or ERR_EVIDENCE_MALFORMED, `TypeError` when only one of AK and EK is given.
 */
export function prepareEnrolledKeys(keys: EnrolledKeys): PreparedKeys {
  return PreparedKeys.prepare(keys);
}

function prepareAk({ signingKey, akPublic, ekName }: EnrolledKeys): PreparedAk | null {
  if (akPublic === null && ekName === null) return null;
  if (akPublic === null || ekName === null) throw new TypeError('AK and EK Name go together');
  const ak = parsePublic(akPublic);
  checkAkPublic(ak);
  const key = publicToKeyObject(ak);
  // An unrestricted key signs any bytes, a forged TPMS_ATTEST among them.
  if (isSameKey(key, signingKey)) throw new EvidenceError('ERR_EVIDENCE_KEY', 'AK and signing key are the same');
  const algorithm = ekName.length < 2 ? undefined : hashById(Buffer.from(ekName).readUInt16BE());
  if (algorithm?.bytes !== ekName.length - 2)
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'EK Name has not the form of one');
  return { key, name: computeName(ak), qualifiedSigner: computeAkQualifiedName(ekName, algorithm.name, ak) };
}

/** Not by `KeyObject.equals`: for keys of two kinds it leaves an error behind, on which a TLS connection then breaks. */
function isSameKey(a: KeyObject, b: KeyObject): boolean {
  const encode = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
  return encode(a).equals(encode(b));
}
