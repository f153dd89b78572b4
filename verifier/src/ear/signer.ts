/**
 * A private key behind one method: a file in development, PKCS#11, KMS or Vault in production.
 *
 * `sign` takes the bytes to sign, not their digest, and gives the signature as JWS wants it: r‖s for ECDSA
 * (RFC 7518, 3.4), the plain signature for EdDSA and RSA.
 */
export interface Signer {
  readonly alg: 'ES256' | 'ES384' | 'EdDSA' | 'PS256';
  /** Equals the `id` of the key in the trust file. */
  readonly kid: string;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}
