import { loadNative } from './native.ts';
import { guard } from './rootfs-error.ts';

/** SHA-256 of bytes, for who reads files with this package and would load node:crypto for nothing else. */
export function hashBytes(bytes: Buffer): Buffer {
  return guard(() => loadNative().hashBytes(bytes));
}
