import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A nameless temporary file: nothing is left behind however the process ends. */
export class SpoolFile {
  readonly #file: number;
  #isOpen = true;

  constructor(parent: string = tmpdir()) {
    const directory = mkdtempSync(join(parent, 'holdfast-spool-'));
    try {
      this.#file = openSync(join(directory, 'layer'), 'wx+', 0o600);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Appends all of `bytes`. */
  append(bytes: Buffer): void {
    let done = 0;
    while (done < bytes.length) done += writeSync(this.#file, bytes, done, bytes.length - done);
  }

  /** Fills `into` from `offset` on. Throws `RangeError` past the end: offsets come from what was appended. */
  read(into: Buffer, offset: number): void {
    let done = 0;
    while (done < into.length) {
      const read = readSync(this.#file, into, done, into.length - done, offset + done);
      if (read === 0) throw new RangeError('read past the end of a spool file');
      done += read;
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#file);
    this.#isOpen = false;
  }
}
