import type { KeyObject } from 'node:crypto';
import { pinAlgorithm } from '../trust/pin-algorithm.ts';
import { signBytes } from '../trust/signature.ts';
import type { TrustAlgorithm } from '../trust/trust.ts';
import { encodePreAuth, STATEMENT_PAYLOAD_TYPE } from './envelope.ts';
import type { ReferenceSubject } from './reference.ts';
import { STATEMENT_TYPE_V1 } from './statement.ts';

/** What a statement says of what. */
export interface StatementContent {
  /** At least one; the names are what the key's scope is matched against. */
  readonly subjects: readonly ReferenceSubject[];
  readonly predicateType: string;
  /** Becomes JSON as `JSON.stringify` writes it. */
  readonly predicate: object;
}

/** What to sign, and with which key. */
export interface SignStatementOptions extends StatementContent {
  /** Private key: P-256, P-384, Ed25519 or RSA. */
  readonly key: KeyObject;
  /** The id under which the trust file has the key. */
  readonly keyId: string;
  /** Needed for an RSA key that the trust file has as PS256. */
  readonly algorithm?: TrustAlgorithm;
}

/**
 * Makes an in-toto Statement v1 and signs it as a DSSE envelope; gives the envelope as JSON text.
 *
 * Throws `TypeError` when the key does not fit, is not private, or when there is no subject with a digest.
 */
export function signStatement(options: SignStatementOptions): string {
  const algorithm = pinAlgorithm(options.key, options.algorithm);
  if (algorithm === undefined)
    throw new TypeError('the key is none of P-256, P-384, Ed25519 and RSA of 2048 bits or more');
  if (options.subjects.length === 0) throw new TypeError('a statement needs a subject');
  if (options.subjects.some((subject) => Object.keys(subject.digest).length === 0)) {
    throw new TypeError('a subject needs a digest');
  }
  const payload = Buffer.from(JSON.stringify(createStatement(options)));
  const signature = signBytes(encodePreAuth(STATEMENT_PAYLOAD_TYPE, payload), options.key, algorithm, 'der');
  return JSON.stringify({
    payloadType: STATEMENT_PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures: [{ keyid: options.keyId, sig: signature.toString('base64') }],
  });
}

/** The in-toto Statement v1 that `signStatement` signs, for those who sign it by other means. */
export function createStatement({ subjects, predicateType, predicate }: StatementContent) {
  return { _type: STATEMENT_TYPE_V1, subject: subjects, predicateType, predicate };
}
