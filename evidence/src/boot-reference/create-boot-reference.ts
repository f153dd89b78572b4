import { hash } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import { type BootReference, computePcrValues, type ExpectedEvent, type ExpectedEventKind } from './boot-reference.ts';

/** An EFI application that firmware or a boot loader starts. */
export interface StartedImage {
  readonly name: string;
  /** Authenticode digest, SHA-256. */
  readonly digest: Buffer;
  /** The EFI_SIGNATURE_DATA of db that vouches for it; null where Secure Boot is off or not looked at. */
  readonly authority: Buffer | null;
}

/** Content of the Secure Boot variables, without attributes; empty where a machine has none. */
export interface SecureBootVariables {
  readonly isEnabled: boolean;
  readonly pk: Buffer;
  readonly kek: Buffer;
  readonly db: Buffer;
  readonly dbx: Buffer;
  /** Measured only where they are there and not empty. */
  readonly dbt?: Buffer;
  readonly dbr?: Buffer;
}

export interface BootReferenceInput {
  /** What is started, in order: boot loaders, at last the kernel or the unified kernel image. */
  readonly images: readonly StartedImage[];
  /** Kernel in a unified kernel image: its stub starts it by means that firmware measures or not. */
  readonly innerImage: StartedImage | null;
  /** Sections of a unified kernel image that its stub measures, in order. */
  readonly sections: readonly { readonly name: string; readonly content: Buffer }[];
  readonly commandLine: string | null;
  /** Whether systemd-boot hands the command line over, and measures it itself. */
  readonly isCommandLineOfLoader: boolean;
  /** What the kernel is given; `composed` for an archive that the stub makes at boot. */
  readonly initrd: Buffer | 'composed' | null;
  /** Null: PCR 7 is left out. */
  readonly variables: SecureBootVariables | null;
}

const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const IMAGE_SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const BOOT_ACTION = 'Calling EFI Application from Boot Option';
const PCRS = [4, 7, 9, 11, 12, 13];

/**
 * Computes what a boot measures after the firmware itself, from the files alone: PCR 4 (PC Client Platform Firmware
 * Profile 1.05, 3.3.4.5: action, separator, images), PCR 7 (3.3.4.8: Secure Boot variables, separator, authorities),
 * PCR 9 (Linux EFI stub: load options, initrd), PCR 11 (systemd-stub: name and content of each section), PCR 12 (command
 * line of systemd-boot) and PCR 13, which must stay empty as PCR 12 else must: there credentials, extensions and command
 * lines from elsewhere would show.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED when Secure Boot is on and nothing in db vouches for an image.
 */
export function createBootReference(input: BootReferenceInput): BootReference {
  const { commandLine, variables } = input;
  const events = [
    ...listImageEvents(input),
    ...(variables === null ? [] : listSecureBootEvents(variables, input.images)),
    ...listKernelEvents(input),
    ...input.sections.flatMap(({ name, content }) => [
      makeEvent(11, 'sectionName', name, Buffer.from(`${name}\0`, 'latin1')),
      makeEvent(11, 'section', name, content),
    ]),
    ...(commandLine !== null && input.isCommandLineOfLoader ? [makeOptions(12, commandLine)] : []),
  ];
  const compared = PCRS.filter((pcr) => pcr !== 7 || variables !== null);
  const pcrs = Object.fromEntries(compared.map((pcr) => [String(pcr), computePcrValues(events, pcr)]));
  return { version: 1, commandLine, secureBoot: variables?.isEnabled ?? null, pcrs, events };
}

function listImageEvents({ images, innerImage }: BootReferenceInput): ExpectedEvent[] {
  const started = images.map((image) => makeImageEvent(image));
  return [
    makeEvent(4, 'action', BOOT_ACTION, Buffer.from(BOOT_ACTION, 'latin1')),
    makeSeparator(4),
    ...started,
    // The unified image and PCR 11 cover it either way.
    ...(innerImage === null ? [] : [{ ...makeImageEvent(innerImage), optional: true }]),
  ];
}

function makeImageEvent({ name, digest }: StartedImage): ExpectedEvent {
  return { pcr: 4, kind: 'image', name, digest: digest.toString('hex') };
}

/** The variables come in the order of the profile, each with its name and content; an authority is measured once. */
function listSecureBootEvents(variables: SecureBootVariables, images: readonly StartedImage[]): ExpectedEvent[] {
  const { isEnabled, pk, kek, db, dbx, dbt, dbr } = variables;
  const more = [
    ['dbt', dbt],
    ['dbr', dbr],
  ] as const;
  return [
    makeVariable('variable', GLOBAL, 'SecureBoot', Buffer.of(Number(isEnabled))),
    makeVariable('variable', GLOBAL, 'PK', pk),
    makeVariable('variable', GLOBAL, 'KEK', kek),
    makeVariable('variable', IMAGE_SECURITY, 'db', db),
    makeVariable('variable', IMAGE_SECURITY, 'dbx', dbx),
    ...more.flatMap(([name, content]) =>
      content === undefined || content.length === 0 ? [] : [makeVariable('variable', IMAGE_SECURITY, name, content)],
    ),
    makeSeparator(7),
    ...(isEnabled ? listAuthorities(images) : []),
  ];
}

function listAuthorities(images: readonly StartedImage[]): ExpectedEvent[] {
  const entries = images.map(({ name, authority }) => {
    if (authority !== null) return makeVariable('authority', IMAGE_SECURITY, 'db', authority);
    const reason = `Secure Boot would not start ${name}: nothing in db vouches for it`;
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', reason);
  });
  return [...new Map(entries.map((entry) => [entry.digest, entry])).values()];
}

/** The kernel's EFI stub measures the load options first, then the initrd that it is given. */
function listKernelEvents({ commandLine, initrd }: BootReferenceInput): ExpectedEvent[] {
  const options = commandLine === null || commandLine === '' ? [] : [makeOptions(9, commandLine)];
  if (initrd === null) return options;
  const event: ExpectedEvent =
    initrd === 'composed'
      ? { pcr: 9, kind: 'initrd', name: 'initrd', digest: null }
      : makeEvent(9, 'initrd', 'initrd', initrd);
  return [...options, event];
}

/** Load options are UTF-16 with a closing zero. */
function makeOptions(pcr: number, commandLine: string): ExpectedEvent {
  return makeEvent(pcr, 'loadOptions', 'command line', Buffer.from(`${commandLine}\0`, 'utf16le'));
}

function makeSeparator(pcr: number): ExpectedEvent {
  return makeEvent(pcr, 'separator', 'separator', Buffer.alloc(4));
}

function makeVariable(kind: ExpectedEventKind, guid: string, name: string, data: Buffer): ExpectedEvent {
  return makeEvent(7, kind, name, encodeUefiVariable(guid, name, data));
}

function makeEvent(pcr: number, kind: ExpectedEventKind, name: string, content: Buffer): ExpectedEvent {
  return { pcr, kind, name, digest: hash('sha256', content) };
}

/** UEFI_VARIABLE_DATA: GUID, length of the name in characters, length of the data, both. */
function encodeUefiVariable(guid: string, name: string, data: Buffer): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64LE(BigInt(name.length), 0);
  lengths.writeBigUInt64LE(BigInt(data.length), 8);
  const swapped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse());
  return Buffer.concat([...swapped, Buffer.from(rest.join(''), 'hex'), lengths, Buffer.from(name, 'utf16le'), data]);
}
