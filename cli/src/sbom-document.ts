import type { JsonValue } from '@holdfast/evidence';
import { readSbom, type SbomDocument, VerifierError } from '@holdfast/verifier';
import { undecided } from './cli-error.ts';
import { isJsonObject, nameForeignDocument } from './foreign-format.ts';
import { parseJsonDocument } from './json-document.ts';

const STATEMENT = /^https:\/\/in-toto\.io\/Statement\//;

/** Reads an SBOM out of a parsed file; throws a sentence that names the file, and the format where it is another one. */
export function readSbomDocument(value: JsonValue, path: string): SbomDocument {
  if (!isSbom(value)) {
    const foreign = nameForeignDocument(value) ?? 'is neither an inventory nor CycloneDX or SPDX 2.3 as JSON';
    throw undecided(`${path} ${foreign}`);
  }
  try {
    return readSbom(value);
  } catch (error) {
    if (error instanceof VerifierError) throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}

/**
 * Takes the SBOM out of a sigstore bundle, a DSSE envelope or an in-toto statement, to be looked at: nothing is verified,
 * and `onUnverified` hears that there was something to verify. Anything else is given back as it is, but for its envelope.
 */
export function unwrapSbom(value: JsonValue, path: string, onUnverified: () => void): JsonValue {
  const bundled = isJsonObject(value) ? value['dsseEnvelope'] : undefined;
  const statement = openEnvelope(bundled ?? value, path);
  if (!isJsonObject(statement)) return statement;
  const { _type: type, predicate } = statement;
  if (typeof type !== 'string' || !STATEMENT.test(type) || predicate === undefined || !isSbom(predicate))
    return statement;
  onUnverified();
  return predicate;
}

function openEnvelope(envelope: JsonValue, path: string): JsonValue {
  if (!isJsonObject(envelope)) return envelope;
  const { payload, payloadType } = envelope;
  if (typeof payload !== 'string' || payloadType === undefined) return envelope;
  const bytes = Buffer.from(payload, 'base64');
  return parseJsonDocument(bytes, `${path}: its payload`, bytes.length);
}

function isSbom(value: JsonValue): boolean {
  return isJsonObject(value) && (value['bomFormat'] ?? value['spdxVersion']) !== undefined;
}
