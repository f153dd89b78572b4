const NO_SLASHES_LIMIT = 1 << 20;

/**
 * Checks a path inside a root: bytes without NUL, at most 1 MiB, no `..` part. Leading slashes are allowed and mean the
 * root. Returns it unchanged. Throws `TypeError`.
 */
export function checkPath(path: unknown): Buffer {
  if (!Buffer.isBuffer(path)) throw new TypeError('path must be a Buffer');
  if (path.length > NO_SLASHES_LIMIT) throw new TypeError('path is longer than 1 MiB');
  if (path.includes(0)) throw new TypeError('path has a NUL byte');
  if (hasParentPart(path)) throw new TypeError('path has a .. part');
  return path;
}

/** Checks a path of the host, as text or bytes. Throws `TypeError`. */
export function checkHostPath(path: unknown, name: string): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) throw new TypeError(`${name} must be a path`);
  if (bytes.includes(0)) throw new TypeError(`${name} has a NUL byte`);
  return bytes;
}

/** Checks a count or size: an integer from `min` to 2^53 - 1. Throws `TypeError` that names it. */
export function checkInteger(value: unknown, name: string, min = 0): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
    throw new TypeError(`${name} must be an integer of at least ${min}`);
  }
  return value;
}

/** Refuses anything but an object whose keys are all known, naming the first that is not. */
export function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object');
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new TypeError(`unknown option ${key}; known are ${known.join(', ')}`);
  }
}

/** Checks the name of an extended attribute: 1 to 255 bytes without NUL. Throws `TypeError`. */
export function checkXattrName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0') || Buffer.byteLength(name) > 255) {
    throw new TypeError('an xattr name has 1 to 255 bytes and no NUL');
  }
  return name;
}

/** Checks a list of attribute names or prefixes (`trusted.overlay.*`). Throws `TypeError`. */
export function checkXattrPatterns(patterns: unknown): string[] {
  if (!Array.isArray(patterns) || patterns.length > 64)
    throw new TypeError('xattrs must be a list of at most 64 names');
  return patterns.map((pattern) => {
    const name = checkXattrName(pattern);
    if (name.indexOf('*') >= 0 && name.indexOf('*') !== name.length - 1) {
      throw new TypeError('an xattr pattern may have one * and only at its end');
    }
    return name;
  });
}

function hasParentPart(path: Buffer): boolean {
  if (!path.includes('..')) return false;
  return path.toString('latin1').split('/').includes('..');
}
