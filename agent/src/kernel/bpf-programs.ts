import type { BpfProgram } from '@holdfast/evidence';
import type { HostFiles } from '../host/host-files.ts';

/** What was found, and the limits that were hit on the way. */
export interface BpfScan {
  readonly programs: BpfProgram[] | null;
  readonly limits: readonly string[];
}

const MAX_DESCRIPTORS = 100_000;
const MAX_PROGRAMS = 1_024;
const MAX_INFO_BYTES = 4_096;
/** Descriptors between two pauses, so that other work goes on. */
const SLICE = 500;
const HELD = new Set(['anon_inode:bpf-prog', 'anon_inode:bpf_link']);

/**
 * Lists the BPF programs that processes hold open, themselves or by a link, from /proc/PID/fd and fdinfo. Programs that
 * are only pinned in bpffs, or attached to a network device or control group and let go, have no descriptor and are not
 * seen: the bpf() system call, which would list them, is out of reach.
 */
export async function scanBpfPrograms(files: HostFiles, pause: () => Promise<void>): Promise<BpfScan> {
  // The first process always has open files: an empty list says that it may not be looked at.
  if (files.list('/proc/1/fd').length === 0) return { programs: null, limits: ['bpf:unreadable'] };
  const found = new Map<number, BpfProgram>();
  let seen = 0;
  for (const { name: pid } of files.list('/proc')) {
    if (!/^\d{1,10}$/.test(pid)) continue;
    for (const { name } of files.list(`/proc/${pid}/fd`)) {
      seen += 1;
      if (seen > MAX_DESCRIPTORS) return finish(found, ['bpf:descriptors']);
      if (seen % SLICE === 0) await pause();
      if (HELD.has(files.readLink(`/proc/${pid}/fd/${name}`) ?? '')) {
        const info = files.read(`/proc/${pid}/fdinfo/${name}`, MAX_INFO_BYTES);
        remember(found, info === undefined ? undefined : parseBpfInfo(info.toString('latin1')));
      }
    }
  }
  return finish(found, []);
}

/** Reads the description of a program or a link (Linux `bpf_prog_show_fdinfo`); undefined where it is neither. */
export function parseBpfInfo(text: string): BpfProgram | undefined {
  const fields = new Map(text.split('\n').map((line): [string, string] => splitField(line)));
  const [id, tag, type] = ['prog_id', 'prog_tag', 'prog_type'].map((name) => fields.get(name) ?? '');
  if (id === undefined || tag === undefined || type === undefined) return undefined;
  if (!isU32(id) || !/^[0-9a-f]{16}$/.test(tag)) return undefined;
  return { id: Number(id), type: isU32(type) ? Number(type) : null, tag };
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim()];
}

function isU32(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff;
}

/** A program says more of itself than a link to it does. */
function remember(found: Map<number, BpfProgram>, program: BpfProgram | undefined): void {
  if (program !== undefined && (found.get(program.id)?.type ?? null) === null) found.set(program.id, program);
}

function finish(found: ReadonlyMap<number, BpfProgram>, limits: readonly string[]): BpfScan {
  const programs = [...found.values()].sort((a, b) => a.id - b.id);
  const isCut = programs.length > MAX_PROGRAMS;
  return { programs: programs.slice(0, MAX_PROGRAMS), limits: isCut ? [...limits, 'bpf:entries'] : limits };
}
