/**
 * Digest (hex) of a walk over path, inode, ctime, size, mode, owner and device of every entry. Reads no file content.
 * Equal fingerprints mean that the kernel saw no change in between: ctime cannot be set back without changing the clock.
 */
export declare function fingerprintDirectory(directory: string): string;
