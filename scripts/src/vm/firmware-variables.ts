import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** gEfiAuthenticatedVariableGuid: the store that EDK II keeps variables in, as its bytes stand in the file. */
const STORE = Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex');
const STORE_HEADER_BYTES = 28;
const VARIABLE_HEADER_BYTES = 60;
const START = 0x55aa;
/** Written and not deleted since (EDK II, VariableFormat.h). */
const ADDED = 0x3f;
const WANTED = ['PK', 'KEK', 'db', 'dbx'];

/**
 * Writes PK, KEK, db and dbx out of a file of firmware variables, as an administrator of the machine has them: each as
 * efivarfs would give it, named after the variable.
 */
export async function extractVariables(firmwareFile: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const found = listVariables(await readFile(firmwareFile));
  for (const name of WANTED) {
    const content = found.get(name);
    if (content === undefined) throw new Error(`${firmwareFile} has no variable ${name}`);
    await writeFile(join(directory, name), content);
  }
}

function listVariables(file: Buffer): Map<string, Buffer> {
  const store = file.indexOf(STORE);
  if (store < 0) throw new Error('the file of firmware variables has no store of them');
  const variables = new Map<string, Buffer>();
  let at = store + STORE_HEADER_BYTES;
  while (file.readUInt16LE(at) === START) {
    const state = file.readUInt8(at + 2);
    const nameBytes = file.readUInt32LE(at + 36);
    const dataBytes = file.readUInt32LE(at + 40);
    const nameAt = at + VARIABLE_HEADER_BYTES;
    const dataAt = nameAt + nameBytes;
    const name = file.toString('utf16le', nameAt, dataAt - 2);
    const attributes = file.subarray(at + 4, at + 8);
    if (state === ADDED) variables.set(name, Buffer.concat([attributes, file.subarray(dataAt, dataAt + dataBytes)]));
    at = (dataAt + dataBytes + 3) & ~3;
  }
  return variables;
}
