import { createHash } from 'node:crypto';
import { type MountClaims, type ProcessClaims, type SecurityClaims, trimEndOf } from '@holdfast/evidence';
import type { ImageConfig } from './image-config.ts';
import type { MountInfo } from './mountinfo.ts';
import type { OciSpec } from './oci-spec.ts';
import { formatForeignPath } from './path-format.ts';

/**
 * How the first process was started, and whether that is the image's own way: its entry point and command word for word.
 * Values of the environment are never told, only their names, which of them have the image's own value, and one digest over
 * the sorted `NAME=value` lines.
 */
export function createProcessClaims(spec: OciSpec, config: ImageConfig | undefined): ProcessClaims {
  const env = spec.env.toSorted();
  return {
    args: [...spec.args],
    cwd: spec.cwd,
    user: spec.user,
    envNames: env.map(readName),
    envDigest: createHash('sha256').update(env.join('\n')).digest('hex'),
    argsFrom: config === undefined ? 'unknown' : isImageCommand(spec, config) ? 'image' : 'pod',
    ...(config === undefined ? {} : { imageEnvNames: listImageNames(env, config) }),
  };
}

function listImageNames(env: readonly string[], config: ImageConfig): string[] {
  const lines = new Set(config.env);
  return env.filter((line) => lines.has(line)).map(readName);
}

function readName(line: string): string {
  return line.replace(/=[\s\S]*/, '');
}

function isImageCommand(spec: OciSpec, config: ImageConfig): boolean {
  const expected = [...config.entrypoint, ...config.cmd];
  return expected.length === spec.args.length && expected.every((arg, at) => arg === spec.args[at]);
}

/** What confines the container, by its specification. Privileged: may administer the system and reach every device. */
export function createSecurityClaims(spec: OciSpec): SecurityClaims {
  return {
    privileged: spec.capabilities.includes('CAP_SYS_ADMIN') && spec.allowsAllDevices,
    readonlyRootfs: spec.readonlyRootfs,
    noNewPrivileges: spec.noNewPrivileges,
    userNamespace: spec.hasUserNamespace,
    seccomp: spec.seccomp,
    apparmor: spec.apparmor ?? null,
    selinux: spec.selinux ?? null,
    capabilities: [...spec.capabilities],
  };
}

export interface SeenMounts {
  /** Mount table of the first process. */
  readonly mounts: readonly MountInfo[];
  /** Mounts of other mount namespaces of the container. */
  readonly otherMounts: readonly MountInfo[];
  /** Mount points at which the image has something. */
  readonly covered: ReadonlySet<string>;
}

/**
 * What is mounted over the root file system, in the kernel's order, then what other mount namespaces add: a mount is in the
 * specification when the runtime was told to make it, at that place or as a covered path, and the first process has it.
 */
export function createMountClaims(
  { mounts, otherMounts, covered }: SeenMounts,
  spec: OciSpec | undefined,
): MountClaims[] {
  const known = new Set([...(spec?.mountPoints ?? []), ...(spec?.coveredPaths ?? [])].map(normalise));
  const create = (mount: MountInfo, inSpec: boolean): MountClaims => ({
    path: formatForeignPath(mount.mountPoint),
    fsType: formatForeignPath(mount.fsType),
    source: formatSource(mount),
    readonly: mount.readonly,
    inSpec,
    coversImage: covered.has(mount.mountPoint),
  });
  return [
    ...mounts.filter((mount) => mount.mountPoint !== '/').map((mount) => create(mount, known.has(mount.mountPoint))),
    ...otherMounts.map((mount) => create(mount, false)),
  ];
}

/** As findmnt writes it: what is mounted, and which directory of it where that is not all. */
function formatSource({ source, root }: MountInfo): string {
  const text = formatForeignPath(source);
  return root === '/' ? text : `${text}[${formatForeignPath(root)}]`;
}

/** The specification is UTF-8 and may end in a slash; the kernel's table is bytes and never does. */
function normalise(path: string): string {
  const bytes = Buffer.from(path).toString('latin1');
  return bytes.length > 1 ? trimEndOf(bytes, '/').replace(/\/{2,}/g, '/') : bytes;
}
