import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type ClosableView,
  findLayout,
  type ImageViewOptions,
  type OciImageView,
  openDirectoryView,
  openImageView,
} from '@holdfast/agent';
import { EvidenceError } from '@holdfast/evidence/inventory';
import { undecided, usageError } from './cli-error.ts';
import { explainFileError } from './input-file.ts';

/** A command has the machine to itself, unlike the agent: one thread beside its own, for more only wait for each other. */
const MAX_HELPERS = 1;

const COPY_HINT = 'an archive becomes one by: skopeo copy docker-archive:FILE oci:DIRECTORY';
const UNPACK_HINT = `name a root directory or an OCI image layout (${COPY_HINT})`;

/** Which image of a layout is meant. */
type ImageChoice = Pick<ImageViewOptions, 'platform'>;

/** Opens what a person named as `DIR` or `OCI-LAYOUT[:TAG]`: an image where it is a layout, else a root directory. */
export async function openNamedView(name: string, choice: ImageChoice): Promise<ClosableView> {
  if (findLayout(name) !== undefined) return await openNamedImage(name, choice);
  const view = openNamedDirectory(name);
  if (choice.platform === undefined) return view;
  view.close();
  throw usageError(`${name} is a root directory; --platform is for images`);
}

/** Opens an OCI image layout. Throws a sentence when it is none, or is damaged. */
export async function openNamedImage(name: string, choice: ImageChoice): Promise<OciImageView> {
  const layout = findLayout(name);
  if (layout === undefined) throw undecided(`${name} is no OCI image layout; ${COPY_HINT}`);
  const { directory, ref } = layout;
  try {
    return await openImageView(resolve(directory), ref === undefined ? choice : { ...choice, ref });
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${name}: ${error.message}`, error);
    if (isSystemError(error))
      throw undecided(`${name} is no whole OCI image layout: ${explainFileError(error.path ?? name, error)}`, error);
    throw error;
  }
}

function openNamedDirectory(name: string): ClosableView {
  try {
    if (!statSync(name).isDirectory()) throw undecided(`${name} is no directory; ${UNPACK_HINT}`);
    // A root that may not be listed opens all the same, and would then look empty.
    accessSync(name, constants.R_OK | constants.X_OK);
  } catch (error) {
    throw isSystemError(error) ? undecided(explainFileError(name, error), error) : error;
  }
  // What docker saved, unpacked: a root it is not, and as one it would hold no package.
  if (existsSync(join(name, 'manifest.json')) && !existsSync(join(name, 'etc')))
    throw undecided(`${name} is an unpacked docker archive and no root directory; ${UNPACK_HINT}`);
  return openDirectoryView(resolve(name), { helpers: MAX_HELPERS });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
