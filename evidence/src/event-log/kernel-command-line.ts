import { hash } from 'node:crypto';
import { trimEndOf } from '../encoding/trim-end.ts';
import type { BootFinding } from './boot-finding.ts';
import { decodeUtf16, splitLabel } from './event-data.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { LogEvent } from './parse-event-log.ts';
import type { VerifiedEvent } from './verified-event.ts';

/** A kernel command line whose text stands in the log and hashes to its digest. */
export interface MeasuredCommandLine {
  readonly source: 'grub' | 'systemdBoot';
  readonly pcr: number;
  readonly index: number;
  /** As measured. GRUB puts the kernel's path in front. */
  readonly text: string;
}

/** A command line of which the log has the digest only. */
export interface HashedCommandLine {
  /** The kernel's EFI stub over its load options, in UTF-16; systemd-stub over the .cmdline section of a UKI. */
  readonly source: 'efiStub' | 'ukiSection';
  readonly pcr: number;
  readonly index: number;
  readonly digests: ReadonlyMap<string, Buffer>;
}

export interface CommandLineFacts {
  readonly texts: readonly MeasuredCommandLine[];
  readonly hashed: readonly HashedCommandLine[];
  readonly findings: readonly BootFinding[];
}

const GRUB_LABEL = /^(?:grub_)?kernel_cmdline:?$/;
const GRUB_LINUX = /^linux(?:efi|16)? (.*)$/s;
const LOAD_OPTIONS_TAG = 0x8f3b22ed;
const SECTION = '.cmdline';

/**
 * Reads the kernel command lines that boot loaders measured: GRUB and old systemd-boot in PCR 8, systemd-boot and
 * systemd-stub in PCR 12, the .cmdline section of a UKI in PCR 11, the kernel's EFI stub in PCR 9. Only text that hashes
 * to its digest is given. GRUB's labels are hashed by nobody, so a command that reads like a kernel is taken for a
 * command line whatever its label says.
 */
export function readCommandLines(events: readonly VerifiedEvent[]): CommandLineFacts {
  const measured = events.flatMap((event) => readText(event) ?? []);
  const texts = measured.map(({ line }) => line);
  const relabelled = measured.filter(({ isRelabelled }) => isRelabelled);
  const loaded = events.flatMap(readLinuxCommand);
  const distinct = new Set([...texts.map(({ text }) => text), ...loaded].map(stripQuotes));
  const findings = [
    ...relabelled.map(({ line: { pcr, index } }): BootFinding => {
      const message = 'a text that reads like a kernel command line is labelled as another command';
      return { code: 'COMMAND_LINE_RELABELLED', pcr, index, message };
    }),
    ...(distinct.size > 1 ? [nameAmbiguity(texts)] : []),
  ];
  return { texts, hashed: listHashed(events), findings };
}

function nameAmbiguity(texts: readonly MeasuredCommandLine[]): BootFinding {
  const { pcr, index } = texts[0] ?? { pcr: 8, index: null };
  const message = 'the boot loader measured several different kernel command lines';
  return { code: 'COMMAND_LINE_AMBIGUOUS', pcr, index, message };
}

/** GRUB quotes words with spaces in the kernel's command line and not in the command that set it. */
function stripQuotes(text: string): string {
  return text.replace(/["'\\]/g, '').trim();
}

/** What stands behind the last word is measured by some and told by none: a line end of the file that it came from. */
const BLANKS =
  '\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff';
/** As image builders and boot loaders end a command line. */
const ENDS = ['', '\0', '\n', '\n\0', ' ', ' \0', ' \n', ' \n\0', '\r\n'] as const;

/**
 * Compares a command line, such as that of /proc/cmdline, with each that was measured; how many there are and how many
 * of them are this one, but for blanks at the end. Nothing is proven where none was measured.
 *
 * GRUB puts `BOOT_IMAGE=` and the kernel's path in front of what it tells the kernel, and measures without the first. An
 * entry of systemd-boot and its `initrd=` words stand in /proc/cmdline as they are measured. The .cmdline section of a UKI
 * is measured with whatever its builder put behind the last word, and the stub cuts that off.
 */
export function matchCommandLine(facts: CommandLineFacts, commandLine: string): { measured: number; matching: number } {
  const told = trimEndOf(commandLine, BLANKS);
  const candidates = [
    ...facts.texts.map(({ text, source }) => {
      const measured = trimEndOf(text, BLANKS);
      return measured === told || (source === 'grub' && `BOOT_IMAGE=${measured}` === told);
    }),
    ...facts.hashed.map((line) => isHashOf(line, told)),
  ];
  return { measured: candidates.length, matching: candidates.filter(Boolean).length };
}

function isHashOf({ source, digests }: HashedCommandLine, commandLine: string): boolean {
  const digest = digests.get('sha256');
  const encoding = source === 'efiStub' ? 'utf16le' : 'utf8';
  const isSame = (end: string) => {
    return digest?.equals(hash('sha256', Buffer.from(`${commandLine}${end}`, encoding), 'buffer')) === true;
  };
  return ENDS.some(isSame);
}

interface ReadText {
  readonly line: MeasuredCommandLine;
  readonly isRelabelled: boolean;
}

function readText({ event, form }: VerifiedEvent): ReadText | undefined {
  const { pcr, index, data } = event;
  if (pcr !== 8 && pcr !== 12) return undefined;
  if (form === 'utf16Text' || (form === 'whole' && isUtf16(data))) {
    const body = event.typeId === EVENT_TYPE.EV_EVENT_TAG ? data.subarray(8) : data;
    return { line: { source: 'systemdBoot', pcr, index, text: decodeUtf16(body) }, isRelabelled: false };
  }
  if (form !== 'labelledText' && form !== 'labelledTextZero') return undefined;
  const { label, text } = readGrub(event);
  const isLabelled = GRUB_LABEL.test(label);
  if (!isLabelled && !/^[/(]/.test(text)) return undefined;
  return { line: { source: 'grub', pcr, index, text }, isRelabelled: !isLabelled };
}

function readLinuxCommand({ event, form }: VerifiedEvent): string[] {
  if (event.pcr !== 8 || (form !== 'labelledText' && form !== 'labelledTextZero')) return [];
  const { label, text } = readGrub(event);
  const argument = GRUB_LABEL.test(label) ? undefined : GRUB_LINUX.exec(text)?.[1];
  return argument === undefined ? [] : [argument];
}

function readGrub({ data }: LogEvent): { label: string; text: string } {
  const { label, text } = splitLabel(data);
  return { label, text: text.toString('utf8').replace(/\0$/, '') };
}

function isUtf16(data: Buffer): boolean {
  return data.length >= 2 && data.length % 2 === 0 && data[1] === 0 && data.at(-1) === 0 && data.at(-2) === 0;
}

function listHashed(events: readonly VerifiedEvent[]): HashedCommandLine[] {
  return events.flatMap(({ event, form }, place): HashedCommandLine[] => {
    const { pcr, index, digests, data, typeId } = event;
    if (
      pcr === 9 &&
      typeId === EVENT_TYPE.EV_EVENT_TAG &&
      data.length >= 8 &&
      data.readUInt32LE() === LOAD_OPTIONS_TAG
    ) {
      return [{ source: 'efiStub', pcr, index, digests }];
    }
    if (pcr !== 11 || form !== 'sectionName' || decodeUtf16(data) !== SECTION) return [];
    const content = events.slice(place + 1).find((next) => next.event.pcr === 11)?.event;
    return content === undefined
      ? []
      : [{ source: 'ukiSection', pcr: 11, index: content.index, digests: content.digests }];
  });
}
