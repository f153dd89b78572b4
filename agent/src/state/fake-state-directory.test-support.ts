import type { StateDirectory } from './state-directory.ts';

/** Files in memory; writes can be made to fail. */
export class FakeStateDirectory implements StateDirectory {
  readonly files = new Map<string, Buffer>();
  writes = 0;
  failWrites = false;
  /** Waited for by each write. */
  beforeWrite: () => Promise<void> = () => Promise.resolve();

  read(name: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.files.get(name));
  }

  async replace(name: string, content: Uint8Array): Promise<void> {
    await this.#countWrite();
    this.files.set(name, Buffer.from(content));
  }

  async append(name: string, content: Uint8Array): Promise<void> {
    await this.#countWrite();
    this.files.set(name, Buffer.concat([this.files.get(name) ?? Buffer.alloc(0), content]));
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.files.get(from);
    if (content === undefined) throw new Error(`no file ${from}`);
    this.files.set(to, content);
    this.files.delete(from);
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }

  async close(): Promise<void> {}

  async #countWrite(): Promise<void> {
    await this.beforeWrite();
    if (this.failWrites) throw new Error('no space left on device');
    this.writes += 1;
  }
}
