import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { writeOciImage } from '../world/oci-image.ts';
import { runTool } from '../world/run-tool.ts';

/** An image as an OCI layout in the cache; `name` is what the runtime will call it. */
export interface BuiltImage {
  readonly layout: string;
  readonly tag: string;
  readonly name: string;
}

export interface QuickstartImages {
  readonly debian: BuiltImage;
  readonly busybox: BuiltImage;
  /** A real Debian package, to be installed into a running container later. */
  readonly package: { readonly file: string; readonly name: string };
}

const CACHE = join(CHECKOUT, '.cache/quickstart');
const SUITE = 'bookworm';
/** What a run needs but for the package data: change it when the way images are made changes. */
const RECIPE = 'recipe-3';
const ADDED_PACKAGE = 'hello';
/** Lies in the images and nowhere else: who changes files asks for it first, so as to be sure to be in a container. */
export const MARKER = '/etc/holdfast-quickstart';

/** Builds the images from Debian packages, or takes them from .cache/ where an earlier run left them. */
export async function buildImages(note: (text: string) => void): Promise<QuickstartImages> {
  await mkdir(CACHE, { recursive: true });
  const debian = await cacheImage('debian', note, async (work) => {
    const tar = join(work, 'root.tar');
    const mark = `--customize-hook=touch "$1${MARKER}"`;
    await runTool('mmdebstrap', ['--quiet', '--variant=minbase', mark, SUITE, tar]);
    return { tar: await readFile(tar) };
  });
  const busybox = await cacheImage('busybox', note, async (work) => ({ directory: await unpackBusybox(work) }));
  return { debian, busybox, package: { file: await fetchPackage(ADDED_PACKAGE), name: ADDED_PACKAGE } };
}

type Layer = { tar: Uint8Array } | { directory: string };

async function cacheImage(
  label: string,
  note: (text: string) => void,
  build: (work: string) => Promise<Layer>,
): Promise<BuiltImage> {
  const layout = join(CACHE, `${label}-${RECIPE}`);
  const image = { layout, tag: '1', name: `holdfast.local/quickstart/${label}:1` };
  if (await exists(join(layout, 'index.json'))) return image;
  note(`building the ${label} image from Debian packages`);
  const work = `${layout}.part`;
  await rm(work, { recursive: true, force: true });
  await mkdir(join(work, 'layout'), { recursive: true });
  const layer = await build(work);
  await writeOciImage(join(work, 'layout'), {
    name: image.name,
    layers: [layer],
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['/bin/sh'] },
  });
  await rm(layout, { recursive: true, force: true });
  await rename(join(work, 'layout'), layout);
  await rm(work, { recursive: true, force: true });
  return image;
}

/** A root of one package, described as images without a package manager do it: one file in status.d. */
async function unpackBusybox(work: string): Promise<string> {
  const file = await fetchPackage('busybox-static');
  const root = join(work, 'root');
  const database = join(root, 'var/lib/dpkg/status.d');
  await runTool('dpkg-deb', ['--extract', file, root]);
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'run', 'etc', 'root'])
    await mkdir(join(root, name), { recursive: true });
  await mkdir(database, { recursive: true });
  await writeFile(join(root, MARKER), '');
  const control = (await runTool('dpkg-deb', ['--field', file])).toString().trimEnd();
  await writeFile(join(database, 'busybox-static'), `${control}\n`);
  const sums = await runTool('sh', ['-c', 'dpkg-deb --ctrl-tarfile "$1" | tar -xO ./md5sums', 'sh', file]);
  await writeFile(join(database, 'busybox-static.md5sums'), sums);
  await runTool('ln', ['-s', 'busybox', join(root, 'bin/sh')]);
  await runTool('ln', ['-s', 'busybox', join(root, 'bin/sleep')]);
  return root;
}

/** Downloads one package with apt, once; the cached file is checked against the hash that stands in its name. */
async function fetchPackage(name: string): Promise<string> {
  const folder = join(CACHE, 'packages');
  await mkdir(folder, { recursive: true });
  for (const file of await readdir(folder)) {
    const [, digest] = file.match(new RegExp(`^${name}-([0-9a-f]{64})\\.deb$`)) ?? [];
    const path = join(folder, file);
    if (digest !== undefined && sha256(await readFile(path)) === digest) return path;
  }
  const work = join(folder, `${name}.part`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work);
  await runTool('sh', ['-c', 'cd "$1" && apt-get -qq -o APT::Sandbox::User=root download "$2"', 'sh', work, name]);
  const [downloaded] = await readdir(work);
  if (downloaded === undefined) throw new Error(`apt-get downloaded no ${name}`);
  const path = join(folder, `${name}-${sha256(await readFile(join(work, downloaded)))}.deb`);
  await rename(join(work, downloaded), path);
  await rm(work, { recursive: true });
  return path;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
