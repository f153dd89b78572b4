import { hash } from 'node:crypto';
import { trimEndOf } from '../encoding/trim-end.ts';
import { isVariableEvent, parseUefiVariable } from './event-body.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { LogAlgorithm } from './log-algorithm.ts';
import type { LogEvent } from './parse-event-log.ts';

/**
 * Over which part of its data an event's digest was made: all of it; the data of the UEFI variable; all but one byte
 * that shim leaves behind; a text of GRUB behind its label, with or without the closing zero; UTF-16 text with its
 * closing zero, which systemd-boot may cut short; the name of a UKI section, in ASCII.
 */
export type DataForm =
  | 'whole'
  | 'variableData'
  | 'withoutLastByte'
  | 'labelledText'
  | 'labelledTextZero'
  | 'utf16Text'
  | 'sectionName';

/** Types whose digest the profile makes over the data. */
const BOUND_TYPES = new Set<number>([
  EVENT_TYPE.EV_SEPARATOR,
  EVENT_TYPE.EV_S_CRTM_VERSION,
  EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG,
  EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY,
  EVENT_TYPE.EV_EFI_GPT_EVENT,
  EVENT_TYPE.EV_EFI_ACTION,
]);

/** PCRs in which boot loaders measure text that they also log. */
const TEXT_PCRS = new Set([8, 12]);

/**
 * Finds the part of an event's data that hashes to its digest in every bank that can be computed. Undefined where there
 * is none: then the data is a stranger's word. Type and label are never covered by a digest.
 */
export function findVerifiedForm(event: LogEvent, algorithms: readonly LogAlgorithm[]): DataForm | undefined {
  const computable = algorithms.flatMap(({ name, nodeName }) => {
    const digest = event.digests.get(name);
    return nodeName === null || digest === undefined ? [] : [{ nodeName, digest }];
  });
  if (computable.length === 0) return undefined;
  const isHashed = (bytes: Buffer) =>
    computable.every(({ nodeName, digest }) => hash(nodeName, bytes, 'buffer').equals(digest));
  return listForms(event).find(([, bytes]) => isHashed(bytes))?.[0];
}

/** Whether the digest of such an event is made over its data, so that a mismatch is a forgery and no quirk. */
export function isDataBound({ typeId, pcr }: LogEvent): boolean {
  return BOUND_TYPES.has(typeId) || (typeId === EVENT_TYPE.EV_IPL && pcr !== null && TEXT_PCRS.has(pcr));
}

/** The text behind the label of a GRUB event: `grub_cmd: `, `kernel_cmdline: `, `grub_kernel_cmdline `. */
export function splitLabel(data: Buffer): { label: string; text: Buffer } {
  const space = data.indexOf(0x20);
  return { label: data.subarray(0, Math.max(0, space)).toString('latin1'), text: data.subarray(space + 1) };
}

/** UTF-16 text without its closing zeros, whole or cut. */
export function decodeUtf16(data: Buffer): string {
  const even = data.length % 2 === 0 ? data : Buffer.concat([data, Buffer.alloc(1)]);
  return trimEndOf(even.toString('utf16le'), '\0');
}

function listForms(event: LogEvent): [DataForm, Buffer][] {
  const { typeId, data } = event;
  if (isVariableEvent(event)) return [['whole', data], ...listVariableForms(event)];
  if (typeId === EVENT_TYPE.EV_IPL) return [['whole', data], ...listTextForms(data)];
  if (typeId === EVENT_TYPE.EV_EVENT_TAG)
    return [
      ['whole', data],
      ['utf16Text', encodeUtf16Zero(data.subarray(8))],
    ];
  return [['whole', data]];
}

function listVariableForms({ typeId, data }: LogEvent): [DataForm, Buffer][] {
  if (typeId === EVENT_TYPE.EV_EFI_VARIABLE_BOOT) return [['variableData', parseUefiVariable(data).data]];
  if (typeId === EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY) return [['withoutLastByte', data.subarray(0, -1)]];
  return [];
}

function listTextForms(data: Buffer): [DataForm, Buffer][] {
  const { text } = splitLabel(data);
  const bare = text.at(-1) === 0 ? text.subarray(0, -1) : text;
  return [
    ['labelledText', bare],
    ['labelledTextZero', Buffer.concat([bare, Buffer.alloc(1)])],
    ['utf16Text', encodeUtf16Zero(data)],
    ['sectionName', Buffer.from(`${decodeUtf16(data)}\0`, 'latin1')],
  ];
}

function encodeUtf16Zero(data: Buffer): Buffer {
  return Buffer.from(`${decodeUtf16(data)}\0`, 'utf16le');
}
