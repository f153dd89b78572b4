import type { BytePath } from '@holdfast/evidence';
import type { RootView } from '../root-view/root-view.ts';

/** Random access to the bytes of one file; fewer bytes than asked for at its end. */
export interface FileBytes {
  readonly size: number;
  read(offset: number, length: number): Buffer;
}

/** Bytes that are in memory already. */
export function createFileBytes(bytes: Buffer): FileBytes {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A file of a view, read where it is asked for. What is no regular file any more reads as empty. */
export function openFileBytes(view: RootView, path: BytePath, size: number): FileBytes {
  return { size, read: (offset, length) => view.readPart(path, offset, length) ?? Buffer.alloc(0) };
}
