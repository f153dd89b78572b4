import { EvidenceError, type JsonValue, readPackageRows } from '@holdfast/evidence';
import { listInventory, type PackageList } from '@holdfast/verifier';
import { undecided } from './cli-error.ts';
import { isJsonObject } from './foreign-format.ts';
import { readJsonDocument } from './json-document.ts';
import { readSbomDocument, unwrapSbom } from './sbom-document.ts';
import type { Terminal } from './terminal.ts';

const MAX_BYTES = 64 << 20;

/**
 * Reads a list of packages that a person named: an inventory, also an edited one, or an SBOM as CycloneDX or SPDX, also
 * within a signed statement. Whose word it is nobody checks. Throws a sentence for everything else.
 */
export async function readPackageList(path: string, terminal: Pick<Terminal, 'note'>): Promise<PackageList> {
  const document = await readJsonDocument(path, MAX_BYTES);
  const value = unwrapSbom(document, path, () => terminal.note(`${path}: the signature of this SBOM is not checked`));
  return isInventory(value) ? listEditedInventory(value, path) : readSbomDocument(value, path);
}

function listEditedInventory(value: JsonValue, path: string): PackageList {
  try {
    return listInventory(readPackageRows(value));
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}

/** An SPDX document has packages too; which of the two it is, its own member says, wherever that stands. */
function isInventory(value: JsonValue): boolean {
  if (!isJsonObject(value) || !Array.isArray(value['packages'])) return false;
  return value['spdxVersion'] === undefined && value['bomFormat'] === undefined;
}
