import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import { checkEventBody } from './event-body.ts';
import { EVENT_TYPE, nameEventType } from './event-type.ts';
import { findLogAlgorithm, type LogAlgorithm } from './log-algorithm.ts';

/** One entry of an event log. Its digests are what was extended; type and data are whatever stands there. */
export interface LogEvent {
  /** Place in the log, the specification event included. */
  readonly index: number;
  /** 0 to 31; null for an EV_NO_ACTION that belongs to no PCR. */
  readonly pcr: number | null;
  readonly typeId: number;
  readonly type: string;
  /** By name of the algorithm. */
  readonly digests: ReadonlyMap<string, Buffer>;
  readonly data: Buffer;
}

export interface EventLog {
  /** `sha1` is the form of TPM 1.2, which some firmware still gives. */
  readonly format: 'sha1' | 'cryptoAgile';
  readonly algorithms: readonly LogAlgorithm[];
  readonly events: readonly LogEvent[];
  /** Zero bytes behind the last event, which some tables have. */
  readonly paddingBytes: number;
}

const MAX_LOG_BYTES = 16 * 1024 * 1024;
const MAX_EVENTS = 65_536;
const MAX_ALGORITHMS = 16;
const MAX_PCR = 31;
/** An event without digests and data; padding is whole ones of them, for the cut end of an event may be zeros too. */
const AGILE_HEAD_BYTES = 16;
const SHA1_HEAD_BYTES = 32;
const NO_PCR = 0xffffffff;
const SPEC_ID_SIGNATURE = Buffer.from('Spec ID Event03\0', 'ascii');
const SHA1: LogAlgorithm = { id: 0x0004, name: 'sha1', bytes: 20, nodeName: 'sha1' };

/**
 * Parses a TCG event log (PC Client Platform Firmware Profile 1.05, 10): crypto-agile with any list of banks, or SHA-1
 * only. Every event must be whole, with digests of announced banks, each at most once, and a body long enough for its
 * type. Nothing is verified: see `replayEventLog` and `readBootFacts`.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_LOG_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'event log is too long');
  const reader = new BinaryReader(bytes, 'little', 'event log');
  const first = readSha1Event(reader, 0);
  if (first.typeId !== EVENT_TYPE.EV_NO_ACTION) {
    checkEventBody(first);
    const { events, paddingBytes } = readEvents(reader, SHA1_HEAD_BYTES, first, (index) =>
      readSha1Event(reader, index),
    );
    return { format: 'sha1', algorithms: [SHA1], events, paddingBytes };
  }
  const algorithms = parseSpecId(first);
  const byId = new Map(algorithms.map((algorithm) => [algorithm.id, algorithm]));
  const readNext = (index: number) => readAgileEvent(reader, index, byId);
  const { events, paddingBytes } = readEvents(reader, AGILE_HEAD_BYTES, first, readNext);
  return { format: 'cryptoAgile', algorithms, events, paddingBytes };
}

function readEvents(
  reader: BinaryReader,
  headBytes: number,
  first: LogEvent,
  readEvent: (index: number) => LogEvent,
): { events: LogEvent[]; paddingBytes: number } {
  const events = [first];
  while (reader.remaining > 0) {
    if (reader.remaining % headBytes === 0 && reader.isZeroFilled()) return { events, paddingBytes: reader.remaining };
    if (events.length >= MAX_EVENTS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'event log has too many events');
    const event = readEvent(events.length);
    checkEventBody(event);
    events.push(event);
  }
  return { events, paddingBytes: 0 };
}

function readSha1Event(reader: BinaryReader, index: number): LogEvent {
  const { pcr, typeId } = readHead(reader);
  const digests = new Map([[SHA1.name, reader.take(SHA1.bytes)]]);
  return { index, pcr, typeId, type: nameEventType(typeId), digests, data: reader.take(reader.u32()) };
}

function readAgileEvent(reader: BinaryReader, index: number, algorithms: ReadonlyMap<number, LogAlgorithm>): LogEvent {
  const { pcr, typeId } = readHead(reader);
  const count = reader.u32();
  if (count > algorithms.size) throw reader.malformed('event has more digests than the log has banks');
  const digests = new Map<string, Buffer>();
  for (let each = 0; each < count; each += 1) {
    const algorithm = algorithms.get(reader.u16());
    if (algorithm === undefined) throw reader.malformed('digest of a bank that the log does not announce');
    if (digests.has(algorithm.name)) throw reader.malformed('two digests of one bank');
    digests.set(algorithm.name, reader.take(algorithm.bytes));
  }
  return { index, pcr, typeId, type: nameEventType(typeId), digests, data: reader.take(reader.u32()) };
}

function readHead(reader: BinaryReader): { pcr: number | null; typeId: number } {
  const pcr = reader.u32();
  const typeId = reader.u32();
  if (pcr === NO_PCR && typeId === EVENT_TYPE.EV_NO_ACTION) return { pcr: null, typeId };
  if (pcr > MAX_PCR) throw reader.malformed('no such PCR');
  return { pcr, typeId };
}

/** TCG_EfiSpecIdEvent: which banks the log has. */
function parseSpecId({ pcr, digests, data }: LogEvent): LogAlgorithm[] {
  const reader = new BinaryReader(data, 'little', 'specification event of the log');
  const isBlank = digests.get(SHA1.name)?.every((byte) => byte === 0) === true;
  if (pcr !== 0 || !isBlank || !reader.take(SPEC_ID_SIGNATURE.length).equals(SPEC_ID_SIGNATURE)) {
    throw reader.malformed('it is not a crypto-agile log');
  }
  // Platform class, version, errata and size of UINTN say nothing of the form of the events.
  reader.take(8);
  const count = reader.u32();
  if (count === 0 || count > MAX_ALGORITHMS) throw reader.malformed('no banks or too many');
  const algorithms: LogAlgorithm[] = [];
  for (let each = 0; each < count; each += 1) {
    const algorithm = findLogAlgorithm(reader.u16(), reader.u16());
    if (algorithm === undefined) throw reader.malformed('digest size is not that of the algorithm');
    if (algorithms.some(({ id }) => id === algorithm.id)) throw reader.malformed('bank announced twice');
    algorithms.push(algorithm);
  }
  reader.take(reader.u8());
  reader.end();
  return algorithms;
}
