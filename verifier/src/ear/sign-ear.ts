import { encodeBase64url } from '@holdfast/evidence';
import type { Ear, EarProfile } from './ear.ts';
import { encodeEar } from './encode-ear.ts';
import type { Signer } from './signer.ts';

/** Media type of the token without `application/`, as in RFC 9782. */
export const EAR_TYPE = 'eat+jwt';

/**
 * Signs an Attestation Result as a compact JWT.
 *
 * Throws `TypeError` as `encodeEar` does; what the signer throws passes through.
 */
export async function signEar(ear: Ear, signer: Signer, profile: EarProfile = 'ietf-ear-03'): Promise<string> {
  const claims = encodeEar(ear, profile);
  const header = { alg: signer.alg, typ: EAR_TYPE, kid: signer.kid };
  const signingInput = `${encodeJson(header)}.${encodeJson(claims)}`;
  const signature = await signer.sign(Buffer.from(signingInput));
  return `${signingInput}.${encodeBase64url(signature)}`;
}

function encodeJson(value: unknown): string {
  return encodeBase64url(Buffer.from(JSON.stringify(value)));
}
