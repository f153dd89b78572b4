import { trimEndOf } from '@holdfast/evidence';

/**
 * Small files of the host, by path below its root directory. All content is the host's word: root on the node writes it.
 *
 * Nothing throws for a file that is missing, unreadable, no regular file or too large: that is `undefined`, and the
 * caller names what it lacks.
 */
export interface HostFiles {
  /** Content of a regular file of at most `maxBytes`, such as `/proc/cmdline`. */
  read(path: string, maxBytes: number): Buffer | undefined;
  /** The same for many files, in the order of their paths: little more than what the kernel takes for it. */
  readMany(paths: readonly string[], maxBytes: number): (Buffer | undefined)[];
  /** At most `bytes` from byte `offset` on; fewer at the end, undefined where the file cannot be read. */
  readPart(path: string, offset: number, bytes: number): Buffer | undefined;
  /** At most the last `bytes` of a regular file whose size is known, such as a module's; undefined where it cannot be read. */
  readEnd(path: string, bytes: number): Buffer | undefined;
  /** Target of a symbolic link, such as `/proc/1/fd/0`; undefined where there is none. */
  readLink(path: string): string | undefined;
  /** Names in a directory, sorted; empty where it cannot be listed. */
  list(path: string): { name: string; isDirectory: boolean }[];
}

const MAX_TEXT_BYTES = 64 * 1024;

/** Text of a small host file without its last newline; bytes that are not UTF-8 become U+FFFD. */
export function readHostText(files: HostFiles, path: string, maxBytes = MAX_TEXT_BYTES): string | undefined {
  return toText(files.read(path, maxBytes));
}

/** The same for many files, in the order of their paths. */
export function readHostTexts(files: HostFiles, paths: readonly string[], maxBytes: number): (string | undefined)[] {
  return files.readMany(paths, maxBytes).map(toText);
}

function toText(content: Buffer | undefined): string | undefined {
  return content && trimEndOf(content.toString('utf8'), '\n\0');
}
