import { hash } from 'node:crypto';
import type { SubmoduleName } from '@holdfast/evidence';
import type { CollectedClaims } from './claims-collector.ts';
import type { Round, RoundContent } from './round.ts';
import { computeEvidenceId } from './round-record.ts';

/** Content whose sets are a text each; `change` makes the container index another one. */
export function fakeContent(change = '', blobs: Buffer[] = []): RoundContent {
  const set = (name: SubmoduleName) => Buffer.from(`{"type":"${name}"${name === 'containers' ? change : ''}}`);
  const sets = {
    host: set('host'),
    boot: set('boot'),
    ima: set('ima'),
    kernel: set('kernel'),
    containers: set('containers'),
  };
  const digest = (name: SubmoduleName) => hash('sha256', sets[name]);
  return {
    sets,
    digests: {
      host: digest('host'),
      boot: digest('boot'),
      ima: digest('ima'),
      kernel: digest('kernel'),
      containers: digest('containers'),
    },
    containerSets: new Map([[hash('sha256', `container${change}`), Buffer.from(`container${change}`)]]),
    blobs: new Map(blobs.map((blob) => [hash('sha256', blob), blob])),
  };
}

/** What a collector would give, without pending scans. */
export function fakeClaims(content: RoundContent): CollectedClaims {
  return {
    content,
    secureBoot: null,
    hardwareModel: undefined,
    bootId: 'boot',
    uptimeSeconds: 60,
    pending: [],
    oldestScanMs: null,
  };
}

/** A round with a token that is none. */
export function fakeRound(seq: number, options: { nonces?: string[]; content?: RoundContent } = {}): Round {
  const token = `header${seq}.payload${seq}.signature`;
  const record = { seq, kind: 'change' as const, kid: 'kid', token, evidenceId: computeEvidenceId(token) };
  return { record, nonces: options.nonces ?? [], content: options.content };
}
