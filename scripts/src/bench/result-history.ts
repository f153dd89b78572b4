import { randomBytes } from 'node:crypto';
import type { Stores } from '@holdfast/verifier';
import type { BenchNode } from './verifier-core.ts';

const BATCH = 10_000;
const BODY_BYTES = 512;

/** Stores that many results of the kube nodes through the store's own call, so that every index has them. */
export function loadHistory({ database, results }: Stores, nodes: readonly BenchNode[], count: number): void {
  const body = randomBytes(BODY_BYTES);
  for (let stored = 0; stored < count; stored += BATCH) {
    database.exec('BEGIN IMMEDIATE');
    for (let at = stored; at < Math.min(count, stored + BATCH); at += 1) {
      const [evidenceId, basis] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
      const ueid = nodes[at % nodes.length]?.tpm.ueid ?? '';
      results.saveResult({ ueid, evidenceId, basis, appraisedAtMs: at, body, containers: [] });
    }
    database.exec('COMMIT');
  }
}
