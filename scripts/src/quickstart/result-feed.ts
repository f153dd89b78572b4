import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CHECKOUT } from '../world/holdfast-process.ts';

export interface FeedFinding {
  code: string;
  severity: string;
  message: string;
  path?: string;
  purl?: string;
  expected?: string;
  actual?: string;
}

export interface FeedContainer {
  id: string;
  name: string;
  status: string;
  manifestDigest: string;
  packages: number | null;
  sbomDigest: string | null;
  findings: FeedFinding[];
}

export interface FeedResult {
  kubeNode: { name: string; status: string };
  /** Place in the kube node's chain of evidence. */
  chain: string;
  seq: number;
  /** What the verdict rests on. */
  base: string;
  findings: FeedFinding[];
  containers: FeedContainer[];
}

/** Results as they come from `holdfast results --watch --json`. */
export interface ResultFeed {
  /** Waits for a result that satisfies `isReady`; the newest one at once if it does. Null when time runs out. */
  waitFor(isReady: (result: FeedResult) => boolean, timeoutMs: number): Promise<FeedResult | null>;
  readonly latest: FeedResult | null;
  close(): void;
}

export function openResultFeed(configFile: string): ResultFeed {
  const child = spawn(`${CHECKOUT}/scripts/holdfast`, ['results', '--watch', '--json', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let latest: FeedResult | null = null;
  const listeners = new Set<(result: FeedResult) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const result: FeedResult = JSON.parse(line);
    latest = result;
    for (const listener of listeners) listener(result);
  });
  return {
    get latest() {
      return latest;
    },
    waitFor: async (isReady, timeoutMs) => {
      if (latest !== null && isReady(latest)) return latest;
      return await new Promise((resolve) => {
        const end = (result: FeedResult | null) => {
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(result);
        };
        const listener = (result: FeedResult) => {
          if (isReady(result)) end(result);
        };
        const timer = setTimeout(() => end(null), timeoutMs);
        listeners.add(listener);
      });
    },
    close: () => {
      child.kill('SIGTERM');
    },
  };
}
