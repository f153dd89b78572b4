import { checkHostPath } from './arguments.ts';
import { loadNative, type NativeCapability } from './native.ts';
import { guard, RootfsError } from './rootfs-error.ts';

/** Whether something works here, and how it was found or what is used instead. */
export interface RootfsCapability {
  readonly works: boolean;
  readonly detail: string;
}

/** What this process may do with the file system at a path. */
export interface RootfsCapabilities {
  /** Without it paths are opened part by part: slower, equally strict. */
  readonly openat2: RootfsCapability;
  /** Without mount ids a bind mount of the same file system is not told from a plain directory. Only matters without openat2. */
  readonly mountIds: RootfsCapability;
  /** Without it trusted.overlay.* cannot be read and such reads are refused. */
  readonly trustedXattrs: RootfsCapability;
  /** Without it changes are found by walking on a timer only. */
  readonly fanotify: RootfsCapability;
  readonly verity: RootfsCapability;
}

/** Tries each feature on the file system at `path`, changing nothing. Throws `TypeError`, ERR_ROOTFS_NATIVE. */
export function capabilities(path: string | Buffer = '/'): RootfsCapabilities {
  const found = guard(() => loadNative().capabilities(checkHostPath(path, 'path')));
  const pick = (name: string): NativeCapability => {
    const capability = found[name];
    if (capability === undefined) throw new RootfsError('ERR_ROOTFS_NATIVE', `the native part says nothing of ${name}`);
    return capability;
  };
  return {
    openat2: pick('openat2'),
    mountIds: pick('mountIds'),
    trustedXattrs: pick('trustedXattrs'),
    fanotify: pick('fanotify'),
    verity: pick('verity'),
  };
}
