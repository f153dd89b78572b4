import { type HostFiles, readHostText } from '../host/host-files.ts';
import { failed, type HostCheck, passed, weakened } from './host-check.ts';

/** Capabilities that the agent uses, by their bit (Linux `capability.h`), and what is lost without each. */
const CAPABILITIES = [
  { name: 'CAP_DAC_READ_SEARCH', bit: 2n, lost: 'files of other owners cannot be read' },
  { name: 'CAP_SYS_PTRACE', bit: 19n, lost: 'roots and namespaces of the processes of containers cannot be read' },
  { name: 'CAP_SYS_ADMIN', bit: 21n, lost: 'trusted.overlay.* and fanotify do not work' },
] as const;

/** Says whether this process may read what the agent reads, by the effective capabilities in its own status file. */
export function checkPermissions(files: HostFiles): HostCheck {
  const id = 'permissions';
  const text = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(readHostText(files, '/proc/self/status') ?? '')?.[1];
  if (text === undefined) {
    return failed(id, '/proc/self/status does not tell what this process may do', 'mount /proc');
  }
  const missing = CAPABILITIES.filter(({ bit }) => ((BigInt(`0x${text}`) >> bit) & 1n) === 0n);
  if (missing.length === 0) return passed(id, 'this process has the capabilities that the agent needs');
  const detail = missing.map(({ name, lost }) => `without ${name} ${lost}`).join('; ');
  return failed(id, detail, 'run it as root, or give the process these capabilities');
}

const INIT_PID = '/proc/1/mountinfo';

/** Says whether the processes of the host are seen: with a process namespace or `hidepid` of its own they are not. */
export function checkProcesses(files: HostFiles): HostCheck {
  const id = 'processes';
  const ids = files.list('/proc').filter(({ name }) => /^\d+$/.test(name)).length;
  if (files.read(INIT_PID, 16 * 1024 * 1024) === undefined) {
    const fix =
      'run it as root; in a container that shares the process ids of the host (hostPID); mount /proc without hidepid';
    return failed(id, `${INIT_PID} cannot be read, so mounts of containers are not seen`, fix);
  }
  const kthreadd = readHostText(files, '/proc/2/comm');
  if (kthreadd === 'kthreadd') return passed(id, `the processes of the host are seen (${ids})`);
  return weakened(
    id,
    `${ids} processes are seen and no kernel thread among them: this may be a process namespace of its own`,
    'in a container, share the process ids of the host (hostPID); a machine that is itself a container has no others',
  );
}
