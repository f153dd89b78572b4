import { type BytePath, joinBytePath } from '@holdfast/evidence/inventory';
import type { FoundPackage } from '../inventory-builder.ts';
import { parseComposerInstalled } from './composer.ts';
import { parseCondaRecord } from './conda.ts';
import { parseNpmManifest } from './npm.ts';
import { parseNugetDeps } from './nuget.ts';
import { parsePythonMetadata } from './python.ts';
import { parseGemspec } from './ruby.ts';

/** Reads the packages that one manifest file names; none for what is no manifest after all. */
export type ManifestReader = (bytes: Buffer) => FoundPackage[];

/** By the file's own name, in lower case. */
const BY_NAME: Readonly<Record<string, (path: string) => ManifestReader | undefined>> = {
  'package.json': () => parseNpmManifest,
  metadata: (path) => (/\.dist-info\/metadata$/i.test(path) ? parsePythonMetadata : undefined),
  'pkg-info': (path) => (/(?:\.egg-info|\/egg-info)\/pkg-info$/i.test(path) ? parsePythonMetadata : undefined),
  'installed.json': (path) => (path.endsWith('/composer/installed.json') ? parseComposerInstalled : undefined),
};

/** How every name ends that `findManifestReader` has a reader for, in lower case. */
export const MANIFEST_SUFFIXES: readonly string[] = ['.json', 'metadata', 'pkg-info', '.egg-info', '.gemspec'];

/** Last letters of all names below: most files of a tree are told by this alone. */
const LAST_LETTERS = /[acno]$/i;

/** Says what reads a file, by its directory and its name alone. Undefined for files that are no manifest. */
export function findManifestReader(directory: BytePath, file: string): ManifestReader | undefined {
  if (file === 'package.json') return parseNpmManifest;
  if (!LAST_LETTERS.test(file.slice(-1))) return undefined;
  const name = file.toLowerCase();
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name]?.(joinBytePath(directory, file));
  if (name.endsWith('.json')) return findJsonReader(directory, name);
  if (name.endsWith('.egg-info')) return parsePythonMetadata;
  if (name.endsWith('.gemspec') && `${directory}/`.includes('/specifications/')) return parseGemspec;
  return undefined;
}

function findJsonReader(directory: BytePath, name: string): ManifestReader | undefined {
  if (name.endsWith('.deps.json')) return parseNugetDeps;
  return directory.endsWith('/conda-meta') ? parseCondaRecord : undefined;
}
