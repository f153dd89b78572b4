import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../integration/layer-fixtures.ts';

const CACHE = join(import.meta.dirname, '../../.cache/test-roots');
const INCLUDED = ['python3-pip', 'python3-venv', 'nodejs', 'npm', 'openjdk-17-jre-headless', 'ruby'];

/** Path of the tar of a Debian root with five languages: minutes to make, made once. */
export async function cacheLanguageRoot(): Promise<string> {
  const tar = join(CACHE, 'bookworm-languages.tar');
  const isThere = await access(tar).then(
    () => true,
    () => false,
  );
  if (isThere) return tar;
  await mkdir(CACHE, { recursive: true });
  const part = join(CACHE, `part-${process.pid}.tar`);
  const include = `--include=${INCLUDED.join(',')}`;
  await run('mmdebstrap', ['--quiet', '--variant=minbase', include, 'bookworm', part], { maxBuffer: 1 << 26 });
  await rename(part, tar);
  return tar;
}
