import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BootFacts,
  type EventLog,
  type KernelClaims,
  parseBundle,
  parseClaimsSet,
  parseEventLog,
  readBootFacts,
  replayEventLog,
} from '@holdfast/evidence';
import { LogKind, parseSnapshotFile } from '@holdfast/proto';
import type { VmWorld } from './vm-world.ts';

/** What a snapshot that was pulled from the guest says, after it was verified offline. */
export interface MachineView {
  readonly base: string;
  readonly status: string;
  readonly findings: readonly { code: string; message: string }[];
  readonly kernel: KernelClaims;
  readonly boot: BootFacts;
  /**
   * Values that the boot log gives without boot options that failed, hex, by index. The quote vouches for the log where the
   * snapshot's base is `boot` or better.
   */
  readonly pcrs: Readonly<Record<string, string>>;
  readonly bootCount: number;
}

const ATTEMPTS: ReadonlySet<string> = new Set(
  ['Calling EFI Application from Boot Option', 'Returning from EFI Application from Boot Option'].map((text) =>
    hash('sha256', text),
  ),
);

/** Pulls a snapshot from the guest's agent by its own port, verifies it offline, and reads it. */
export async function viewMachine(world: VmWorld, name: string): Promise<MachineView> {
  const file = join(world.directory, `${name}.snapshot`);
  const pulled = readFields(await world.ask(['snapshot', '--out', file]), ['nonce']);
  const verified = readFields(await world.ask(['verify', file, '--nonce', String(pulled['nonce'])]), [
    'valid',
    'result',
  ]);
  if (verified['valid'] !== true || verified['nonceMatches'] !== true) throw new Error(`${file} does not verify`);
  return { ...readResult(verified['result']), ...readEvidence(await readFile(file)) };
}

function readResult(value: unknown): Pick<MachineView, 'base' | 'status' | 'findings'> {
  const result = readFields(value, ['base', 'kubeNode', 'findings']);
  const list = Array.isArray(result['findings']) ? result['findings'] : [];
  const findings = list.map((item) => {
    const finding = readFields(item, ['code', 'message']);
    return { code: String(finding['code']), message: String(finding['message']) };
  });
  return {
    base: String(result['base']),
    status: String(readFields(result['kubeNode'], ['status'])['status']),
    findings,
  };
}

function readEvidence(bytes: Buffer): Pick<MachineView, 'kernel' | 'boot' | 'pcrs' | 'bootCount'> {
  const { evidence } = parseSnapshotFile(bytes);
  if (evidence?.token.case !== 'bundle') throw new Error('the snapshot has no claims-sets');
  const { token, sets } = parseBundle(evidence.token.value);
  const kernel = sets.get('kernel');
  const log = evidence.logs.find(({ kind }) => kind === LogKind.BOOT);
  if (kernel === undefined || log === undefined) throw new Error('the snapshot has no kernel claims or no event log');
  const eventLog = parseEventLog(log.content);
  const replayed = replayEventLog(dropAttempts(eventLog)).get('sha256')?.pcrs ?? new Map<number, Buffer>();
  return {
    kernel: parseClaimsSet(kernel, 'kernel'),
    boot: readBootFacts(eventLog),
    pcrs: Object.fromEntries([...replayed].map(([pcr, value]) => [String(pcr), value.toString('hex')])),
    bootCount: token.claims.bootcount ?? 0,
  };
}

/** The firmware tries the disks that it cannot boot from, and measures that it called them and came back. */
function dropAttempts(log: EventLog): EventLog {
  const isAttempt = ({ digests }: EventLog['events'][number]) =>
    ATTEMPTS.has(digests.get('sha256')?.toString('hex') ?? '');
  const first = log.events.find(isAttempt);
  return { ...log, events: log.events.filter((event) => event === first || !isAttempt(event)) };
}

function readFields(value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`no document with ${names.join(', ')}`);
  const fields: Record<string, unknown> = { ...value };
  const missing = names.filter((name) => fields[name] === undefined);
  if (missing.length > 0) throw new Error(`the document has no ${missing.join(', ')}`);
  return fields;
}
