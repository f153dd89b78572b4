import { createHash } from 'node:crypto';
import {
  type AgentFilesClaims,
  type BootClaims,
  encodeClaimsSet,
  parseEventLog,
  parseImaList,
  replayEventLog,
} from '@holdfast/evidence';
import { LogKind, type Receipt } from '@holdfast/proto';
import { type ClaimsContent, type ContainerFixture, createClaimsContent } from './claims-fixture.ts';
import { createFullEvidence, type MadeRound, type SoftwareAttester } from './software-attester.ts';
import type { SoftwareTpm } from './software-tpm.ts';
import type { AttestStream } from './verifier-client.ts';

/** One event of a log that has SHA-256 digests only. */
export interface LoggedEvent {
  pcr: number;
  type: number;
  digest: Buffer;
  data: Buffer;
}

/** Parts a crypto-agile log with SHA-256 digests only. */
export function splitEventLog(log: Buffer): { head: Buffer; events: LoggedEvent[] } {
  let at = 32 + log.readUInt32LE(28);
  const head = log.subarray(0, at);
  const events: LoggedEvent[] = [];
  while (at < log.length) {
    const size = log.readUInt32LE(at + 46);
    const data = log.subarray(at + 50, at + 50 + size);
    events.push({
      pcr: log.readUInt32LE(at),
      type: log.readUInt32LE(at + 4),
      digest: log.subarray(at + 14, at + 46),
      data,
    });
    at += 50 + size;
  }
  return { head, events };
}

export function joinEventLog({ head, events }: { head: Buffer; events: readonly LoggedEvent[] }): Buffer {
  const parts = events.map(({ pcr, type, digest, data }) =>
    Buffer.concat([uint32(pcr), uint32(type), uint32(1), Buffer.of(0x0b, 0), digest, uint32(data.length), data]),
  );
  return Buffer.concat([head, ...parts]);
}

/** Byte offsets at which the entries of a binary list end, the start included. */
export function listImaEnds(list: Buffer): number[] {
  const ends = [0];
  for (let at = 0; at < list.length; ) {
    const data = at + 28 + list.readUInt32LE(at + 24);
    at = data + 4 + list.readUInt32LE(data);
    ends.push(at);
  }
  return ends;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

interface SentLog {
  readonly kind: LogKind;
  readonly offset: bigint;
  readonly content: Buffer;
}

const LOG_NAMES = new Map<LogKind, string>([
  [LogKind.BOOT, 'boot'],
  [LogKind.IMA, 'ima'],
  [LogKind.USERSPACE, 'userspace'],
]);

export interface MachineClaims {
  readonly secureBoot?: boolean | null;
  readonly commandLine?: string;
  readonly imaActive?: boolean;
  /** What the agent says it runs. */
  readonly agent?: AgentFilesClaims | null;
  readonly containers?: readonly ContainerFixture[];
}

/** A machine whose TPM has the PCRs of its logs, until a test makes one of them lie. */
export class MeasuredMachine {
  readonly tpm: SoftwareTpm;
  readonly attester: SoftwareAttester;
  eventLog: Buffer | undefined;
  imaList: Buffer = Buffer.alloc(0);
  /** What the operating system says that it measured after the boot. */
  userspaceLog: Buffer | undefined;
  claims: MachineClaims = {};
  /** Values that the token states, by PCR. */
  stated: Record<string, string> = {};
  /** Whether logs travel with the evidence, or only when they are asked for. */
  isEager = true;
  /** Most entries in one answer. */
  segmentEntries = Number.POSITIVE_INFINITY;
  /** Gives nothing that is asked for. */
  isSilent = false;
  /** What the verifier asked for in the last round. */
  readonly asked: string[] = [];

  constructor(tpm: SoftwareTpm, attester: SoftwareAttester) {
    this.tpm = tpm;
    this.attester = attester;
  }

  /** Boots: the PCRs are those of the log, and of no IMA entry. */
  boot(eventLog: Buffer | undefined): void {
    this.eventLog = eventLog;
    this.tpm.pcrs.clear();
    const bank = eventLog && replayEventLog(parseEventLog(eventLog)).get('sha256');
    for (const [pcr, value] of bank?.pcrs ?? []) this.tpm.pcrs.set(pcr, value);
  }

  /** Extends PCR 10 by these entries, from where it stands. */
  measure(entries: Buffer): void {
    for (const { hashed } of parseImaList(entries)) this.extend(10, createHash('sha256').update(hashed).digest());
  }

  /** As `measure`, by a kernel that fills the bank with SHA-1 digests and zeros. */
  measurePadded(entries: Buffer): void {
    for (const { hashed } of parseImaList(entries)) {
      this.extend(10, Buffer.concat([createHash('sha1').update(hashed).digest(), Buffer.alloc(12)]));
    }
  }

  extend(pcr: number, digest: Buffer): void {
    const before = this.tpm.pcrs.get(pcr) ?? Buffer.alloc(32);
    this.tpm.pcrs.set(pcr, createHash('sha256').update(before).update(digest).digest());
  }

  /** Sends one round and answers what is asked of its logs. */
  async attest(stream: AttestStream, nonce: string): Promise<Receipt> {
    this.asked.length = 0;
    const round = this.#makeRound(nonce);
    stream.say({
      case: 'evidence',
      value: { ...createFullEvidence(round), logs: this.isEager ? this.#listLogs() : [] },
    });
    for (;;) {
      const answer = await stream.next();
      if (answer?.case === 'receipt') {
        this.attester.advance(round);
        return answer.value;
      }
      if (answer?.case !== 'need') throw new Error(`no need and no receipt but ${answer?.case}`);
      const logs = answer.value.logs.flatMap(({ kind, offset }) => this.#supply(kind, Number(offset)));
      stream.say({ case: 'supply', value: { evidenceId: answer.value.evidenceId, blobs: [], logs } });
    }
  }

  #makeRound(nonce: string): MadeRound {
    return this.attester.makeRound(nonce, this.#createContent(), {
      quotes: ([boot, ima]) => [{ ...boot, pcrs: { sha256: this.stated } }, ima],
    });
  }

  #createContent(): ClaimsContent {
    const { sets, blobs } = createClaimsContent(this.attester.kubeNode, this.claims.containers ?? []);
    const { secureBoot = null, commandLine = 'quiet', imaActive = this.imaList.length > 0 } = this.claims;
    const eventLog = this.eventLog && createHash('sha256').update(this.eventLog).digest('hex');
    const boot: BootClaims = {
      type: 'boot',
      eventLog: eventLog ?? null,
      eventLogBytes: this.eventLog?.length ?? 0,
      secureBoot,
    };
    const kernel = { ...JSON.parse(sets.kernel.toString()), cmdline: commandLine };
    const ima = encodeClaimsSet({
      type: 'ima',
      active: imaActive,
      template: imaActive ? 'ima-sig' : null,
      policy: null,
      agent: this.claims.agent ?? null,
    });
    return { sets: { ...sets, boot: encodeClaimsSet(boot), ima, kernel: encodeClaimsSet(kernel) }, blobs };
  }

  #listLogs(): SentLog[] {
    const boot = this.eventLog;
    return [
      ...(boot === undefined ? [] : [{ kind: LogKind.BOOT, offset: 0n, content: boot }]),
      ...(this.imaList.length === 0 ? [] : [{ kind: LogKind.IMA, offset: 0n, content: this.imaList }]),
      ...this.#listUserspace(),
    ];
  }

  #listUserspace(): SentLog[] {
    const content = this.userspaceLog;
    return content === undefined ? [] : [{ kind: LogKind.USERSPACE, offset: 0n, content }];
  }

  #supply(kind: LogKind, offset: number): SentLog[] {
    this.asked.push(`${LOG_NAMES.get(kind) ?? kind} ${offset}`);
    if (this.isSilent) return [];
    if (kind === LogKind.USERSPACE) return this.#listUserspace();
    if (kind === LogKind.BOOT) return this.eventLog === undefined ? [] : [{ kind, offset: 0n, content: this.eventLog }];
    const ends = listImaEnds(this.imaList);
    const start = ends[offset];
    if (start === undefined || start >= this.imaList.length) return [];
    const content = this.imaList.subarray(start, ends[offset + this.segmentEntries]);
    return [{ kind, offset: BigInt(offset), content }];
  }
}
