import type { KeyObject } from 'node:crypto';
import { signBytes } from '../trust/signature.ts';
import { describeKey, makeP256, makeTrust, NOW } from '../trust/trust.fixture.ts';
import type { Trust, TrustAlgorithm } from '../trust/trust.ts';
import { encodePreAuth, STATEMENT_PAYLOAD_TYPE } from './envelope.ts';
import { ReferenceRefused } from './reference-refused.ts';
import { verifyReference } from './verify-reference.ts';

export const IMAGE = 'a'.repeat(64);
export const CONTEXT = { environment: 'production', now: NOW } as const;
export const BUILDER = makeP256();
export const TRUST: Trust = makeTrust([describeKey(BUILDER.publicKey, { scope: ['registry.example/org/app'] })]);

/** A CycloneDX document with one package. */
export const SBOM = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  components: [{ type: 'library', name: 'bash', version: '5.2.15-2', purl: 'pkg:deb/debian/bash@5.2.15-2?arch=amd64' }],
};

/** A statement about `IMAGE` as any tool would write it. */
export const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'registry.example/org/app', digest: { sha256: IMAGE } }],
  predicateType: 'https://cyclonedx.org/bom',
  predicate: SBOM,
};

interface EnvelopeOptions {
  readonly payloadType?: string;
  readonly keyid?: string;
  readonly key?: KeyObject;
  readonly algorithm?: TrustAlgorithm;
}

/** Signs whatever it is given: text as it stands, anything else as JSON. */
export function makeEnvelope(statement: unknown, options: EnvelopeOptions = {}) {
  const payloadType = options.payloadType ?? STATEMENT_PAYLOAD_TYPE;
  const payload = Buffer.from(typeof statement === 'string' ? statement : JSON.stringify(statement));
  const preAuth = encodePreAuth(payloadType, payload);
  const signature = signBytes(preAuth, options.key ?? BUILDER.privateKey, options.algorithm ?? 'ES256', 'der');
  return {
    payloadType,
    payload: payload.toString('base64'),
    signatures: [{ keyid: options.keyid ?? 'build-key', sig: signature.toString('base64') }],
  };
}

/** A sigstore bundle around an envelope. */
export function makeBundle(envelope: unknown, changes: Record<string, unknown> = {}) {
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'build-key' }, tlogEntries: [] },
    dsseEnvelope: envelope,
    ...changes,
  };
}

export const toBytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

/** `ok`, or the reason of the refusal; any other error passes through. */
export function judge(
  envelope: unknown,
  trust: Trust = TRUST,
  context: Parameters<typeof verifyReference>[2] = CONTEXT,
) {
  try {
    verifyReference(toBytes(envelope), trust, context);
    return 'ok';
  } catch (error) {
    if (error instanceof ReferenceRefused) return error.reason;
    throw error;
  }
}
