import { BinaryReader } from '../encoding/binary-reader.ts';
import { trimEndOf } from '../encoding/trim-end.ts';
import { EvidenceError } from '../evidence-error.ts';
import { decodeUtf16 } from './event-data.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { VerifiedEvent } from './verified-event.ts';

/** An image, section or file that was measured by its content. The digests are bound to the PCR, the name is not. */
export interface MeasuredContent {
  readonly pcr: number;
  readonly index: number;
  readonly digests: ReadonlyMap<string, Buffer>;
  /** What the log says that it is; a stranger's word. */
  readonly name: string | null;
}

export interface BootImageFacts {
  /** Authenticode digests of what firmware and boot loaders started, in order. */
  readonly applications: readonly MeasuredContent[];
  /** Sections of a UKI, by names that hash to the digests before them. */
  readonly sections: readonly MeasuredContent[];
  /** What the kernel's EFI stub measured as initrd. */
  readonly initrds: readonly MeasuredContent[];
  /** What GRUB read: kernel, initrd, configuration. */
  readonly files: readonly MeasuredContent[];
}

const INITRD_TAG = 0x8f3b22ec;

/** Reads which contents were measured, by digest: PCR 4 images, PCR 11 sections, PCR 9 initrd and files. */
export function readBootImages(events: readonly VerifiedEvent[]): BootImageFacts {
  return {
    applications: selectContent(events, 4, EVENT_TYPE.EV_EFI_BOOT_SERVICES_APPLICATION, readFilePath),
    sections: readSections(events),
    initrds: selectContent(events, 9, EVENT_TYPE.EV_EVENT_TAG, readTag).filter(({ name }) => name !== null),
    files: selectContent(events, 9, EVENT_TYPE.EV_IPL, (data) => trimEndOf(data.toString('utf8'), '\0')),
  };
}

function selectContent(
  events: readonly VerifiedEvent[],
  pcr: number,
  typeId: number,
  readName: (data: Buffer) => string | null,
): MeasuredContent[] {
  const chosen = events.filter(({ event }) => event.pcr === pcr && event.typeId === typeId);
  return chosen.map(({ event }) => ({ pcr, index: event.index, digests: event.digests, name: readName(event.data) }));
}

/** systemd-stub measures the name of each section, then its content. */
function readSections(events: readonly VerifiedEvent[]): MeasuredContent[] {
  const own = events.filter(({ event }) => event.pcr === 11);
  return own.flatMap(({ event, form }, place) => {
    const content = own[place + 1]?.event;
    if (form !== 'sectionName' || content === undefined) return [];
    return [{ pcr: 11, index: content.index, digests: content.digests, name: decodeUtf16(event.data) }];
  });
}

function readTag(data: Buffer): string | null {
  if (data.length < 8 || data.readUInt32LE() !== INITRD_TAG) return null;
  return trimEndOf(data.subarray(8).toString('latin1'), '\0');
}

/** The file of a UEFI_IMAGE_LOAD_EVENT's device path (UEFI, 10.3.5.4); null where it names none. */
function readFilePath(data: Buffer): string | null {
  try {
    return readDevicePath(new BinaryReader(data.subarray(32), 'little', 'device path'));
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}

function readDevicePath(reader: BinaryReader): string | null {
  let file: string | null = null;
  while (reader.remaining > 0) {
    const type = reader.u8();
    const subtype = reader.u8();
    const body = reader.take(reader.u16() - 4);
    if (type === 4 && subtype === 4) file = decodeUtf16(body);
  }
  return file;
}
