import type { KernelClaims } from '@holdfast/evidence';
import { type HostFiles, readHostText } from '../host/host-files.ts';
import { parseBuildId } from './build-id.ts';
import { readSysctls, SYSCTL_SET } from './sysctl-set.ts';

const MAX_SHORT_BYTES = 256;
const MAX_LINE_BYTES = 1_024;
const MAX_CMDLINE_BYTES = 64 * 1024;
const MAX_MODULES = 4_096;
const MAX_VULNERABILITY_BYTES = 1_024;
const MAX_MODULES_BYTES = 1024 * 1024;
const MAX_NOTES_BYTES = 64 * 1024;

/**
 * Makes the `kernel` claims-set (design §4.3) from the host's /proc and /sys: raw strings that the policy judges. What
 * cannot be read is null and named in `limits`, never left out in silence.
 */
export function collectKernelClaims(files: HostFiles): KernelClaims {
  const limits: string[] = [];
  const read = (name: string, path: string, maxBytes = MAX_SHORT_BYTES): string | null => {
    const text = readHostText(files, path, maxBytes);
    if (text === undefined) limits.push(`${name}:unreadable`);
    return text ?? null;
  };
  const { sysctl, limits: sysctlLimits } = readSysctls(files);
  const notes = files.read('/sys/kernel/notes', MAX_NOTES_BYTES);
  const buildId = notes === undefined ? null : parseBuildId(notes);
  if (buildId === null) limits.push('buildId:unreadable');
  return {
    type: 'kernel',
    release: read('release', '/proc/sys/kernel/osrelease') ?? '',
    version: read('version', '/proc/version', MAX_LINE_BYTES) ?? '',
    buildId,
    cmdline: read('cmdline', '/proc/cmdline', MAX_CMDLINE_BYTES) ?? '',
    tainted: read('tainted', '/proc/sys/kernel/tainted') ?? '',
    lockdown: read('lockdown', '/sys/kernel/security/lockdown'),
    lsm: read('lsm', '/sys/kernel/security/lsm', MAX_LINE_BYTES),
    kexecLoaded: read('kexecLoaded', '/sys/kernel/kexec_loaded'),
    modules: collectModules(files, limits),
    sysctlSet: SYSCTL_SET,
    sysctl,
    vulnerabilities: readVulnerabilities(files),
    limits: [...limits, ...sysctlLimits].sort(),
  };
}

function collectModules(files: HostFiles, limits: string[]): KernelClaims['modules'] {
  const text = files.read('/proc/modules', MAX_MODULES_BYTES)?.toString('latin1');
  if (text === undefined) {
    limits.push('modules:unreadable');
    return null;
  }
  const modules = text
    .split('\n')
    .flatMap(parseModule)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (modules.length > MAX_MODULES) limits.push('modules:entries');
  return modules.slice(0, MAX_MODULES);
}

/** One line of /proc/modules: name, size, references, users, state, address and, in brackets, taint flags. */
function parseModule(line: string): { name: string; size: number; taint: string; signer: string | null }[] {
  const match = /^([\w-]{1,64}) (\d{1,15}) .*?(?: \(([A-Z+-]+)\))?$/.exec(line);
  if (match?.[1] === undefined || match[2] === undefined) return [];
  return [{ name: match[1], size: Number(match[2]), taint: match[3] ?? '', signer: null }];
}

function readVulnerabilities(files: HostFiles): Record<string, string> {
  const directory = '/sys/devices/system/cpu/vulnerabilities';
  return Object.fromEntries(
    files.list(directory).flatMap(({ name }) => {
      const text = readHostText(files, `${directory}/${name}`, MAX_VULNERABILITY_BYTES);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}
