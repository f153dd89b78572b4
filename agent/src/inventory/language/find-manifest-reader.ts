import type { BytePath } from '@holdfast/evidence';
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

/** Last letters of all names below: most files of a tree are told by this alone. */
const LAST_LETTERS = /[acno]$/i;

/** Says what reads a file, by its path alone. Undefined for files that are no manifest. */
export function findManifestReader(path: BytePath): ManifestReader | undefined {
  if (!LAST_LETTERS.test(path.slice(-1))) return undefined;
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1).toLowerCase();
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name]?.(path);
  if (name.endsWith('.json')) return findJsonReader(path, name);
  if (name.endsWith('.egg-info')) return parsePythonMetadata;
  if (name.endsWith('.gemspec') && path.includes('/specifications/')) return parseGemspec;
  return undefined;
}

function findJsonReader(path: string, name: string): ManifestReader | undefined {
  if (name.endsWith('.deps.json')) return parseNugetDeps;
  return path.slice(0, -name.length).endsWith('/conda-meta/') ? parseCondaRecord : undefined;
}
