import { hash } from 'node:crypto';
import { EVENT_TYPE } from '../event-log/event-type.ts';

const ALGORITHMS = { sha1: [0x0004, 20], sha256: [0x000b, 32], sha384: [0x000c, 48] } as const;
type Bank = keyof typeof ALGORITHMS;

/** An event to be written; the digest is made over `measured`, or over the data where that is absent. */
export interface WrittenEvent {
  readonly pcr: number;
  readonly type: number;
  readonly data: Buffer;
  readonly measured?: Buffer;
  readonly digest?: Buffer;
}

const u16 = (value: number) => Buffer.from([value & 0xff, value >> 8]);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => Buffer.concat([u32(value), u32(0)]);

/** A crypto-agile log. */
export function encodeEventLog(events: readonly WrittenEvent[], banks: readonly Bank[] = ['sha256']): Buffer {
  const specId = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    Buffer.from('0000000000020002', 'hex'),
    u32(banks.length),
    ...banks.flatMap((bank) => ALGORITHMS[bank].map(u16)),
    Buffer.of(0),
  ]);
  const head = [u32(0), u32(EVENT_TYPE.EV_NO_ACTION), Buffer.alloc(20), u32(specId.length), specId];
  return Buffer.concat([...head, ...events.map((event) => encodeEvent(event, banks))]);
}

function encodeEvent({ pcr, type, data, measured, digest }: WrittenEvent, banks: readonly Bank[]): Buffer {
  const digests = banks.map((bank) => {
    const [id, bytes] = ALGORITHMS[bank];
    const value = type === EVENT_TYPE.EV_NO_ACTION ? Buffer.alloc(bytes) : hash(bank, measured ?? data, 'buffer');
    return Buffer.concat([u16(id), digest ?? value]);
  });
  return Buffer.concat([u32(pcr), u32(type), u32(banks.length), ...digests, u32(data.length), data]);
}

/** UEFI_VARIABLE_DATA. */
export function encodeVariable(name: string, data: Buffer): Buffer {
  const isImageSecurity = name === 'db' || name === 'dbx';
  const guid = isImageSecurity ? 'cbb219d73a3d9645a3bcdad00e67656f' : '61dfe48bca93d211aa0d00e098032b8c';
  const text = Buffer.from(name, 'utf16le');
  return Buffer.concat([Buffer.from(guid, 'hex'), u64(name.length), u64(data.length), text, data]);
}

export function configEvent(name: string, data: Buffer = Buffer.alloc(0)): WrittenEvent {
  return { pcr: 7, type: EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG, data: encodeVariable(name, data) };
}

export function separatorEvent(pcr: number): WrittenEvent {
  return { pcr, type: EVENT_TYPE.EV_SEPARATOR, data: Buffer.alloc(4) };
}

/** What firmware with Secure Boot on or off measures into PCR 7, then all separators. */
export function firmwareEvents(isSecure: boolean): WrittenEvent[] {
  return [
    configEvent('SecureBoot', Buffer.of(isSecure ? 1 : 0)),
    ...['PK', 'KEK', 'db', 'dbx'].map((name) => configEvent(name, Buffer.from(`${name} of the vendor`))),
    ...[7, 0, 1, 2, 3, 4, 5, 6].map(separatorEvent),
  ];
}

export function exitBootServices(): WrittenEvent {
  return { pcr: 5, type: EVENT_TYPE.EV_EFI_ACTION, data: Buffer.from('Exit Boot Services Invocation') };
}

/** A GRUB text; the label is not measured. */
export function grubEvent(label: string, text: string): WrittenEvent {
  return { pcr: 8, type: EVENT_TYPE.EV_IPL, data: Buffer.from(`${label} ${text}\0`), measured: Buffer.from(text) };
}
