import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { runTool } from '../world/run-tool.ts';
import type { BuiltImage } from './images.ts';
import { InputError, type UserImage } from './options.ts';

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

/** Somebody's SBOM and key, read and found to go together. */
export interface UserReference {
  readonly trustKey: TrustKeyEntry;
  readonly isSigned: boolean;
  readonly files: UserImage;
}

/** Reads the SBOM and the key that came with an image: a signed one with its public key, or a plain one with a private key. */
export async function readUserReference(files: UserImage): Promise<UserReference> {
  const content = parseJson(await readInput(files.sbom), files.sbom);
  const pem = await readInput(files.key);
  const isPrivate = pem.includes('PRIVATE KEY');
  if (!isSigned(content) && !isPrivate) {
    throw new InputError(`${files.sbom} is not signed, so --key must be a private key to sign it with`);
  }
  try {
    const key = isPrivate ? createPublicKey(createPrivateKey(pem)) : createPublicKey(pem);
    return { trustKey: describeSbomKey('yours', key), isSigned: isSigned(content), files };
  } catch {
    throw new InputError(`${files.key} holds no PEM key that can be read without a passphrase`);
  }
}

/** Puts the reference among those that the verifier is given; a plain SBOM is signed first. */
export async function addUserReference(reference: UserReference, name: string, references: string): Promise<void> {
  const { files } = reference;
  const out = join(references, 'yours.dsse.json');
  if (reference.isSigned) {
    await copyFile(files.sbom, out);
    return;
  }
  const signing = ['--sbom', files.sbom, '--key', files.key, '--key-id', reference.trustKey.id];
  await runHoldfast(['build', 'attest', files.layout, '--name', name, ...signing, '--out', out]);
}

async function readInput(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new InputError(`${path} cannot be read (${error.code})`);
  });
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`${path} is no JSON`);
  }
}

function isSigned(content: unknown): boolean {
  if (typeof content !== 'object' || content === null) return false;
  return 'payloadType' in content || 'dsseEnvelope' in content;
}

async function runHoldfast(words: readonly string[]): Promise<void> {
  await runTool(`${CHECKOUT}/scripts/holdfast`, words);
}
