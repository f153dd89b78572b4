import { type HostFiles, readHostTexts } from '../host/host-files.ts';

/** Version of the list below; it changes whenever a name enters or leaves. */
export const SYSCTL_SET = 'holdfast-sysctl-2';

const MAX_VALUES = 2_000;
const MAX_VALUE_BYTES = 4_096;
const MAX_DEPTH = 5;

/** Whole directories below /proc/sys. */
const TREES = ['kernel', 'user', 'vm'];

/** Names and directories of the trees that move by themselves, cannot be read without effect, or repeat other claims. */
const EXCLUDED = new Set([
  'kernel/random',
  'kernel/ns_last_pid',
  'kernel/pty/nr',
  'kernel/perf_event_max_sample_rate',
  'kernel/sched_domain',
  'kernel/hung_task_detect_count',
  'kernel/hung_task_warnings',
  'kernel/tainted',
  'vm/stat_refresh',
  'vm/compact_memory',
  'vm/drop_caches',
  'vm/numa_stat',
]);

const FS_NAMES = ['protected_fifos', 'protected_hardlinks', 'protected_regular', 'protected_symlinks', 'suid_dumpable'];

const DEV_NAMES = ['tty/ldisc_autoload', 'tty/legacy_tiocsti'];

/** Per interface; only `all` and `default` are claimed, as interfaces come and go with containers. */
const NET_CONF_NAMES: Record<'ipv4' | 'ipv6', string[]> = {
  ipv4: [
    'accept_redirects',
    'accept_source_route',
    'arp_ignore',
    'forwarding',
    'log_martians',
    'route_localnet',
    'rp_filter',
    'secure_redirects',
    'send_redirects',
    'shared_media',
  ],
  ipv6: ['accept_ra', 'accept_redirects', 'accept_source_route', 'disable_ipv6', 'forwarding'],
};

const NET_NAMES = [
  'core/bpf_jit_enable',
  'core/bpf_jit_harden',
  'core/bpf_jit_kallsyms',
  'ipv4/icmp_echo_ignore_broadcasts',
  'ipv4/icmp_ignore_bogus_error_responses',
  'ipv4/ip_forward',
  'ipv4/ip_unprivileged_port_start',
  'ipv4/tcp_rfc1337',
  'ipv4/tcp_syncookies',
  'ipv4/tcp_timestamps',
];

/**
 * Reads the security-relevant kernel parameters (design §4.3) as raw text by dotted name. Parameters that this kernel does
 * not have are absent; `limits` names the set when it is cut.
 *
 * `net.*` is that of the network namespace of this process: run the agent in the host's.
 */
export function readSysctls(files: HostFiles): { sysctl: Record<string, string>; limits: string[] } {
  const sysctl: Record<string, string> = {};
  const paths = [...TREES.flatMap((tree) => listTree(files, tree, 1)), ...listNamed()];
  const asked = paths.slice(0, MAX_VALUES);
  const places = asked.map((path) => `/proc/sys/${path}`);
  for (const [at, text] of readHostTexts(files, places, MAX_VALUE_BYTES).entries()) {
    if (text !== undefined) sysctl[(asked[at] ?? '').replaceAll('/', '.')] = text;
  }
  return { sysctl, limits: paths.length > MAX_VALUES ? ['sysctl:entries'] : [] };
}

function listTree(files: HostFiles, directory: string, depth: number): string[] {
  if (depth > MAX_DEPTH) return [];
  return files.list(`/proc/sys/${directory}`).flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    if (EXCLUDED.has(path)) return [];
    return isDirectory ? listTree(files, path, depth + 1) : [path];
  });
}

function listNamed(): string[] {
  const conf = (['ipv4', 'ipv6'] as const).flatMap((family) =>
    ['all', 'default'].flatMap((scope) => NET_CONF_NAMES[family].map((name) => `net/${family}/conf/${scope}/${name}`)),
  );
  const dev = DEV_NAMES.map((name) => `dev/${name}`);
  return [...FS_NAMES.map((name) => `fs/${name}`), ...dev, ...NET_NAMES.map((name) => `net/${name}`), ...conf];
}
