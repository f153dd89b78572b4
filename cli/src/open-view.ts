import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ClosableView, type OciImageView, openDirectoryView, openImageView } from '@holdfast/agent';
import { EvidenceError } from '@holdfast/evidence/inventory';
import { undecided } from './cli-error.ts';
import { explainFileError } from './input-file.ts';

/** A command has the machine to itself, unlike the agent: one thread beside its own, for more only wait for each other. */
const MAX_HELPERS = 1;

const UNPACK_HINT =
  'name a root directory or an OCI image layout (an archive becomes one by: skopeo copy docker-archive:FILE oci:DIRECTORY)';

/** Opens what a person named as `DIR` or `OCI-LAYOUT[:TAG]`: an image where it is a layout, else a root directory. */
export async function openNamedView(name: string): Promise<ClosableView> {
  return (await isLayout(name)) ? await openNamedImage(name) : await openNamedDirectory(name);
}

/** Opens an OCI image layout. Throws a sentence when it is none, or is damaged. */
export async function openNamedImage(name: string): Promise<OciImageView> {
  try {
    return await openImageView(await absoluteLayoutName(name));
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${name}: ${error.message}`, error);
    if (isSystemError(error))
      throw undecided(`${name} is no whole OCI image layout: ${explainFileError(error.path ?? name, error)}`, error);
    throw error;
  }
}

async function openNamedDirectory(name: string): Promise<ClosableView> {
  const refuse = (error: unknown): never => {
    throw undecided(explainFileError(name, error), error);
  };
  const found = await stat(name).catch(refuse);
  if (!found.isDirectory()) throw undecided(`${name} is no directory; ${UNPACK_HINT}`);
  // What docker saved, unpacked: a root it is not, and as one it would hold no package.
  if ((await exists(`${name}/manifest.json`)) && !(await exists(`${name}/etc`)))
    throw undecided(`${name} is an unpacked docker archive and no root directory; ${UNPACK_HINT}`);
  // A root that may not be listed opens all the same, and would then look empty.
  await access(name, constants.R_OK | constants.X_OK).catch(refuse);
  return openDirectoryView(resolve(name), { helpers: MAX_HELPERS });
}

/** Splits at the last colon only where what stands before it is a directory: tags and paths may both hold colons. */
async function absoluteLayoutName(name: string): Promise<string> {
  if (await exists(name)) return resolve(name);
  const colon = name.lastIndexOf(':');
  const directory = name.slice(0, colon);
  return colon > 0 && (await exists(directory)) ? `${resolve(directory)}${name.slice(colon)}` : resolve(name);
}

async function isLayout(name: string): Promise<boolean> {
  if (await exists(`${name}/oci-layout`)) return true;
  const colon = name.lastIndexOf(':');
  return colon > 0 && !(await exists(name)) && (await exists(`${name.slice(0, colon)}/oci-layout`));
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
