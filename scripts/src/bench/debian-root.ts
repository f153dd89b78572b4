import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../world/run-tool.ts';
import type { BenchContext } from './bench-context.ts';

const SUITE = 'bookworm';
/** Brings some 540 packages, with Python, Node, Java and Ruby among them. */
const PACKAGES = 'python3-pip,python3-venv,nodejs,npm,openjdk-17-jre-headless,ruby,curl,git';

/** A tar of a Debian root with more than 500 packages, made once and kept in the cache. */
export async function cacheLargeRoot({ cache, say }: BenchContext): Promise<string> {
  const tar = join(cache, `debian-large-${SUITE}.tar`);
  if (await exists(tar)) return tar;
  say('building a Debian root of more than 500 packages (two minutes, once)');
  const part = `${tar}.part.tar`;
  await rm(part, { force: true });
  await runTool('mmdebstrap', ['--quiet', '--variant=minbase', `--include=${PACKAGES}`, SUITE, part]);
  await rename(part, tar);
  return tar;
}

/** Unpacks a tar with owners and attributes, as a runtime does. */
export async function unpackTar(tar: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const options = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--same-permissions'];
  await runTool('tar', [...options, '-C', directory, '-xf', tar]);
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
