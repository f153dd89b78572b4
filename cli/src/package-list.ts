import { EvidenceError, type JsonValue, readPackageRows } from '@holdfast/evidence';
import { listInventory, type PackageList, readSbom, VerifierError } from '@holdfast/verifier';
import { undecided } from './cli-error.ts';
import { readJsonDocument } from './json-document.ts';

const MAX_BYTES = 64 << 20;

/**
 * Reads a list of packages that a person named: an inventory, also an edited one, or an SBOM as CycloneDX or SPDX. Whose
 * word it is nobody checks. Throws a sentence for everything else.
 */
export async function readPackageList(path: string): Promise<PackageList> {
  return listDocument(await readJsonDocument(path, MAX_BYTES), path);
}

function listDocument(value: JsonValue, path: string): PackageList {
  try {
    return isInventory(value) ? listInventory(readPackageRows(value)) : readSbom(value);
  } catch (error) {
    if (error instanceof EvidenceError || error instanceof VerifierError) {
      throw undecided(`${path}: ${error.message}`, error);
    }
    throw error;
  }
}

/** An SPDX document has packages too; which of the two it is, its own member says, wherever that stands. */
function isInventory(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Array.isArray(value['packages']) && value['spdxVersion'] === undefined && value['bomFormat'] === undefined;
}
