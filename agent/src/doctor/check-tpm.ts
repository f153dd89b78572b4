import type { TpmDevice } from '../tpm/tpm-device.ts';
import { failed, type HostCheck, passed, weakened } from './host-check.ts';

/** NV indexes of EK certificates (TCG EK Credential Profile 2.5, §2.2.1.4 and §2.2.1.5.1). */
const LOW_RANGE = [0x01c00002, 0x01c0000a];
const HIGH_RANGE: readonly [number, number] = [0x01c00012, 0x01c0001c];
/** TPML_PCR_SELECTION: PCR 0 and 10 of the SHA-256 bank. */
const SHA256_SELECTION = Buffer.from('00000001000b03010400', 'hex');

/**
 * Opens the TPM and asks it for its clock, its SHA-256 bank and its EK certificates. Whatever it throws is what was
 * found; the device is closed in every case.
 */
export async function checkTpm(open: () => Promise<TpmDevice>, tcti: string): Promise<HostCheck[]> {
  let device: TpmDevice;
  try {
    device = await open();
  } catch (error) {
    return [failed('tpm', describe(error), suggestFix(tcti, error))];
  }
  try {
    return await checkDevice(device, tcti);
  } catch (error) {
    return [failed('tpm', `the TPM at ${tcti} does not work: ${describe(error)}`, 'look at the kernel log; restart')];
  } finally {
    await device.close().catch(() => undefined);
  }
}

async function checkDevice(device: TpmDevice, tcti: string): Promise<HostCheck[]> {
  await device.readClock();
  const { digests } = await device.pcrRead(SHA256_SELECTION);
  const indexes = await device.nvIndexes();
  return [
    passed('tpm', `the TPM at ${tcti} answers`),
    digests.length === 2
      ? passed('tpm.sha256Bank', 'the SHA-256 bank of PCRs is on')
      : failed(
          'tpm.sha256Bank',
          'the SHA-256 bank of PCRs is off',
          'switch it on in the firmware, or tpm2_pcrallocate',
        ),
    indexes.some(isEkCertificate)
      ? passed('tpm.ekCertificate', 'the TPM holds a certificate of its endorsement key')
      : weakened(
          'tpm.ekCertificate',
          'the TPM holds no certificate of its endorsement key',
          'nothing, where the operator pins the EK Name; else ask the maker for the certificate',
        ),
  ];
}

function isEkCertificate(index: number): boolean {
  return LOW_RANGE.includes(index) || (index >= HIGH_RANGE[0] && index <= HIGH_RANGE[1]);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function suggestFix(tcti: string, error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_TPM_NATIVE') {
    return 'scripts/prepare apt build && scripts/prepare native';
  }
  if (tcti.startsWith('device:')) {
    return 'switch the TPM on in the firmware and load its driver; run as root; in a container, pass the device in';
  }
  return 'start the TPM, or name another one with --tpm; --tpm none runs without, and every result says so';
}
