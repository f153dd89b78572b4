/** Every way in which this package fails at run time. One row each in docs/protocol.md. Wrong arguments are a `TypeError`. */
export type RootfsErrorCode =
  /** A limit that the caller set was reached. What was delivered before is not the whole. */
  | 'ERR_ROOTFS_LIMIT'
  /** The object moved or changed while it was read; or a writer holds a lease on it. Trying again may help. */
  | 'ERR_ROOTFS_CHANGED'
  /** The path leaves the root: a mount below it, a magic link, or more symbolic links than are followed. */
  | 'ERR_ROOTFS_ESCAPE'
  /** There is nothing at the path, or a part of it is no directory. */
  | 'ERR_ROOTFS_NOT_FOUND'
  /** What is at the path is of another type than the call reads. It was not opened. */
  | 'ERR_ROOTFS_TYPE'
  /** The kernel, the file system or the privileges of this process do not allow the call. */
  | 'ERR_ROOTFS_UNSUPPORTED'
  /** The handle, walk or watch was closed. */
  | 'ERR_ROOTFS_CLOSED'
  /** A system call failed in another way; see `errno` and `syscall`. */
  | 'ERR_ROOTFS_SYSTEM'
  /** The native part is not built or does not load. */
  | 'ERR_ROOTFS_NATIVE';

const CODES: ReadonlySet<string> = new Set<RootfsErrorCode>([
  'ERR_ROOTFS_LIMIT',
  'ERR_ROOTFS_CHANGED',
  'ERR_ROOTFS_ESCAPE',
  'ERR_ROOTFS_NOT_FOUND',
  'ERR_ROOTFS_TYPE',
  'ERR_ROOTFS_UNSUPPORTED',
  'ERR_ROOTFS_CLOSED',
  'ERR_ROOTFS_SYSTEM',
  'ERR_ROOTFS_NATIVE',
]);

/** A call of this package that failed. Never holds file content; the message names the call, not the path. */
export class RootfsError extends Error {
  override readonly name = 'RootfsError';
  readonly code: RootfsErrorCode;
  /** Positive errno of the system call, where one failed. */
  declare readonly errno?: number;
  declare readonly syscall?: string;

  constructor(
    code: RootfsErrorCode,
    message: string,
    options: { errno?: number | undefined; syscall?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.errno !== undefined) this.errno = options.errno;
    if (options.syscall !== undefined) this.syscall = options.syscall;
  }
}

/** Turns what the native part throws into a `RootfsError`; anything else comes back as it is. */
export function toRootfsError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof RootfsError) return thrown;
  const code = 'code' in thrown ? thrown.code : undefined;
  if (!isCode(code)) return thrown;
  return new RootfsError(code, thrown.message, {
    errno: 'errno' in thrown && typeof thrown.errno === 'number' ? thrown.errno : undefined,
    syscall: 'syscall' in thrown && typeof thrown.syscall === 'string' ? thrown.syscall : undefined,
  });
}

/** Runs a native call and turns its failure into a `RootfsError`. */
export function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toRootfsError(error);
  }
}

function isCode(code: unknown): code is RootfsErrorCode {
  return typeof code === 'string' && CODES.has(code);
}
