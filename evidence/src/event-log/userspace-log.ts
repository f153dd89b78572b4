import { hash } from 'node:crypto';
import { toBuffer } from '../encoding/base64url.ts';
import { type JsonValue, parseStrictJson } from '../encoding/strict-json.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { ReplayedBank } from './replay-event-log.ts';

/** One measurement that the operating system made after the boot. Its digest counts once a replay gives a quoted PCR. */
export interface UserspaceRecord {
  /** Null for a record that extends no PCR but an NV index. */
  readonly pcr: number | null;
  /** SHA-256; null where the record has none. */
  readonly digest: Buffer | null;
  /** What was measured, where it hashes to the digest; null where it does not, as for keys of volumes. */
  readonly text: string | null;
}

const MAX_LOG_BYTES = 1024 * 1024;
const MAX_RECORDS = 4096;
const RECORD_LIMITS = { maxBytes: 64 * 1024, maxDepth: 6, maxKeys: 256 };
const RECORD_SEPARATOR = 0x1e;
const LINE_FEED = 0x0a;
const MAX_PCR = 31;
const PHASE_PCR = 11;
const SYSTEM_PCR = 15;
/** Closes what stood in a PCR before the operating system (systemd-pcrosseparator.service(8)); stands for nothing else. */
const OS_SEPARATOR = 'os-separator';
/** A word of systemd-pcrphase: no name or content of a UKI section that a zero ends. */
const PHASE = /^[a-z0-9][a-z0-9-]{0,63}$/;
const HEX_SHA256 = /^[0-9a-f]{64}$/;
/** What systemd-pcrphase measures in this order (systemd-pcrphase.service(8)); without a UKI's initrd from the third on. */
const PHASES = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready', 'shutdown', 'final'];
const PHASES_OF_INITRD = 2;

/**
 * Parses /run/log/systemd/tpm2-measure.log: records of the TCG Canonical Event Log in JSON, as a JSON text sequence
 * (RFC 7464), the way systemd 255 and later write it. A last record that is not whole yet is left out. Nothing is
 * verified but that texts hash to their digests.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function parseUserspaceLog(bytes: Uint8Array): UserspaceRecord[] {
  const log = toBuffer(bytes);
  if (log.length > MAX_LOG_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'userspace log is too long');
  const records: UserspaceRecord[] = [];
  for (let at = 0; at < log.length; ) {
    if (log[at] !== RECORD_SEPARATOR) throw malformed('it is no sequence of JSON texts');
    const next = log.indexOf(RECORD_SEPARATOR, at + 1);
    const end = next < 0 ? log.length : next;
    if (next < 0 && log.at(-1) !== LINE_FEED) break;
    if (records.length === MAX_RECORDS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'userspace log is too long');
    records.push(readRecord(parseStrictJson(log.subarray(at + 1, end), RECORD_LIMITS)));
    at = end;
  }
  return records;
}

/**
 * Continues the replay of a firmware's log with records, as far as they are believed: phases by their words in PCR 11,
 * anything in PCR 15, the word that separates firmware from operating system in each. Any other record of another PCR below 16 ends it: what firmware and boot loaders measure could hide there.
 * Gives the bank after each record that extends, with that record.
 */
export function* replayUserspaceLog(
  bank: ReplayedBank,
  records: readonly UserspaceRecord[],
): Generator<{ readonly bank: ReplayedBank; readonly record: UserspaceRecord }> {
  let current = bank;
  for (const record of records) {
    const { pcr, digest, text } = record;
    if (pcr === null || pcr > SYSTEM_PCR) continue;
    const isWord = text === OS_SEPARATOR || (pcr === PHASE_PCR && text !== null && PHASE.test(text));
    if (digest === null || (!isWord && pcr !== SYSTEM_PCR)) return;
    current = extendBank(current, pcr, digest);
    yield { bank: current, record };
  }
}

/** The sequences of phases that systemd-pcrphase may have measured by now, where it writes no log (before version 255). */
export function listPhaseSequences(): UserspaceRecord[][] {
  return [PHASES, PHASES.slice(PHASES_OF_INITRD)].flatMap((phases) =>
    phases.map((_, last) =>
      phases.slice(0, last + 1).map((text) => ({ pcr: PHASE_PCR, digest: hash('sha256', text, 'buffer'), text })),
    ),
  );
}

function extendBank(bank: ReplayedBank, pcr: number, digest: Buffer): ReplayedBank {
  const { algorithm, pcrs } = bank;
  const before = pcrs.get(pcr) ?? Buffer.alloc(algorithm.bytes);
  const after = hash(algorithm.nodeName ?? algorithm.name, Buffer.concat([before, digest]), 'buffer');
  return { ...bank, pcrs: new Map([...pcrs, [pcr, after]]) };
}

function readRecord(value: JsonValue): UserspaceRecord {
  const record = toObject(value);
  const pcr = record['pcr'] ?? null;
  if (pcr !== null && (typeof pcr !== 'number' || !Number.isInteger(pcr) || pcr < 0 || pcr > MAX_PCR)) {
    throw malformed('a record has no PCR that exists');
  }
  const digests = record['digests'];
  if (!Array.isArray(digests) || digests.length > 16) throw malformed('a record has no digests');
  const sha256 = digests.map(toObject).filter((digest) => digest['hashAlg'] === 'sha256');
  const hex = sha256[0]?.['digest'];
  if (sha256.length > 1 || (hex !== undefined && (typeof hex !== 'string' || !HEX_SHA256.test(hex)))) {
    throw malformed('a digest of a record is none');
  }
  const digest = hex === undefined ? null : Buffer.from(hex, 'hex');
  return { pcr, digest, text: digest === null ? null : findText(record['content'], digest) };
}

function findText(content: JsonValue | undefined, digest: Buffer): string | null {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return null;
  const text = content['string'];
  return typeof text === 'string' && hash('sha256', text, 'buffer').equals(digest) ? text : null;
}

function toObject(value: JsonValue): Readonly<Record<string, JsonValue>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw malformed('a record is no object');
}

function malformed(reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `userspace log: ${reason}`);
}
