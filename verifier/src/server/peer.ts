import { createHash, X509Certificate } from 'node:crypto';
import { VerifierError } from '../verifier-error.ts';

/** What a certificate may be used for; stands in it as `urn:holdfast:role:…` among the subject's alternative names. */
export type PeerRole = 'agent' | 'verifier' | 'responder' | 'operator' | 'builder' | 'auditor';

/** The other end of a connection, whose certificate TLS verified. */
export interface Peer {
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly spkiSha256: string;
  readonly roles: ReadonlySet<PeerRole>;
}

const ROLES: readonly PeerRole[] = ['agent', 'verifier', 'responder', 'operator', 'builder', 'auditor'];
const PREFIX = 'URI:urn:holdfast:role:';

/** Reads the key and the roles out of a certificate (DER) that TLS verified. Unknown roles are passed over. */
export function readPeer(der: Uint8Array): Peer {
  const certificate = new X509Certificate(der);
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return { spkiSha256: createHash('sha256').update(spki).digest('hex'), roles: readRoles(certificate) };
}

function readRoles(certificate: X509Certificate): Set<PeerRole> {
  const names = certificate.subjectAltName ?? '';
  // Node quotes a name that holds a separator; a certificate with such a name has no roles here.
  if (names.includes('"')) return new Set();
  const entries = names.split(', ');
  return new Set(ROLES.filter((role) => entries.includes(`${PREFIX}${role}`)));
}

/** Refuses a peer that has none of the roles, with ERR_VERIFIER_ROLE. */
export function requireRole(peer: Peer, roles: readonly PeerRole[]): void {
  if (!roles.some((role) => peer.roles.has(role))) {
    throw new VerifierError('ERR_VERIFIER_ROLE', `this call needs a certificate with the role ${roles.join(' or ')}`);
  }
}
