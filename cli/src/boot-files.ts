import {
  type BootReference,
  type BootReferenceInput,
  computeAuthenticodeDigest,
  createBootReference,
  identifyLoader,
  listImageSignatures,
  type PeImage,
  parsePeImage,
  parseSignatureLists,
  readUnifiedKernel,
  type SecureBootVariables,
  type StartedImage,
} from '@holdfast/evidence';
import { findImageAuthority } from '@holdfast/verifier';

interface NamedContent {
  readonly name: string;
  readonly content: Buffer;
}

/** The files of a boot, read. */
export interface BootFiles {
  /** Unified kernel image, or kernel. */
  readonly image: NamedContent;
  readonly isUki: boolean;
  /** Of a kernel; null for none. */
  readonly commandLine: string | null;
  /** Of a kernel, in order. */
  readonly initrds: readonly Buffer[];
  /** What is started before, in order. */
  readonly loaders: readonly NamedContent[];
  readonly variables: SecureBootVariables | null;
}

type Started = Pick<BootReferenceInput, 'innerImage' | 'sections' | 'commandLine' | 'initrd'>;

/**
 * Computes what a boot of these files measures. Throws `EvidenceError` or `VerifierError` for images that cannot be read,
 * and where Secure Boot would not start one.
 */
export function computeBootReference(files: BootFiles): BootReference {
  const { image, loaders, variables } = files;
  const db = variables?.isEnabled === true ? parseSignatureLists(variables.db) : null;
  const parsed = [...loaders, image].map(({ name, content }) => ({ name, pe: parsePeImage(content) }));
  const last = parsed.at(-1);
  if (last === undefined) throw new TypeError('there is always an image');
  const isOfLoader = !files.isUki && parsed.slice(0, -1).some(({ pe }) => identifyLoader(pe)?.name === 'boot');
  return createBootReference({
    images: parsed.map(({ name, pe }) => describeImage(name, pe, db)),
    ...(files.isUki ? openUki(last.pe) : openKernel(files)),
    isCommandLineOfLoader: isOfLoader,
    variables,
  });
}

function describeImage(name: string, pe: PeImage, db: ReturnType<typeof parseSignatureLists> | null): StartedImage {
  const digest = computeAuthenticodeDigest(pe);
  if (db === null) return { name, digest, authority: null };
  const found = findImageAuthority({ digest, signatures: listImageSignatures(pe) }, db);
  return { name, digest, authority: found?.entry ?? null };
}

function openUki(pe: PeImage): Started {
  const uki = readUnifiedKernel(pe);
  const digest = computeAuthenticodeDigest(parsePeImage(uki.linux));
  return {
    innerImage: { name: '.linux', digest, authority: null },
    sections: uki.measured,
    commandLine: uki.commandLine,
    initrd: uki.isInitrdComposed ? 'composed' : uki.initrd,
  };
}

function openKernel({ commandLine, initrds }: BootFiles): Started {
  const initrd = initrds.length === 0 ? null : Buffer.concat(initrds);
  return { innerImage: null, sections: [], commandLine, initrd };
}
