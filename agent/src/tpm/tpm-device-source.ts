import type { EkTemplateName, TpmConfig } from '../config/agent-config.ts';
import type { TpmDevice } from './tpm-device.ts';

const DEADLINE_MS = 15_000;

/** Opens a context to the configured TPM. Loads the native binding on first use, never at import. */
export async function openTpmDevice(config: TpmConfig): Promise<TpmDevice> {
  const { openTpm } = await import('tpm2-tss-node');
  return await openTpm({ tcti: config.tcti, deadlineMs: DEADLINE_MS, exclusive: config.exclusive });
}

/** TPMT_PUBLIC of an endorsement key template. */
export async function readEkTemplate(name: EkTemplateName): Promise<Buffer> {
  const { ekTemplate } = await import('tpm2-tss-node');
  return ekTemplate(name);
}
