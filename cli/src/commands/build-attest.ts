import { collectInventory, type OciImageView } from '@holdfast/agent';
import type { JsonValue } from '@holdfast/evidence';
import { inventoryToCycloneDx, signStatement } from '@holdfast/verifier';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command, Flags } from '../command.ts';
import { isJsonObject } from '../foreign-format.ts';
import { parseJsonDocument, readJsonDocument } from '../json-document.ts';
import { openNamedImage } from '../open-view.ts';
import { writeOutputFile } from '../output-file.ts';
import { choosePlatform, PLATFORM_OPTION } from '../platform-option.ts';
import { readSbomDocument } from '../sbom-document.ts';
import { fingerprintKey, readSigningKey } from '../signing-key.ts';
import { TOOL_VERSION } from '../version.ts';

/** What a verifier reads of a statement. */
const MAX_SBOM_BYTES = 16 << 20;
const MAX_MADE_BYTES = 64 << 20;
const PREDICATE_TYPES = { cyclonedx: 'https://cyclonedx.org/bom', spdx: 'https://spdx.dev/Document' } as const;

export const buildAttest: Command = {
  name: 'build attest',
  summary: 'make and sign the SBOM of an image, when it is built',
  positionals: 'OCI-LAYOUT[:TAG]',
  arity: [1, 1],
  options: {
    key: { type: 'string', value: 'FILE', help: 'PEM of the private key that signs' },
    out: { type: 'string', value: 'FILE', help: 'where the DSSE envelope goes' },
    name: { type: 'string', value: 'NAME', help: "signed subject name; else the image's name in the layout" },
    'key-id': { type: 'string', value: 'ID', help: 'key id of the envelope; else the SHA-256 of the public key' },
    platform: PLATFORM_OPTION,
    sbom: { type: 'string', value: 'FILE', help: 'sign this CycloneDX or SPDX SBOM instead of making one' },
  },
  run: async ({ flags, positionals, terminal }) => {
    const [layout = ''] = positionals;
    const out = required(flags, 'out');
    const key = await readSigningKey(required(flags, 'key'));
    const image = await openNamedImage(layout, choosePlatform(flags));
    try {
      const name = flags.text('name') ?? image.reference;
      if (name === null) throw usageError(`${layout} gives its image no name: give one with --name`);
      const sbomFile = flags.text('sbom');
      const sbom = sbomFile === undefined ? makeSbom(image, name) : await readSbomFile(sbomFile);
      const envelope = signStatement({
        subjects: [{ name, digest: { sha256: image.manifestDigest.replace(/^sha256:/, '') } }],
        predicateType: PREDICATE_TYPES[sbom.format],
        predicate: sbom.document,
        key,
        keyId: flags.text('key-id') ?? fingerprintKey(key),
      });
      await writeOutputFile(out, `${envelope}\n`);
      terminal.printJson({ file: out, subject: name, manifestDigest: image.manifestDigest, packages: sbom.packages });
      terminal.print(`${out}: SBOM of ${name} (${image.manifestDigest}), ${sbom.packages} packages, signed`);
      return EXIT.good;
    } finally {
      image.close();
    }
  },
};

interface Sbom {
  readonly format: keyof typeof PREDICATE_TYPES;
  readonly document: Record<string, unknown>;
  readonly packages: number;
}

/** An SBOM that hides what could not be read would vouch for it, so a limit that was hit ends the command. */
function makeSbom(image: OciImageView, name: string): Sbom {
  const inventory = collectInventory(image);
  if (!inventory.complete) throw undecided(`the inventory of ${name} is not complete: ${inventory.limits.join('; ')}`);
  if (inventory.packages.length === 0) {
    throw undecided(`no package was found in ${name}; an SBOM without packages vouches for nothing`);
  }
  const text = inventoryToCycloneDx(inventory, { name, digest: image.manifestDigest, toolVersion: TOOL_VERSION });
  return {
    format: 'cyclonedx',
    document: asObject(parseJsonDocument(Buffer.from(text), name, MAX_MADE_BYTES), name),
    packages: inventory.packages.length,
  };
}

async function readSbomFile(path: string): Promise<Sbom> {
  const value = await readJsonDocument(path, MAX_SBOM_BYTES);
  const sbom = readSbomDocument(value, path);
  if (!sbom.complete)
    throw undecided(`${path} says of itself that it is not complete; no verifier takes that for an SBOM`);
  return { format: sbom.format, document: asObject(value, path), packages: sbom.packages.length };
}

function asObject(value: JsonValue, path: string): Record<string, unknown> {
  if (!isJsonObject(value)) throw undecided(`${path} is no JSON object`);
  return value;
}

function required(flags: Flags, name: string): string {
  const value = flags.text(name);
  if (value === undefined) throw usageError(`holdfast build attest needs --${name} FILE`);
  return value;
}
