import type { BytePath } from '@holdfast/evidence/inventory';
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

/** Read before and behind what is asked for: tables of programs and archives lie next to what they speak of. */
const WINDOW_BYTES = 4096;

interface Window {
  readonly from: number;
  readonly bytes: Buffer;
}

/**
 * A file of a view, of which `head` and perhaps the end are read already, read where it is asked for. What is no regular
 * file any more reads as empty.
 */
export function openFileBytes(
  view: RootView,
  path: BytePath,
  size: number,
  head: Buffer = Buffer.alloc(0),
  end: Buffer = Buffer.alloc(0),
): FileBytes {
  const ends: readonly Window[] = [
    { from: 0, bytes: head },
    { from: size - end.length, bytes: end },
  ];
  let last: Window | undefined;
  return {
    size,
    read: (offset, length) => {
      let window = [last, ...ends].find((held) => held !== undefined && holds(held, offset, length));
      if (window === undefined) {
        const from = Math.max(0, offset - WINDOW_BYTES);
        const wanted = offset - from + length + WINDOW_BYTES;
        window = { from, bytes: view.readPart(path, from, wanted) ?? Buffer.alloc(0) };
        last = window;
      }
      return window.bytes.subarray(offset - window.from, offset - window.from + length);
    },
  };
}

function holds({ from, bytes }: Window, offset: number, length: number): boolean {
  return offset >= from && offset + length <= from + bytes.length;
}
