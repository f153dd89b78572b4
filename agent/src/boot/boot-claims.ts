import { hash } from 'node:crypto';
import type { BootClaims } from '@holdfast/evidence';
import type { HostFiles } from '../host/host-files.ts';

const EVENT_LOG = '/sys/kernel/security/tpm0/binary_bios_measurements';
const SECURE_BOOT = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
const MAX_EVENT_LOG_BYTES = 4 * 1024 * 1024;

/** The event log of this boot, as the kernel keeps it; undefined where the kube node has none or it is beyond 4 MiB. */
export function readEventLog(files: HostFiles): Buffer | undefined {
  const log = files.read(EVENT_LOG, MAX_EVENT_LOG_BYTES);
  return log !== undefined && log.length > 0 ? log : undefined;
}

/**
 * Makes the `boot` claims-set: the event log by digest, and what the firmware's variable says of Secure Boot. The log
 * proves itself by replay to the quoted PCRs; the variable is the agent's word.
 */
export function collectBootClaims(files: HostFiles, eventLog: Buffer | undefined): BootClaims {
  return {
    type: 'boot',
    eventLog: eventLog === undefined ? null : hash('sha256', eventLog),
    eventLogBytes: eventLog?.length ?? 0,
    secureBoot: readSecureBoot(files),
  };
}

/** An efivarfs file is four bytes of attributes and the variable; SecureBoot is one byte (UEFI 2.10 §3.3). */
function readSecureBoot(files: HostFiles): boolean | null {
  const variable = files.read(SECURE_BOOT, 16);
  return variable?.length === 5 ? variable[4] === 1 : null;
}
