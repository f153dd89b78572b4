import { createHash, type X509Certificate } from 'node:crypto';

/** What a certificate may be used for; stands in it as `urn:holdfast:role:…` among the subject's alternative names. */
export type PeerRole = 'agent' | 'verifier' | 'responder' | 'operator' | 'builder' | 'auditor';

/** The other end of a connection. */
export interface Peer {
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly spkiSha256: string;
  readonly roles: ReadonlySet<PeerRole>;
}

const ROLES: readonly PeerRole[] = ['agent', 'verifier', 'responder', 'operator', 'builder', 'auditor'];
const PREFIX = 'URI:urn:holdfast:role:';

/**
 * Reads key and roles out of a certificate. Only as good as the check of its chain, which is TLS's. Unknown roles are
 * passed over; a certificate with a name that needs quoting (RFC 5280 names may hold separators) has no role at all.
 */
export function readPeer(certificate: X509Certificate): Peer {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return { spkiSha256: createHash('sha256').update(spki).digest('hex'), roles: parseRoles(certificate.subjectAltName) };
}

/** Roles among subject alternative names as Node writes them. */
export function parseRoles(subjectAltName: string | undefined): Set<PeerRole> {
  const names = subjectAltName ?? '';
  if (names.includes('"')) return new Set();
  const entries = names.split(', ');
  return new Set(ROLES.filter((role) => entries.includes(`${PREFIX}${role}`)));
}
