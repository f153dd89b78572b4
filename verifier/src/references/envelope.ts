import { parseStrictJson } from '@holdfast/evidence';
import { FieldReader } from '../trust/field-reader.ts';
import { malformedReference, ReferenceRefused, refuseMalformed } from './reference-refused.ts';

/** The one payload type of in-toto statements; everything else is refused before its payload is looked at. */
export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const MAX_ENVELOPE_BYTES = 24 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const MAX_SIGNATURES = 8;
const MAX_SIGNATURE_BYTES = 1024;

const BUNDLE_MEDIA_TYPES = [
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
];

/** A signed payload as it came: nothing of it is verified. */
export interface UnverifiedEnvelope {
  readonly container: 'dsse' | 'sigstore-bundle';
  readonly payload: Buffer;
  /** `hint` is the signer's word for the key, of use for look-up only; undefined where none is given. */
  readonly signatures: readonly { readonly hint: string | undefined; readonly signature: Buffer }[];
}

/**
 * Reads a DSSE envelope, or a sigstore bundle 0.1 to 0.3 that holds one and names a public key.
 *
 * Checks size, strict JSON, the media type of a bundle, the payload type, then canonical base64 and the number of
 * signatures (one to eight, in a bundle exactly one). Trust status: none. Throws `ReferenceRefused`.
 */
export function parseEnvelope(bytes: Uint8Array): UnverifiedEnvelope {
  const limits = { maxBytes: MAX_ENVELOPE_BYTES, maxDepth: 24, maxKeys: 10_000 };
  const root = new FieldReader(
    refuseMalformed(() => parseStrictJson(bytes, limits)),
    'envelope',
    malformedReference,
  );
  return root.has('mediaType') ? readBundle(root) : { container: 'dsse', ...readDsse(root, MAX_SIGNATURES) };
}

/** The bytes that a DSSE signature covers: `DSSEv1 SP len SP type SP len SP payload`, lengths in bytes. */
export function encodePreAuth(payloadType: string, payload: Uint8Array): Buffer {
  const header = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(header), payload]);
}

function readBundle(root: FieldReader): UnverifiedEnvelope {
  root.oneOf('mediaType', BUNDLE_MEDIA_TYPES);
  if (root.has('messageSignature')) {
    throw new ReferenceRefused('PAYLOAD_TYPE', 'The bundle signs a bare message, not an in-toto statement.');
  }
  const material = root.object('verificationMaterial');
  if (material.has('certificate') || material.has('x509CertificateChain')) {
    throw new ReferenceRefused('KEY_UNKNOWN', 'The bundle names a certificate; only keys of the trust file count.');
  }
  const hint = material.object('publicKey').string('hint', { maxLength: 512 });
  const { payload, signatures } = readDsse(root.object('dsseEnvelope'), 1);
  // The hint of the bundle replaces the one in the envelope: both are the signer's word.
  return {
    container: 'sigstore-bundle',
    payload,
    signatures: signatures.map(({ signature }) => ({ hint: hint === '' ? undefined : hint, signature })),
  };
}

function readDsse(envelope: FieldReader, maxSignatures: number): Omit<UnverifiedEnvelope, 'container'> {
  if (envelope.string('payloadType', { maxLength: 256 }) !== STATEMENT_PAYLOAD_TYPE) {
    throw new ReferenceRefused('PAYLOAD_TYPE', `The payload type is not ${STATEMENT_PAYLOAD_TYPE}.`);
  }
  const signatures = envelope.objects('signatures', maxSignatures).map((entry) => {
    const hint = entry.optionalString('keyid', { maxLength: 512 });
    return { hint: hint === '' ? undefined : hint, signature: decodeBase64(entry, 'sig', MAX_SIGNATURE_BYTES) };
  });
  if (signatures.length === 0) throw malformedReference('it has no signature');
  return { payload: decodeBase64(envelope, 'payload', MAX_PAYLOAD_BYTES), signatures };
}

/** Standard base64 with padding; any other text for the same bytes is refused. */
function decodeBase64(owner: FieldReader, name: string, maxBytes: number): Buffer {
  const text = owner.string(name, { maxLength: Number.MAX_SAFE_INTEGER });
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw malformedReference(`${owner.path}.${name} is not canonical base64`);
  if (bytes.length === 0) throw malformedReference(`${owner.path}.${name} is empty`);
  if (bytes.length > maxBytes)
    throw new ReferenceRefused('LIMIT', `${owner.path}.${name} is longer than ${maxBytes} bytes.`);
  return bytes;
}
