import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../world/run-tool.ts';
import { cached, keyOf } from './cache.ts';
import type { GuestKernel } from './guest-kernel.ts';

export interface BootDiskOptions {
  readonly kernel: GuestKernel;
  readonly commandLine: string;
  /** Signed with the key that the firmware variables trust, or not at all. */
  readonly signed: boolean;
}

export interface BootDisk {
  /** The unified kernel image. */
  readonly uki: string;
  /** FAT file system with the image where firmware looks for it. */
  readonly disk: string;
}

const STUB = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';
/** Made for tests and published with the firmware, its password too. */
const KEY = '/usr/share/ovmf/PkKek-1-snakeoil.key';
const CERTIFICATE = '/usr/share/ovmf/PkKek-1-snakeoil.pem';
const RECIPE = '2';

/** Makes a unified kernel image of systemd's stub, kernel and command line, and a disk to boot it from. Cached. */
export async function openBootDisk(options: BootDiskOptions): Promise<BootDisk> {
  const key = keyOf(RECIPE, options.kernel.release, options.commandLine, String(options.signed));
  const uki = await cached('uki', key, async (path) => await makeImage(path, options));
  const disk = await cached('esp', key, async (path) => await makeDisk(path, uki));
  return { uki, disk };
}

async function makeImage(path: string, { kernel, commandLine, signed }: BootDiskOptions): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'hfvm-uki-'));
  try {
    const release = join(scratch, 'osrel');
    const cmdline = join(scratch, 'cmdline');
    const initrd = join(scratch, 'initrd');
    const unsigned = join(scratch, 'unsigned.efi');
    await writeFile(release, 'ID=holdfast-guest\nPRETTY_NAME="Guest of scripts/test-vm"\n');
    // Editors end files with a line end; the stub takes it off.
    await writeFile(cmdline, `${commandLine}\n`);
    await writeFile(initrd, makeArchive('holdfast-guest', 'measured, and of no use\n'));
    const sections = [
      { name: '.osrel', file: release, address: '0x20000' },
      { name: '.cmdline', file: cmdline, address: '0x30000' },
      { name: '.initrd', file: initrd, address: '0x40000' },
      { name: '.linux', file: kernel.image, address: '0x2000000' },
    ].flatMap(({ name, file, address }) => [
      '--add-section',
      `${name}=${file}`,
      '--change-section-vma',
      `${name}=${address}`,
    ]);
    await runTool('objcopy', [...sections, STUB, unsigned]);
    if (!signed) {
      await runTool('cp', [unsigned, path]);
      return;
    }
    const key = join(scratch, 'key.pem');
    await runTool('openssl', ['rsa', '-in', KEY, '-passin', 'pass:snakeoil', '-out', key]);
    await runTool('sbsign', ['--key', key, '--cert', CERTIFICATE, '--output', path, unsigned]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** An archive (cpio, newc) with one file and no init, so that the kernel goes on to its root as if there were none. */
function makeArchive(name: string, content: string): string {
  const entry = (path: string, body: string, mode: number): string => {
    const fields = [0, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, path.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
    return pad(head) + pad(body);
  };
  return entry(name, content, 0o100644) + entry('TRAILER!!!', '', 0);
}

function pad(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, '\0');
}

async function makeDisk(path: string, uki: string): Promise<void> {
  await runTool('truncate', ['-s', '55M', path]);
  await runTool('mkfs.vfat', ['-F', '32', path]);
  await runTool('mmd', ['-i', path, '::/EFI', '::/EFI/BOOT']);
  await runTool('mcopy', ['-i', path, uki, '::/EFI/BOOT/BOOTX64.EFI']);
}
