import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { runTool } from '../world/run-tool.ts';
import { cached, keyOf } from './cache.ts';
import type { GuestKernel } from './guest-kernel.ts';

/** What dist/ is made of, and what the root adds. */
const SOURCES = [
  'proto',
  'evidence',
  'agent',
  'verifier',
  'cli',
  'native',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build',
  'scripts/src/vm/guest-init',
  'scripts/src/vm/guest-root.ts',
];
/** In the order in which they are loaded; everything else that the guest needs is built in. */
const MODULES = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci',
  'net/core/failover',
  'drivers/net/net_failover',
  'drivers/net/virtio_net',
  'fs/efivarfs/efivarfs',
];
const APPLETS = 'sh mount umount insmod ip ls echo cat dirname readlink kill sync sleep reboot poweroff'.split(' ');
/** Loaded by name at run time, so that no program lists them. */
const DEVICE_TCTI = '/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0';
const SIZE = '320M';

/** Makes the guest's root disk: busybox, dist/ with its own Node, their libraries, modules for the network. Cached. */
export async function openGuestRoot(kernel: GuestKernel, note: (text: string) => void): Promise<string> {
  const key = keyOf(kernel.release, await hashSources());
  return await cached(
    'root',
    key,
    async (path) => {
      note('building dist/ and the root disk of the guest');
      await runTool(join(CHECKOUT, 'scripts/build'), []);
      const tree = await mkdtemp(join(tmpdir(), 'hfvm-root-'));
      try {
        await fillTree(tree, kernel);
        await runTool('mke2fs', ['-q', '-t', 'ext4', '-m', '0', '-E', 'lazy_itable_init=0', '-d', tree, path, SIZE]);
      } finally {
        await rm(tree, { recursive: true, force: true });
      }
    },
    { only: true },
  );
}

async function hashSources(): Promise<string> {
  const args = ['-C', CHECKOUT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...SOURCES];
  const names = (await runTool('git', args)).toString().split('\0').filter(Boolean).sort();
  const parts: (string | Uint8Array)[] = [];
  for (const name of names.filter((file) => !/\.test\.ts$|\.md$/.test(file))) {
    parts.push(name, await readFile(join(CHECKOUT, name)).catch(() => 'deleted'));
  }
  return keyOf(...parts);
}

async function fillTree(tree: string, kernel: GuestKernel): Promise<void> {
  const folders = ['bin', 'sbin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'run', 'state', 'opt', 'lib/modules'];
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true });
  await copyFile('/usr/bin/busybox', join(tree, 'bin/busybox')).catch(
    async () => await copyFile('/bin/busybox', join(tree, 'bin/busybox')),
  );
  for (const applet of APPLETS) await symlink('busybox', join(tree, 'bin', applet));
  await copyFile(join(CHECKOUT, 'scripts/src/vm/guest-init'), join(tree, 'sbin/init'));
  await chmod(join(tree, 'sbin/init'), 0o755);
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  await writeFile(join(tree, 'etc/os-release'), 'ID=holdfast-guest\nPRETTY_NAME="Guest of scripts/test-vm"\n');
  await runTool('cp', ['-a', join(CHECKOUT, 'dist'), join(tree, 'opt/holdfast')]);
  await copyLibraries(tree);
  for (const module of MODULES) {
    const name = `${module.slice(module.lastIndexOf('/') + 1)}.ko`;
    await copyFile(join(kernel.modules, `${module}.ko`), join(tree, 'lib/modules', name));
  }
  const order = MODULES.map((module) => module.slice(module.lastIndexOf('/') + 1));
  await writeFile(join(tree, 'lib/modules/order'), `${order.join('\n')}\n`);
}

/** Copies what the dynamic linker loads for Node and the add-ons, to the paths where it looks for them. */
async function copyLibraries(tree: string): Promise<void> {
  const programs = [
    join(CHECKOUT, 'dist/bin/node'),
    join(CHECKOUT, 'dist/native/tpm2-tss-node/build/Release/tpm2_tss.node'),
    join(CHECKOUT, 'dist/native/rootfs/build/Release/rootfs.node'),
    DEVICE_TCTI,
  ];
  const libraries = new Set([DEVICE_TCTI]);
  for (const program of programs) {
    const lines = (await runTool('ldd', [program])).toString();
    for (const [, path] of lines.matchAll(/(?:=> )?(\/\S+) \(0x/g)) if (path !== undefined) libraries.add(path);
  }
  for (const library of libraries) {
    const path = join(tree, library);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(library, path);
  }
}
