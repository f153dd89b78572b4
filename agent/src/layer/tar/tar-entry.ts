import type { SparseSegment } from './sparse-map.ts';

export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One member of a layer's tar after all its records were applied. Text is latin1: one character a byte. */
export interface TarEntry {
  /** As written; not normalised. */
  readonly path: string;
  readonly type: TarEntryType;
  /** 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file as a reader sees it, holes among them; 0 for anything but files. */
  readonly size: number;
  /** Of symbolic and hard links, else empty. */
  readonly target: string;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** From `SCHILY.xattr.*` records; undefined where there are none. */
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** Where the stored data begin, counted from the start of the tar. */
  readonly dataOffset: number;
  /** Stretches that hold data, for sparse files; undefined where all of `size` is stored. */
  readonly segments: readonly SparseSegment[] | undefined;
}

/** What a tar parser tells, in order: an entry, the data of a file in pieces, its end. */
export interface TarHandler {
  onEntry(entry: TarEntry): void;
  /** Only for files; `offset` counts within the file as a reader sees it; what no piece covers is zeros. */
  onData(chunk: Buffer, offset: number): void;
  onEnd(): void;
}
