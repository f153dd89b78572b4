import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { LogEvent } from './parse-event-log.ts';

/** UEFI_VARIABLE_DATA (PC Client Platform Firmware Profile, 10.2.6). */
export interface UefiVariable {
  /** As UEFI writes it, lower case. */
  readonly guid: string;
  readonly name: string;
  readonly data: Buffer;
}

const VARIABLE_TYPES = new Set<number>([
  EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG,
  EVENT_TYPE.EV_EFI_VARIABLE_BOOT,
  EVENT_TYPE.EV_EFI_VARIABLE_BOOT2,
  EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY,
]);
/** Least size of the body by type. */
const MINIMUM = new Map<number, number>([
  [EVENT_TYPE.EV_S_CRTM_CONTENTS, 16],
  [EVENT_TYPE.EV_EFI_PLATFORM_FIRMWARE_BLOB, 16],
  [EVENT_TYPE.EV_EFI_BOOT_SERVICES_APPLICATION, 32],
  [EVENT_TYPE.EV_EFI_BOOT_SERVICES_DRIVER, 32],
  [EVENT_TYPE.EV_EFI_RUNTIME_SERVICES_DRIVER, 32],
]);

/** Refuses an event whose data is too short for the structure of its type. */
export function checkEventBody(event: LogEvent): void {
  const { typeId, type, data } = event;
  const isShort = data.length < (MINIMUM.get(typeId) ?? 0);
  const isWrongHcrtm = typeId === EVENT_TYPE.EV_EFI_HCRTM_EVENT && data.toString('latin1') !== 'HCRTM';
  if (isShort || isWrongHcrtm) {
    throw new EvidenceError(
      'ERR_EVIDENCE_MALFORMED',
      `event log: body of ${type} at ${event.index} is not of its form`,
    );
  }
  if (isVariableEvent(event)) parseUefiVariable(data);
}

export function isVariableEvent({ typeId }: LogEvent): boolean {
  return VARIABLE_TYPES.has(typeId);
}

/**
 * Parses a UEFI_VARIABLE_DATA. Some firmware leaves bytes behind it, which are not looked at.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED.
 */
export function parseUefiVariable(data: Buffer): UefiVariable {
  const reader = new BinaryReader(data, 'little', 'UEFI variable');
  const guid = readGuid(reader);
  const nameChars = readLength(reader);
  const dataBytes = readLength(reader);
  if (nameChars * 2 > reader.remaining) throw reader.malformed('name is longer than the event');
  const name = reader.take(nameChars * 2).toString('utf16le');
  if (!name.isWellFormed()) throw reader.malformed('name is not UTF-16');
  return { guid, name, data: reader.take(dataBytes) };
}

function readLength(reader: BinaryReader): number {
  const length = reader.u64();
  if (length > BigInt(reader.remaining)) throw reader.malformed('length is beyond the event');
  return Number(length);
}

function readGuid(reader: BinaryReader): string {
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');
  const [a, b, c] = [hex(reader.u32(), 8), hex(reader.u16(), 4), hex(reader.u16(), 4)];
  return `${a}-${b}-${c}-${reader.take(2).toString('hex')}-${reader.take(6).toString('hex')}`;
}
