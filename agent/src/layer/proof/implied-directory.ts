import { createHash } from 'node:crypto';
import { bytePathToBuffer, latin1ToBytePath } from '@holdfast/evidence';
import { openRoot, type RootHandle, type RootStat } from '@holdfast/rootfs';
import { resolvePath } from '../../root-view/resolve-path.ts';
import { isComparedXattr } from './compared-xattrs.ts';

/** What a directory should be like that a layer holds although its tar does not name it. */
export interface ImpliedAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Those that a layer may set; latin1 names. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** Tells what a runtime made such a directory like. Paths are latin1, without the leading slash. */
export interface ImpliedDirectories {
  attributesOf(path: string): ImpliedAttributes;
  close(): void;
}

/** What a proof rested on in the layers below: these paths, and what they were like. */
export interface ImpliedDigest {
  readonly paths: readonly string[];
  /** Hex. */
  readonly digest: string;
}

const PLAIN: ImpliedAttributes = { mode: 0o755, uid: 0, gid: 0, xattrs: new Map() };

/** containers/storage makes each of them alike, whatever the layers below hold. */
export const PLAIN_DIRECTORIES: ImpliedDirectories = { attributesOf: () => PLAIN, close: () => undefined };

/**
 * containerd takes the attributes from the nearest layer below that has the path, links in it resolved within that layer,
 * and makes a plain directory where none has it or something else lies there (`mkparent` of its archive package). Calls
 * throw `RootfsError`. `lowers` are directories, the nearest first.
 */
export function openImpliedDirectories(lowers: readonly string[]): ImpliedDirectories {
  return new CopiedDirectories(lowers);
}

class CopiedDirectories implements ImpliedDirectories {
  readonly #lowers: readonly string[];
  readonly #roots: (RootHandle | undefined)[] = [];
  readonly #answers = new Map<string, ImpliedAttributes>();

  constructor(lowers: readonly string[]) {
    this.#lowers = lowers;
  }

  /** The same answer each time: a comparison and its digest speak of one state. */
  attributesOf(path: string): ImpliedAttributes {
    const known = this.#answers.get(path);
    if (known !== undefined) return known;
    const attributes = this.#read(path);
    this.#answers.set(path, attributes);
    return attributes;
  }

  close(): void {
    for (const root of this.#roots) root?.close();
  }

  #read(path: string): ImpliedAttributes {
    for (let at = 0; at < this.#lowers.length; at += 1) {
      const found = readDirectory(this.#open(at), path);
      if (found !== undefined) return found;
    }
    return PLAIN;
  }

  /** Most directories are in the nearest layers: others are not opened. */
  #open(at: number): RootHandle {
    const root = this.#roots[at] ?? openRoot(this.#lowers[at] ?? '', { parentLinks: 'refuse' });
    this.#roots[at] = root;
    return root;
  }
}

/** Undefined where the layer has nothing at the path. */
function readDirectory(root: RootHandle, path: string): ImpliedAttributes | undefined {
  const look = (at: Buffer): (RootStat & { target?: string }) | undefined => {
    const stat = root.lstat(at);
    return stat?.type === 'symlink' ? { ...stat, target: root.readLink(at).toString('latin1') } : stat;
  };
  const resolved = resolvePath((at) => look(bytePathToBuffer(at)), latin1ToBytePath(`/${path}`));
  if (resolved === undefined) return undefined;
  const place = bytePathToBuffer(resolved);
  const stat = root.lstat(place);
  if (stat === undefined) return undefined;
  if (stat.type !== 'directory') return PLAIN;
  const xattrs = new Map<string, Buffer>();
  for (const name of root.listXattrs(place).filter(isComparedXattr)) {
    const value = root.getXattr(place, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return { mode: stat.mode, uid: stat.uid, gid: stat.gid, xattrs };
}

/** Digest of what directories should be like. */
export function digestImplied(paths: readonly string[], implied: ImpliedDirectories): ImpliedDigest {
  const hash = createHash('sha256').update('holdfast-implied-directories-v1\0');
  for (const path of paths) {
    const { mode, uid, gid, xattrs } = implied.attributesOf(path);
    const rows = [...xattrs].map(([name, value]) => `${name}\0${value.toString('hex')}\0`).sort();
    hash.update(`${path}\0${mode} ${uid} ${gid} ${rows.length}\0${rows.join('')}`, 'latin1');
  }
  return { paths, digest: hash.digest('hex') };
}
