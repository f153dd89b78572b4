import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const checkout = join(import.meta.dirname, '../../..');
const shared = join(checkout, '../shared/vectors');

/** Reads a vector that the checkout itself holds. */
export function readVector(name: string): Buffer {
  return readFileSync(join(checkout, 'test/vectors', name));
}

/** Folder of the larger set beside the checkout; undefined where it is not there. */
export const sharedVectors: string | undefined = existsSync(shared) ? shared : undefined;

/** For the `skip` option of tests that need the larger set. */
export const skipWithoutShared: string | false = sharedVectors === undefined ? 'no ../shared/vectors here' : false;
