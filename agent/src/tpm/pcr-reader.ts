import { encodePcrSelection } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { TpmDevice } from './tpm-device.ts';

/** Reads SHA-256 PCRs, as many calls as it takes. Unsigned: good only to explain the digest of a quote. */
export async function readPcrs(device: TpmDevice, pcrs: readonly number[]): Promise<Map<number, Buffer>> {
  const values = new Map<number, Buffer>();
  let missing = [...pcrs];
  while (missing.length > 0) {
    const asked = missing.slice(0, 8);
    const { digests } = await device.pcrRead(encodePcrSelection([{ bank: 'sha256', pcrs: asked }]));
    if (digests.length === 0) throw new AgentError('ERR_AGENT_TPM', 'the TPM has no SHA-256 bank of PCRs');
    // The TPM answers in the order of the index and may answer less than was asked.
    const answered = asked.slice(0, digests.length);
    for (const [at, pcr] of answered.entries()) values.set(pcr, digests[at] ?? Buffer.alloc(0));
    missing = missing.filter((pcr) => !values.has(pcr));
  }
  return values;
}
