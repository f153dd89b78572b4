import {
  computeKid,
  computeName,
  computeUeid,
  exportSigningJwk,
  parsePublic,
  publicToKeyObject,
  type SigningJwk,
} from '@holdfast/evidence';

/** Public side of the keys of an agent with a TPM. */
export interface KeyIdentity {
  /** TPMT_PUBLIC of EK, AK and signing key. */
  ekPublic: Buffer;
  akPublic: Buffer;
  signingPublic: Buffer;
  /** nameAlg and digest (TPM 2.0 Library, part 1, §16). */
  ekName: Buffer;
  akName: Buffer;
  ueid: string;
  jwk: SigningJwk;
  /** RFC 7638 thumbprint of `jwk`. */
  kid: string;
}

/** Computes Name, `ueid`, JWK and `kid` from public areas that the TPM gave. Throws `EvidenceError` when one does not parse. */
export function createKeyIdentity(
  ek: { public: Buffer; name: Buffer },
  akPublic: Buffer,
  signingPublic: Buffer,
): KeyIdentity {
  const jwk = exportSigningJwk(publicToKeyObject(parsePublic(signingPublic)));
  return {
    ekPublic: ek.public,
    akPublic,
    signingPublic,
    ekName: ek.name,
    akName: computeName(parsePublic(akPublic)),
    ueid: computeUeid(ek.name),
    jwk,
    kid: computeKid(jwk),
  };
}
