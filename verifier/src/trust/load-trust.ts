import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { VerifierError } from '../verifier-error.ts';
import { readEkAuthorities, readEkPins } from './ek-entries.ts';
import { FieldReader } from './field-reader.ts';
import { pinAlgorithm } from './pin-algorithm.ts';
import { isScopePattern } from './scope.ts';
import type { Trust, TrustAlgorithm, TrustEnvironment, TrustKey, TrustRole } from './trust.ts';

const FORMAT = 'holdfast-trust-v1';
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_KEYS = 256;
const MAX_SCOPES = 256;
const MAX_PEM_LENGTH = 32_768;

const ROLES: readonly TrustRole[] = ['sbom', 'provenance', 'boot', 'agent', 'enrolment', 'result'];
const ENVIRONMENTS: readonly TrustEnvironment[] = ['development', 'staging', 'production'];
const ALGORITHMS: readonly TrustAlgorithm[] = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'];
const KEY_FIELDS = ['id', 'role', 'environment', 'publicKey', 'certificate', 'algorithm', 'scope'];
const KEY_TIMES = ['validFrom', 'validUntil', 'revokedAt'];

const KEY_ID = /^[\x21-\x7e]{1,256}$/;

const refuse = (message: string, cause?: unknown) =>
  new VerifierError('ERR_VERIFIER_TRUST', `The trust file was refused: ${message}.`, { cause });

/**
 * Reads the trust file: strict JSON without duplicate or unknown fields, format, version, times, then each key, pinned
 * endorsement key and root certificate.
 *
 * Trust status: what the operator wrote; whether it has expired is checked at each use, because it can expire while it
 * is loaded. A key is parsed once and gets its one algorithm here; the same key under two entries is refused, so that
 * roles and environments stay apart and a revocation cannot be dodged.
 * Throws `VerifierError` with ERR_VERIFIER_TRUST.
 */
export function loadTrust(bytes: Uint8Array): Trust {
  const root = new FieldReader(parseFile(bytes), 'trust', refuse);
  root.only(['format', 'version', 'expires', 'environment', 'keys', 'eks', 'ekRoots', 'ekIntermediates']);
  root.oneOf('format', [FORMAT]);
  const keys = root.objects('keys', MAX_KEYS).map(readKey);
  refuseDuplicates(
    'key id',
    keys.map((key) => key.id),
  );
  refuseDuplicates(
    'public key',
    keys.map((key) => key.spkiSha256),
  );
  const ekRoots = readEkAuthorities(root, 'ekRoots', refuse);
  const eks = readEkPins(root, refuse);
  refuseDuplicates(
    'ekName',
    eks.map((ek) => ek.ekName),
  );
  if (ekRoots.length === 0 && eks.some(({ endorsement }) => endorsement === 'chain')) {
    throw refuse('it asks for chains of EK certificates, and ekRoots is empty');
  }
  return {
    version: root.integer('version', 1),
    expiresMs: root.time('expires'),
    environment: root.oneOf('environment', ENVIRONMENTS),
    digest: createHash('sha256').update(bytes).digest('hex'),
    keys,
    eks,
    ekRoots,
    ekIntermediates: root.has('ekIntermediates') ? readEkAuthorities(root, 'ekIntermediates', refuse) : [],
  };
}

/**
 * Refuses a trust file that is older than the one in use, or another one under the same version.
 *
 * Throws `VerifierError` with ERR_VERIFIER_TRUST.
 */
export function checkTrustSuccessor(current: Pick<Trust, 'version' | 'digest'>, next: Trust): void {
  if (next.version < current.version) throw refuse(`version ${next.version} is older than ${current.version}, in use`);
  if (next.version === current.version && next.digest !== current.digest) {
    throw refuse(`version ${next.version} is in use with another content; raise the version with each change`);
  }
}

function parseFile(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes, { maxBytes: MAX_BYTES, maxDepth: 8, maxKeys: 250_000 });
  } catch (error) {
    if (error instanceof EvidenceError) throw refuse(error.message, error);
    throw error;
  }
}

function readKey(entry: FieldReader): TrustKey {
  entry.only([...KEY_FIELDS, ...KEY_TIMES]);
  const role = entry.oneOf('role', ROLES);
  const { publicKey, certificate } = readPublicKey(entry, role);
  const wanted = entry.has('algorithm') ? entry.oneOf('algorithm', ALGORITHMS) : undefined;
  const algorithm = pinAlgorithm(publicKey, wanted);
  if (algorithm === undefined) {
    throw refuse(
      `${entry.path} is none of P-256, P-384, Ed25519 and RSA with 2048 to 8192 bits, or does not fit its algorithm`,
    );
  }
  const [validFromMs, validUntilMs] = [entry.time('validFrom'), entry.time('validUntil')];
  if (validUntilMs <= validFromMs) throw refuse(`${entry.path} ends before it begins`);
  return {
    id: entry.string('id', { pattern: KEY_ID }),
    role,
    environment: entry.oneOf('environment', ENVIRONMENTS),
    algorithm,
    publicKey,
    spkiSha256: createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
    ...(certificate === undefined ? {} : { certificate }),
    scope: readScope(entry),
    validFromMs,
    validUntilMs,
    ...(entry.has('revokedAt') ? { revokedAtMs: entry.time('revokedAt') } : {}),
  };
}

function readPublicKey(entry: FieldReader, role: TrustRole): { publicKey: KeyObject; certificate?: string } {
  if (entry.has('publicKey') === entry.has('certificate')) {
    throw refuse(`${entry.path} needs either publicKey or certificate`);
  }
  const pem = entry.string(entry.has('publicKey') ? 'publicKey' : 'certificate', { maxLength: MAX_PEM_LENGTH });
  if (entry.has('certificate')) {
    if (role !== 'enrolment') throw refuse(`${entry.path}: only role enrolment has a certificate`);
    return { publicKey: parseCertificate(pem, entry.path).publicKey, certificate: pem };
  }
  // createPublicKey would also take a private key, which has no place in this file.
  if (!pem.trimStart().startsWith('-----BEGIN PUBLIC KEY-----'))
    throw refuse(`${entry.path}.publicKey is no PEM public key`);
  try {
    return { publicKey: createPublicKey({ key: pem, format: 'pem', type: 'spki' }) };
  } catch (error) {
    throw refuse(`${entry.path}.publicKey cannot be read`, error);
  }
}

function readScope(entry: FieldReader): string[] {
  const scope = entry.strings('scope', MAX_SCOPES, { maxLength: 512 });
  if (scope.length === 0) throw refuse(`${entry.path}.scope is empty, so the key would count for nothing`);
  if (!scope.every(isScopePattern))
    throw refuse(`${entry.path}.scope has an entry that is no exact name, prefix/* or *`);
  return scope;
}

function parseCertificate(pem: string, path: string): X509Certificate {
  if (!pem.trimStart().startsWith('-----BEGIN CERTIFICATE-----')) throw refuse(`${path} is no PEM certificate`);
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw refuse(`${path} holds a certificate that cannot be read`, error);
  }
}

function refuseDuplicates(what: string, values: readonly string[]): void {
  if (new Set(values).size !== values.length) throw refuse(`it has one ${what} twice`);
}
