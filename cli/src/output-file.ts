import { rename, writeFile } from 'node:fs/promises';
import { undecided } from './cli-error.ts';
import { explainFileError } from './input-file.ts';

/** Writes a file that is whole or not there. Throws a sentence where it cannot be written. */
export async function writeOutputFile(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeFile(part, text);
    await rename(part, path);
  } catch (error) {
    throw undecided(`cannot write ${path}: ${explainFileError(path, error)}`, error);
  }
}
