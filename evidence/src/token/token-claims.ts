/** The profile of Holdfast evidence: an OID, as RFC 9711 section 4.3.2 allows. */
export const EVIDENCE_PROFILE = '2.25.148018808497791279178755095034755802300';

/** COSE algorithm -16 is SHA-256; the digest is base64url. RFC 9711 section 4.2.18.2. */
export type SubmoduleDigest = ['DIGEST', [-16, string]];

export type SubmoduleName = 'host' | 'boot' | 'ima' | 'kernel' | 'containers';

/** The public half of the signing key, RFC 7517. */
export interface SigningJwk {
  kty: 'EC';
  crv: 'P-256';
  x: string;
  y: string;
}

/** Sequence numbers of the chain that the Attester says it dropped unsent. */
export interface DeclaredLoss {
  from: number;
  to: number;
  kind: 'heartbeat' | 'change';
}

/** The private claim `holdfast`. */
export interface HoldfastClaims {
  /** Chain id: base64url of 16 random bytes. */
  chain: string;
  /** Counts from 0 in a chain. Null for a snapshot, which is off the chain: `chain` and `prev` then name the head. */
  seq: number | null;
  /** Evidence id (hex) of the token before; null only for the first of a chain and a snapshot taken before it. */
  prev: string | null;
  /** A label, never an identity. */
  kubeNode: string;
  /** `image` is the manifest digest of the agent's own image, `sha256:…`; null outside a container. */
  agent: { version: string; image: string | null };
  /** SHA-256 of the SubjectPublicKeyInfo of the agent's TLS key, hex. */
  tls: string;
  /** Containers with events not yet scanned: id, milliseconds since the oldest of them. Sorted by id. */
  pending: [string, number][];
  /** Age of the oldest complete scan that this round rests on; null without containers. */
  oldestScanMs: number | null;
  lost: DeclaredLoss[];
}

/** The payload of an evidence token: an Entity Attestation Token, RFC 9711. All of it is the Attester's word. */
export interface TokenClaims {
  eat_profile: typeof EVIDENCE_PROFILE;
  /** One nonce, or 2 to 16 distinct ones; absent where no challenge could be had. 43 to 88 characters of base64url each. */
  eat_nonce?: string | string[];
  /** Seconds since the epoch by the Attester's clock. */
  iat: number;
  /** base64url of 16 random bytes. */
  jti: string;
  /** base64url of 0x01 and 32 bytes, see `computeUeid` and `computeUeidWithoutTpm`. */
  ueid: string;
  /** base64url of 1 to 32 bytes. */
  hwmodel?: string;
  /** Secure Boot as the firmware says; the Attester's word. */
  oemboot?: boolean;
  dbgstat?: 'enabled' | 'disabled' | 'disabled-since-boot' | 'disabled-permanently' | 'disabled-fully-and-permanently';
  /** resetCount of the TPM; present exactly when there is one. */
  bootcount?: number;
  /** base64url of 32 bytes derived from the kernel's boot_id. */
  bootseed: string;
  /** Seconds since boot. */
  uptime: number;
  swname: string;
  swversion: [string];
  cnf: { jwk: SigningJwk };
  holdfast: HoldfastClaims;
  submods: Record<SubmoduleName, SubmoduleDigest>;
}

/** One quote in the protected header. */
export interface TokenQuote {
  /** base64url of the AK Name, for look-up only. */
  ak: string;
  /** base64url of the TPMS_ATTEST. */
  attest: string;
  /** base64url of the TPMT_SIGNATURE. */
  sig: string;
  /** Hex values of selected PCRs that no log explains, by bank and index. */
  pcrs: { sha256?: Record<string, string> };
}

/** The protected header of an evidence token. */
export interface TokenHeader {
  alg: 'ES256';
  typ: 'eat+jwt';
  /** RFC 7638 thumbprint of the signing key. */
  kid: string;
  /** Absent exactly when the Attester runs without a TPM. First PCRs 0-9 and 11-15, then PCR 10. */
  tpm?: [TokenQuote, TokenQuote];
}
