import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBootReference } from '@holdfast/evidence';
import type { PowerOnOptions, VmWorld } from './vm-world.ts';

/** What `holdfast reference boot` computed and signed, and gave to the verifier. */
export interface MadeReference {
  readonly file: string;
  /** Values of each PCR that it names, hex. */
  readonly pcrs: Readonly<Record<string, readonly string[]>>;
}

/** Computes the reference of a boot from the image and the firmware's variables alone, and signs it for the verifier. */
export async function makeBootReference(world: VmWorld, boot: PowerOnOptions): Promise<MadeReference> {
  const file = join(world.references.directory, 'boot.json');
  const { keyFile, keyId, variables } = world.references;
  const image = await world.openImage(boot);
  const inputs = ['--uki', image, '--secure-boot-vars', variables];
  await world.ask(['reference', 'boot', ...inputs, '--sign', keyFile, '--key-id', keyId, '--out', file]);
  const envelope: { payload: string } = JSON.parse(await readFile(file, 'utf8'));
  const statement: { predicate: unknown } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8'));
  return { file, pcrs: parseBootReference(statement.predicate).pcrs };
}
