import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { runTool } from '../world/run-tool.ts';
import type { BuiltImage } from './images.ts';
import type { UserImage } from './options.ts';

const DAY_MS = 86_400_000;

export interface TrustKeyEntry {
  id: string;
  role: 'sbom';
  environment: 'development';
  publicKey: string;
  scope: string[];
  validFrom: string;
  validUntil: string;
}

/** A key that the verifier is told to trust for SBOMs. */
export function describeSbomKey(id: string, key: KeyObject): TrustKeyEntry {
  return {
    id,
    role: 'sbom',
    environment: 'development',
    publicKey: key.export({ type: 'spki', format: 'pem' }).toString(),
    scope: ['*'],
    validFrom: new Date(Date.now() - DAY_MS).toISOString(),
    validUntil: new Date(Date.now() + 30 * DAY_MS).toISOString(),
  };
}

export interface BuildSigner {
  readonly keyFile: string;
  readonly trustKey: TrustKeyEntry;
}

/** Makes the fresh key that signs the SBOMs of the quickstart's own images. */
export async function createBuildSigner(directory: string): Promise<BuildSigner> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyFile = join(directory, 'sbom-signing.key');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { keyFile, trustKey: describeSbomKey('quickstart-build', publicKey) };
}

/** Makes and signs the SBOM of an image, as its build would, into the folder of references. */
export async function attestImage(image: BuiltImage, signer: BuildSigner, references: string): Promise<void> {
  await mkdir(references, { recursive: true });
  const out = join(references, `${image.name.replaceAll(/[^a-z0-9]+/g, '-')}.dsse.json`);
  await runHoldfast([
    'build',
    'attest',
    `${image.layout}:${image.tag}`,
    '--name',
    image.name,
    '--key',
    signer.keyFile,
    '--out',
    out,
  ]);
}

/**
 * Adds somebody's own SBOM to the references: a signed one as it is, with the key that it names; a plain one signed here
 * with the private key that came with it.
 */
export async function addUserReference(image: UserImage, name: string, references: string): Promise<TrustKeyEntry> {
  const pem = await readFile(image.key);
  const content: unknown = JSON.parse(await readFile(image.sbom, 'utf8'));
  const out = join(references, 'yours.dsse.json');
  if (isSigned(content)) {
    await copyFile(image.sbom, out);
    return describeSbomKey('yours', createPublicKey(pem));
  }
  if (!pem.includes('PRIVATE KEY')) {
    throw new Error(`${image.sbom} is not signed, so --key must be a private key to sign it with`);
  }
  await runHoldfast([
    'build',
    'attest',
    image.layout,
    '--name',
    name,
    '--sbom',
    image.sbom,
    '--key',
    image.key,
    '--out',
    out,
  ]);
  return describeSbomKey('yours', createPublicKey(createPrivateKey(pem)));
}

function isSigned(content: unknown): boolean {
  if (typeof content !== 'object' || content === null) return false;
  return 'payloadType' in content || 'dsseEnvelope' in content;
}

async function runHoldfast(words: readonly string[]): Promise<void> {
  await runTool(`${CHECKOUT}/scripts/holdfast`, words);
}
