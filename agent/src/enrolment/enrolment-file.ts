import { X509Certificate } from 'node:crypto';
import { AgentError } from '../agent-error.ts';

/** What a Verifier gave for the keys of this agent. */
export interface Enrolment {
  /** Address of the Verifier. */
  readonly verifier: string;
  /** Thumbprint of the signing key that was enrolled. */
  readonly kid: string;
  /** SHA-256 of the agent's TLS key, hex: the Verifier expects evidence from it only. */
  readonly tlsSpkiSha256: string;
  readonly enrolledAtMs: number;
  /** X.509 DER: AK, signing key, issuer. */
  readonly certificates: readonly Buffer[];
  /** DER of what the TPM holds about the EK, as it was sent. */
  readonly ekCertificates: readonly Buffer[];
}

const FORMAT = 'holdfast-enrolment-v1';
/** Share of a certificate's life after which it is renewed. */
const RENEW_AFTER = 0.5;
/** A Verifier that issues no certificates may still forget keys that it did not hear of. */
const WITHOUT_CERTIFICATES_MS = 12 * 3_600_000;

/** Writes the file: one JSON object. */
export function encodeEnrolment({ certificates, ekCertificates, ...fields }: Enrolment): Buffer {
  const encode = (list: readonly Buffer[]) => list.map((certificate) => certificate.toString('base64url'));
  const lists = { certificates: encode(certificates), ekCertificates: encode(ekCertificates) };
  return Buffer.from(`${JSON.stringify({ format: FORMAT, ...fields, ...lists })}\n`);
}

/** Reads the file back. Throws `AgentError` ERR_AGENT_STATE when it is not what `encodeEnrolment` writes. */
export function parseEnrolment(bytes: Buffer): Enrolment {
  const fields = parseFields(bytes);
  const { format, verifier, kid, tlsSpkiSha256, enrolledAtMs, certificates } = fields;
  if (format !== FORMAT || typeof verifier !== 'string' || typeof kid !== 'string') throw damaged();
  if (typeof tlsSpkiSha256 !== 'string' || typeof enrolledAtMs !== 'number') throw damaged();
  const lists = { certificates: takeList(certificates), ekCertificates: takeList(fields['ekCertificates'] ?? []) };
  return { verifier, kid, tlsSpkiSha256, enrolledAtMs, ...lists };
}

function takeList(value: unknown): Buffer[] {
  if (!Array.isArray(value) || value.length > 8) throw damaged();
  return value.map((text: unknown) => {
    if (typeof text !== 'string') throw damaged();
    return Buffer.from(text, 'base64url');
  });
}

/**
 * When an enrolment is to be renewed, milliseconds since 1970: after half of what was left of its certificates when they
 * came, by the agent's own clock. Zero, so at once, when a certificate does not parse.
 */
export function chooseRenewalTime({ certificates, enrolledAtMs }: Enrolment): number {
  const [ak, signing] = certificates;
  if (ak === undefined || signing === undefined) return enrolledAtMs + WITHOUT_CERTIFICATES_MS;
  try {
    const ends = [ak, signing].map((der) => Date.parse(new X509Certificate(der).validTo));
    return enrolledAtMs + (Math.min(...ends) - enrolledAtMs) * RENEW_AFTER || 0;
  } catch {
    return 0;
  }
}

function parseFields(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch (cause) {
    throw damaged(cause);
  }
  throw damaged();
}

function damaged(cause?: unknown): AgentError {
  return new AgentError('ERR_AGENT_STATE', 'the enrolment file is damaged', { cause });
}
