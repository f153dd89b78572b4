import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttestedNode } from './attested-node.ts';

/** The agent's token bucket gives one round a second. */
export const APART_MS = 1_200;
const SEEN_TIMEOUT_MS = 30_000;

/** Moves one new file of /etc from name to name: each time one name goes and another comes. */
export class ContainerChanges {
  readonly #root: string;
  readonly #waiting = new Map<string, () => void>();
  #made = 0;

  constructor(node: AttestedNode, root: string) {
    this.#root = root;
    writeFileSync(this.#path(0), 'setting = 1\n');
    node.onResult(({ containers }) => {
      const findings = containers.flatMap((container) => container.findings);
      for (const { path } of findings) this.#waiting.get(path.replace(/^\//, ''))?.();
    });
  }

  /** Makes changes and gives how long each took to be seen, in ms. */
  async make(count: number): Promise<number[]> {
    const times: number[] = [];
    for (let at = 0; at < count; at += 1) {
      const [seen] = await Promise.all([this.#change(), delay(APART_MS)]);
      times.push(seen);
    }
    return times;
  }

  /** Makes one change that nobody waits for. */
  makeUnseen(): void {
    this.#made += 1;
    renameSync(this.#path(this.#made - 1), this.#path(this.#made));
  }

  async #change(): Promise<number> {
    const name = nameOf(this.#made + 1);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${name} was not seen in time`)), SEEN_TIMEOUT_MS);
    this.#waiting.set(name, resolve);
    const start = performance.now();
    this.makeUnseen();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(name);
    return performance.now() - start;
  }

  #path(number: number): string {
    return join(this.#root, nameOf(number));
  }
}

function nameOf(number: number): string {
  return `etc/bench-${number}.conf`;
}
