import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeBinding, NativeDescription } from './native-binding.ts';
import { TpmError } from './tpm-error.ts';

const PACKAGE_NAME = 'tpm2-tss-node';
const SANITIZER_MARK = '.sanitizer';
const ADDON = join('build', 'Release', 'tpm2_tss.node');

let loaded: NativeBinding | undefined;

function fail(message: string, cause?: unknown): TpmError {
  return new TpmError({ code: 'ERR_TPM_NATIVE', command: 'load', message, cause });
}

function isNamed(directory: string): boolean {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    return typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === PACKAGE_NAME;
  } catch {
    return false;
  }
}

/**
 * Candidates in order: the package root above this file (a checkout or an installed package), then the package as an
 * application above this file would resolve it, which covers a compiled copy of these sources in another folder.
 */
function* findPackageRoots(): Generator<string> {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (true) {
    if (isNamed(directory)) yield directory;
    if (isNamed(join(directory, 'node_modules', PACKAGE_NAME))) yield join(directory, 'node_modules', PACKAGE_NAME);
    const parent = dirname(directory);
    if (parent === directory) return;
    directory = parent;
  }
}

function findAddon(): string {
  for (const root of findPackageRoots()) {
    const file = join(root, ADDON);
    if (existsSync(file)) return file;
  }
  throw fail(`the native part of ${PACKAGE_NAME} is not built: run its scripts/build (needs libtss2-dev and g++)`);
}

function isBinding(value: unknown): value is NativeBinding {
  return typeof value === 'object' && value !== null && 'createContext' in value && 'releaseAll' in value;
}

function openAddon(file: string): NativeBinding {
  const module: { exports: unknown } = { exports: {} };
  // Deep binding: libtss2-esys must call its own libcrypto, not the OpenSSL that the node executable exports. Sanitizers
  // cannot live with it; musl does not have it.
  const sanitized = existsSync(join(dirname(file), SANITIZER_MARK));
  const deepBind = sanitized ? 0 : (constants.dlopen.RTLD_DEEPBIND ?? 0);
  try {
    process.dlopen(module, file, constants.dlopen.RTLD_LAZY | deepBind);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/\s+/g, ' ') : 'unknown reason';
    throw fail(`${file} does not load: ${reason}. It needs libtss2-esys, libtss2-tctildr and libtss2-rc 3.2+`, cause);
  }
  if (!isBinding(module.exports)) throw fail(`${file} is not the native part of this version: run scripts/build`);
  return module.exports;
}

/**
 * Loads the native part once a thread, on first use.
 * @throws TpmError `ERR_TPM_NATIVE` with a sentence that says what to do
 */
export function loadNative(): NativeBinding {
  if (loaded === undefined) {
    const binding = openAddon(findAddon());
    process.once('exit', () => binding.releaseAll());
    loaded = binding;
  }
  return loaded;
}

/**
 * Says which libtss2-esys is loaded and whose OpenSSL it calls. For diagnosis only.
 * @throws TpmError `ERR_TPM_NATIVE`
 */
export function describeNative(): NativeDescription {
  return loadNative().describe();
}
