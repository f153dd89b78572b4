import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { FieldReader } from '../trust/field-reader.ts';
import { readCycloneDx } from './read-cyclonedx.ts';
import { readSpdx } from './read-spdx.ts';
import type { SbomDocument } from './sbom.ts';
import { MAX_SBOM_BYTES, refuseSbom } from './sbom-limits.ts';

/**
 * Parses an SBOM: CycloneDX 1.4 to 1.7 or SPDX 2.3, as JSON.
 *
 * Checks size and strict JSON, then as `readSbom`. Trust status: none, the bytes may be anybody's; what counts as a
 * reference goes through `verifyReference`. Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function parseSbom(bytes: Uint8Array): SbomDocument {
  return readSbom(parseJson(bytes));
}

/**
 * Reads an SBOM out of parsed JSON: format and version, components with their limits, and at least one package.
 *
 * An SBOM without packages is refused: it could be taken for the statement that nothing is there.
 * Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function readSbom(value: unknown): SbomDocument {
  const root = new FieldReader(value, 'sbom', refuseSbom);
  const document = root.has('spdxVersion') ? readSpdx(root) : readCycloneDx(root);
  if (document.packages.every(({ isSubject }) => isSubject === true)) throw refuseSbom('it lists no package');
  return document;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes, { maxBytes: MAX_SBOM_BYTES, maxDepth: 64, maxKeys: 2_000_000 });
  } catch (error) {
    if (error instanceof EvidenceError) throw refuseSbom(error.message, error);
    throw error;
  }
}
