import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EvidenceError, readVariableFile, type SecureBootVariables } from '@holdfast/evidence';
import { undecided, usageError } from './cli-error.ts';
import { explainFileError, readInputFile } from './input-file.ts';

const MAX_VARIABLE_BYTES = 4 << 20;
const REQUIRED = ['PK', 'KEK', 'db', 'dbx'] as const;
const NAMES: readonly string[] = [...REQUIRED, 'dbt', 'dbr'];
/** `db`, `db.esl`, or `db-d719b2cb-…` as efivarfs names it. */
const FILE_NAME = /^(PK|KEK|dbx|dbt|dbr|db)(?:\.[A-Za-z0-9]+|-[0-9a-f-]{36})?$/;

/**
 * Reads the variables of Secure Boot from files named after them, or from directories that hold such files: signature
 * lists, or dumps of efivarfs. One that is missing is empty on the machine; PK, KEK and db must be there when Secure Boot
 * is on, which it is when there is a PK, unless `isEnabled` says otherwise.
 */
export async function readSecureBootFiles(
  paths: readonly string[],
  isEnabled: boolean | undefined,
): Promise<SecureBootVariables> {
  const contents = new Map<string, Buffer>();
  for (const path of await listVariableFiles(paths)) {
    const name = FILE_NAME.exec(basename(path))?.[1] ?? '';
    if (contents.has(name)) throw usageError(`--secure-boot-vars has two files of ${name}`);
    contents.set(name, await readVariable(path));
  }
  const get = (name: string) => contents.get(name) ?? Buffer.alloc(0);
  const isOn = isEnabled ?? get('PK').length > 0;
  const missing = REQUIRED.filter((name) => name !== 'dbx' && get(name).length === 0);
  if (isOn && missing.length > 0) {
    throw undecided(
      `Secure Boot is on, and there is nothing in ${missing.join(', ')}; give their files with --secure-boot-vars`,
    );
  }
  const variables = { isEnabled: isOn, pk: get('PK'), kek: get('KEK'), db: get('db'), dbx: get('dbx') };
  return { ...variables, dbt: get('dbt'), dbr: get('dbr') };
}

async function listVariableFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    if (!(await isDirectory(path))) {
      if (!FILE_NAME.test(basename(path))) {
        throw usageError(`--secure-boot-vars takes files named ${NAMES.join(', ')}; ${path} is named otherwise`);
      }
      files.push(path);
      continue;
    }
    const found = (await readdir(path)).filter((name) => FILE_NAME.test(name));
    if (found.length === 0) throw undecided(`${path} has no file named ${NAMES.join(', ')}`);
    files.push(...found.toSorted().map((name) => join(path, name)));
  }
  return files;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw undecided(explainFileError(path, error), error);
  }
}

async function readVariable(path: string): Promise<Buffer> {
  if ((await stat(path)).size === 0) return Buffer.alloc(0);
  const bytes = await readInputFile(path, MAX_VARIABLE_BYTES);
  try {
    return readVariableFile(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}
