import { createHash, hash } from 'node:crypto';
import { type JsonValue, parseStrictJson } from '@holdfast/evidence';
import { readInteger, readList, readMember, readString, readStrings } from './json-value.ts';

/** What the agent reads of an OCI runtime specification: the runtime's word for how it started the container. */
export interface OciSpec {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly env: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Sorted union of every set: what a process can have at all. */
  readonly capabilities: readonly string[];
  readonly apparmor: string | undefined;
  readonly selinux: string | undefined;
  readonly readonlyRootfs: boolean;
  /** Destinations, as written. */
  readonly mountPoints: readonly string[];
  /** Paths that the runtime covers or makes read-only by mounts of its own. */
  readonly coveredPaths: readonly string[];
  /** Ids inside are others outside. */
  readonly hasUserNamespace: boolean;
  /** `unconfined`, or the digest of the filter. */
  readonly seccomp: string;
  /** Where the runtime puts its cgroup. */
  readonly cgroupsPath: string | undefined;
  readonly allowsAllDevices: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

const LIMITS = { maxBytes: 16 << 20, maxDepth: 64, maxKeys: 500_000 };

/** Reads specifications and remembers the answers by their bytes: the same ones come with every list. */
export class OciSpecs {
  #known = new Map<string, OciSpec>();
  #inUse = new Map<string, OciSpec>();

  /** As `parseOciSpec`. */
  parse(bytes: Uint8Array): OciSpec {
    const digest = hash('sha256', bytes, 'base64');
    const spec = this.#inUse.get(digest) ?? this.#known.get(digest) ?? parseOciSpec(bytes);
    this.#inUse.set(digest, spec);
    return spec;
  }

  /** Forgets those that were not asked for since the last call. */
  endList(): void {
    this.#known = this.#inUse;
    this.#inUse = new Map();
  }
}

/** Reads a specification as JSON bytes. Throws `EvidenceError` when they are no JSON; missing members read as empty. */
export function parseOciSpec(bytes: Uint8Array): OciSpec {
  const spec = parseStrictJson(bytes, LIMITS);
  const process = readMember(spec, 'process');
  const linux = readMember(spec, 'linux');
  return {
    args: readStrings(readMember(process, 'args')),
    cwd: readString(readMember(process, 'cwd')) ?? '',
    user: formatUser(readMember(process, 'user')),
    env: readStrings(readMember(process, 'env')),
    noNewPrivileges: readMember(process, 'noNewPrivileges') === true,
    capabilities: readCapabilities(readMember(process, 'capabilities')),
    apparmor: readString(readMember(process, 'apparmorProfile')) || undefined,
    selinux: readString(readMember(process, 'selinuxLabel')) || undefined,
    readonlyRootfs: readMember(spec, 'root', 'readonly') === true,
    mountPoints: readList(readMember(spec, 'mounts')).flatMap(
      (mount) => readString(readMember(mount, 'destination')) ?? [],
    ),
    coveredPaths: [
      ...readStrings(readMember(linux, 'maskedPaths')),
      ...readStrings(readMember(linux, 'readonlyPaths')),
    ],
    hasUserNamespace: usesUserNamespace(linux),
    seccomp: formatSeccomp(readMember(linux, 'seccomp')),
    cgroupsPath: readString(readMember(linux, 'cgroupsPath')) || undefined,
    allowsAllDevices: readList(readMember(linux, 'resources', 'devices')).some(allowsEveryDevice),
    annotations: readAnnotations(readMember(spec, 'annotations')),
  };
}

/** A namespace of its own with mappings, or one that somebody else made. */
function usesUserNamespace(linux: JsonValue | undefined): boolean {
  const isMapped = ['uidMappings', 'gidMappings'].some((name) => readList(readMember(linux, name)).length > 0);
  return isMapped || readList(readMember(linux, 'namespaces')).some((row) => readMember(row, 'type') === 'user');
}

function formatUser(user: JsonValue | undefined): string {
  const name = readString(readMember(user, 'username'));
  return name || `${readInteger(readMember(user, 'uid')) ?? 0}:${readInteger(readMember(user, 'gid')) ?? 0}`;
}

function readCapabilities(sets: JsonValue | undefined): string[] {
  const names = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'];
  return [...new Set(names.flatMap((name) => readStrings(readMember(sets, name))))].sort();
}

function formatSeccomp(filter: JsonValue | undefined): string {
  if (filter === undefined || filter === null) return 'unconfined';
  return `sha256:${createHash('sha256').update(JSON.stringify(filter)).digest('hex')}`;
}

function allowsEveryDevice(rule: JsonValue): boolean {
  const isAny = (name: string) => {
    const value = readMember(rule, name);
    return value === undefined || value === null || value === 'a' || value === '';
  };
  const access = readString(readMember(rule, 'access')) ?? '';
  return (
    readMember(rule, 'allow') === true && isAny('type') && isAny('major') && isAny('minor') && access.includes('w')
  );
}

function readAnnotations(value: JsonValue | undefined): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const pairs = Object.entries(value).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : []));
  return Object.fromEntries(pairs);
}
