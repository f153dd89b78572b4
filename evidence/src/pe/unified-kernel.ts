import { trimEndOf } from '../encoding/trim-end.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type PeImage, readSectionContent } from './pe-image.ts';

/** A section of a unified kernel image, as systemd-stub finds it in memory. */
export interface UkiSection {
  readonly name: string;
  readonly content: Buffer;
}

/** What a unified kernel image holds, and what its stub does with it. */
export interface UnifiedKernel {
  /** Version of systemd that the stub is of. */
  readonly stubVersion: number;
  /** Sections that the stub measures into PCR 11, in the order in which it does. */
  readonly measured: readonly UkiSection[];
  readonly linux: Buffer;
  /** Text of `.cmdline` as the stub hands it to the kernel; null where there is none. */
  readonly commandLine: string | null;
  /** Null where there is none. */
  readonly initrd: Buffer | null;
  /** Whether the stub puts more into the initrd than that section: then its digest cannot be told. */
  readonly isInitrdComposed: boolean;
}

/** Sections by the version since which the stub measures them, in the order of the UAPI specification of UKIs. */
const MEASURED: readonly (readonly [name: string, since: number])[] = [
  ['.linux', 252],
  ['.osrel', 252],
  ['.cmdline', 252],
  ['.initrd', 252],
  ['.ucode', 256],
  ['.splash', 252],
  ['.dtb', 252],
  ['.uname', 253],
  ['.sbat', 254],
  ['.pcrpkey', 252],
];
/** Sections of which the stub chooses at boot, so that nothing can be said beforehand. */
const CHOSEN_AT_BOOT = ['.profile', '.dtbauto', '.hwids', '.efifw'];
/** Sections that reach the kernel in an archive beside the initrd, by the version since which they do. */
const COMPOSING: readonly (readonly [name: string, since: number])[] = [
  ['.pcrsig', 252],
  ['.pcrpkey', 252],
  ['.ucode', 256],
  ['.osrel', 257],
];
const FIRST_VERSION = 252;
const MAGIC_SECTION = '.sdmagic';
const MAGIC = /^#### LoaderInfo: systemd-(stub|boot) (\d{3})\D/;

/** Which program of systemd-boot an image is, by the mark that it carries; undefined for any other. */
export function identifyLoader(image: PeImage): { name: 'stub' | 'boot'; version: number } | undefined {
  const section = image.sections.find(({ name, fileSize }) => name === MAGIC_SECTION && fileSize < 1024);
  if (section === undefined || section.virtualSize > 1024) return undefined;
  const found = MAGIC.exec(readSectionContent(image, section).toString('latin1'));
  if (found === null) return undefined;
  return { name: found[1] === 'boot' ? 'boot' : 'stub', version: Number(found[2]) };
}

/**
 * Reads a unified kernel image with systemd-stub 252 or later (systemd-stub(7); UAPI.5, UKI): which sections the stub of
 * that version measures, kernel, command line and initrd. Which sections there are depends on the version that stands in
 * the stub.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for what is no such image, has a section twice or several profiles.
 */
export function readUnifiedKernel(image: PeImage): UnifiedKernel {
  const stub = identifyLoader(image);
  if (stub?.name !== 'stub') throw malformed('it has no systemd-stub, so nobody knows what it measures');
  if (stub.version < FIRST_VERSION) throw malformed(`systemd-stub ${stub.version} does not measure its sections`);
  const chosen = CHOSEN_AT_BOOT.find((name) => image.sections.some((section) => section.name === name));
  if (chosen !== undefined) throw malformed(`what its section ${chosen} measures is decided when it boots`);
  const read = (name: string) => readSection(image, name);
  const linux = read('.linux');
  if (linux === undefined) throw malformed('it has no kernel');
  const cmdline = read('.cmdline');
  const measured = MEASURED.filter(([, since]) => stub.version >= since).flatMap(([name]) => {
    const content = read(name);
    return content === undefined ? [] : [{ name, content }];
  });
  return {
    stubVersion: stub.version,
    measured,
    linux,
    commandLine: cmdline === undefined ? null : decodeCommandLine(cmdline),
    initrd: read('.initrd') ?? null,
    isInitrdComposed: COMPOSING.some(([name, since]) => stub.version >= since && read(name) !== undefined),
  };
}

/** Control characters become spaces, and white space at both ends goes, as the stub does it. */
function decodeCommandLine(section: Buffer): string {
  const end = section.indexOf(0);
  const text = section.toString('utf8', 0, end < 0 ? section.length : end);
  const plain = Array.from(text, (character) => (character < ' ' ? ' ' : character)).join('');
  return trimEndOf(plain, ' ').replace(/^ +/, '');
}

/** An empty section is none to the stub. */
function readSection(image: PeImage, name: string): Buffer | undefined {
  const [section, ...more] = image.sections.filter((each) => each.name === name);
  if (more.length > 0) throw malformed(`it has the section ${name} twice`);
  return section === undefined || section.virtualSize === 0 ? undefined : readSectionContent(image, section);
}

function malformed(reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `unified kernel image: ${reason}`);
}
