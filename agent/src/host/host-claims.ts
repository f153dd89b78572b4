import { hash } from 'node:crypto';
import type { HostClaims } from '@holdfast/evidence';
import { type HostFiles, readHostText } from './host-files.ts';

/** What firmware and CPU say of themselves; null where it could not be asked. */
export interface HardwareFacts {
  system: { vendor: string; model: string; serial: string } | null;
  bios: { vendor: string; version: string; date: string } | null;
  cpu: { vendor: string; brand: string; cores: number } | null;
}

const MAX_LABEL = 256;

/**
 * Makes the `host` claims-set (design §4.3): facts that help a responder, none of which anything is decided by. Serial
 * number and machine-id appear as SHA-256 only.
 */
export function collectHostClaims(
  files: HostFiles,
  kubeNode: string,
  hardware: HardwareFacts,
  runtimes: { name: string; version: string }[],
): HostClaims {
  const { system, bios, cpu } = hardware;
  return {
    type: 'host',
    kubeNode,
    machineId: hashOrNull(readHostText(files, '/etc/machine-id', 128)),
    vendor: labelOrNull(system?.vendor),
    model: labelOrNull(system?.model),
    serial: hashOrNull(labelOrNull(system?.serial) ?? undefined),
    cpu: cpu && labelOrNull(cpu.brand) ? { vendor: clip(cpu.vendor), brand: clip(cpu.brand), cores: cpu.cores } : null,
    bios: bios && labelOrNull(bios.vendor) ? mapClip(bios) : null,
    os: readOsRelease(files),
    kernelRelease: readHostText(files, '/proc/sys/kernel/osrelease', MAX_LABEL) ?? 'unknown',
    runtimes: runtimes.map(({ name, version }) => ({ name: clip(name), version: clip(version) })),
  };
}

function readOsRelease(files: HostFiles): HostClaims['os'] {
  const text = readHostText(files, '/etc/os-release') ?? readHostText(files, '/usr/lib/os-release');
  if (text === undefined) return null;
  const fields = new Map(text.split('\n').flatMap(parseAssignment));
  const id = fields.get('ID');
  if (id === undefined) return null;
  return {
    id: clip(id),
    versionId: clip(fields.get('VERSION_ID') ?? ''),
    prettyName: clip(fields.get('PRETTY_NAME') ?? ''),
  };
}

function parseAssignment(line: string): [string, string][] {
  const match = /^([A-Z0-9_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line);
  return match?.[1] === undefined ? [] : [[match[1], match[2] ?? match[3] ?? match[4] ?? '']];
}

/** systeminformation writes an empty text or a dash where it knows nothing. */
function labelOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' || text === '-' ? null : clip(text);
}

function hashOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : hash('sha256', text);
}

function mapClip(bios: { vendor: string; version: string; date: string }): HostClaims['bios'] {
  return { vendor: clip(bios.vendor), version: clip(bios.version), date: clip(bios.date) };
}

function clip(text: string): string {
  return text.slice(0, MAX_LABEL);
}
