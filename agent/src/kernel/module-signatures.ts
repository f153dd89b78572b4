import { type HostFiles, readHostText } from '../host/host-files.ts';
import { type ModuleSignature, readModuleSignature, SIGNATURE_TAIL_BYTES } from './module-signature.ts';

const MAX_INDEX_BYTES = 8 * 1024 * 1024;
/** Modules that are loaded and unloaded in turn do not fill the memory. */
const MAX_REMEMBERED = 8_192;
const NAME = /^[A-Za-z0-9._+-]{1,128}$/;

/** Why nothing is said of a module's signature: a limit of the claims-set. */
export type SignatureGap = 'modules:compressed' | 'modules:files';

/**
 * Looks up the files of loaded modules below /lib/modules/RELEASE by its `modules.dep` and remembers what was found, so
 * that a module's file is read once. Compressed modules are not unpacked.
 */
export class ModuleSignatures {
  readonly #known = new Map<string, ModuleSignature | SignatureGap>();
  #index: { release: string; paths: ReadonlyMap<string, string> } | undefined;

  find(files: HostFiles, release: string, module: { name: string; size: number }): ModuleSignature | SignatureGap {
    const key = `${release} ${module.name} ${module.size}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#read(files, release, module.name);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }

  #read(files: HostFiles, release: string, name: string): ModuleSignature | SignatureGap {
    const path = this.#openIndex(files, release).get(normalise(name));
    if (path === undefined) return 'modules:files';
    if (!path.endsWith('.ko')) return 'modules:compressed';
    const full = path.startsWith('/') ? path : `/lib/modules/${release}/${path}`;
    const tail = files.readEnd(full, SIGNATURE_TAIL_BYTES);
    return tail === undefined ? 'modules:files' : readModuleSignature(tail);
  }

  #openIndex(files: HostFiles, release: string): ReadonlyMap<string, string> {
    if (this.#index?.release === release) return this.#index.paths;
    const text = NAME.test(release) ? readHostText(files, `/lib/modules/${release}/modules.dep`, MAX_INDEX_BYTES) : '';
    const paths = new Map((text ?? '').split('\n').flatMap(parseLine));
    this.#index = { release, paths };
    return paths;
  }
}

/** `kernel/net/key/af_key.ko: kernel/…` */
function parseLine(line: string): [string, string][] {
  const path = line.slice(0, Math.max(0, line.indexOf(':')));
  const name = /^(.+)\.ko(?:\.[a-z0-9]+)?$/.exec(path.slice(path.lastIndexOf('/') + 1))?.[1];
  if (name === undefined || path.split('/').includes('..')) return [];
  return [[normalise(name), path]];
}

/** The kernel's names have underscores where file names may have dashes. */
function normalise(name: string): string {
  return name.replaceAll('-', '_');
}
