import { type HostFiles, readHostText } from '../host/host-files.ts';
import { type HostCheck, passed, weakened } from './host-check.ts';

const SECURITY = '/sys/kernel/security';
const EVENT_LOG = `${SECURITY}/tpm0/binary_bios_measurements`;
const IMA_LIST = `${SECURITY}/ima/binary_runtime_measurements`;
const IMA_COUNT = `${SECURITY}/ima/runtime_measurements_count`;

/** Looks at what the kernel tells through securityfs: event log, IMA list, lockdown. All of it makes evidence stronger. */
export function checkKernel(files: HostFiles): HostCheck[] {
  return [checkSecurityfs(files), checkEventLog(files), checkIma(files), checkLockdown(files)];
}

function checkSecurityfs(files: HostFiles): HostCheck {
  const id = 'kernel.securityfs';
  const lines = (readHostText(files, '/proc/self/mountinfo', 16 * 1024 * 1024) ?? '').split('\n');
  const isMounted = lines.some((line) => / - securityfs /.test(line)) || files.list(SECURITY).length > 0;
  if (isMounted) return passed(id, `securityfs is mounted at ${SECURITY}`);
  return weakened(
    id,
    `securityfs is not mounted at ${SECURITY}: no event log, no IMA list, no lockdown state`,
    `mount -t securityfs securityfs ${SECURITY}; in a container, mount the securityfs of the host`,
  );
}

function checkEventLog(files: HostFiles): HostCheck {
  const id = 'kernel.eventLog';
  const head = files.readPart(EVENT_LOG, 0, 64);
  if (head !== undefined && head.length > 0) return passed(id, 'the event log of the firmware can be read');
  return weakened(
    id,
    `${EVENT_LOG} cannot be read: quoted boot PCRs stay unexplained`,
    'boot by UEFI with the TPM switched on in the firmware; a software TPM has no log',
  );
}

function checkIma(files: HostFiles): HostCheck {
  const id = 'kernel.ima';
  const fix = 'boot with ima_policy=tcb ima_hash=sha256, or load a policy of your own';
  if (files.readPart(IMA_LIST, 0, 1) === undefined) {
    return weakened(id, 'the kernel has no IMA list that can be read: executed files are not measured', fix);
  }
  const count = Number(readHostText(files, IMA_COUNT) ?? '0');
  if (count > 1) return passed(id, `IMA has measured ${count} files`);
  return weakened(id, 'IMA is there and measures nothing but the boot aggregate', fix);
}

function checkLockdown(files: HostFiles): HostCheck {
  const id = 'kernel.lockdown';
  const fix = 'boot with Secure Boot, or with lockdown=integrity';
  const mode = /\[(\w+)\]/.exec(readHostText(files, `${SECURITY}/lockdown`) ?? '')?.[1];
  if (mode === undefined) return weakened(id, 'the kernel does not tell of lockdown', fix);
  if (mode === 'none') return weakened(id, 'the kernel is not locked down: root can change it as it runs', fix);
  return passed(id, `the kernel is locked down (${mode})`);
}
