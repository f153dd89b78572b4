import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeOciImage } from '../world/oci-image.ts';
import type { BenchContext } from './bench-context.ts';
import { cacheLargeRoot, unpackTar } from './debian-root.ts';
import { atLeast, type Figure, note } from './figure.ts';
import type { LayerInput, LayerTask } from './layers-side.ts';
import { interleave, median, medianRatio } from './sampling.ts';

const MIB = 1024 * 1024;

/**
 * The proof of one layer (a Debian root of more than 500 packages) against the least that such a proof has to do, each
 * in a process bound to one and the same core. The bare side knows no tar: it compares nothing and looks at no owner,
 * mode, link or attribute. Both read from the page cache.
 */
export async function benchLayers(context: BenchContext): Promise<Figure[]> {
  const input = await makeLayer(context);
  const [ours, bare] = [startSide(context), startSide(context)];
  context.say('first proof and re-scrub against the bare loops');
  const times = await interleave(
    {
      proof: () => runTask(ours, 'proof', input),
      bareProof: () => runTask(bare, 'bareProof', input),
      scrub: () => runTask(ours, 'scrub', input),
      bareScrub: () => runTask(bare, 'bareScrub', input),
    },
    5,
  );
  const { size } = await stat(input.blobPath);
  return [
    atLeast(0.6, 'first proof against gunzip, SHA-256 and reading', medianRatio(times.bareProof, times.proof), '×'),
    atLeast(0.7, 're-scrub against reading and hashing', medianRatio(times.bareScrub, times.scrub), '×'),
    note('first proof', median(times.proof), 'ms'),
    note('bare gunzip, SHA-256 and reading', median(times.bareProof), 'ms'),
    note('re-scrub', median(times.scrub), 'ms'),
    note('bare reading and hashing', median(times.bareScrub), 'ms'),
    note('compressed layer', size / MIB, 'MiB'),
  ];
}

async function makeLayer(context: BenchContext): Promise<LayerInput> {
  const tar = await cacheLargeRoot(context);
  context.say('making the layer and unpacking it');
  const layout = join(context.directory, 'layout');
  const image = await writeOciImage(layout, { name: 'bench:1', layers: [{ tar: await readFile(tar) }] });
  const [layer] = image.layers;
  if (layer === undefined) throw new TypeError('a layer was asked for');
  const directory = join(context.directory, 'lower');
  await unpackTar(tar, directory);
  const blobPath = join(layout, 'blobs/sha256', layer.digest.replace('sha256:', ''));
  return { ...layer, blobPath, directory };
}

/** On the last core: the first one gets more of the kernel's own work. */
function startSide(context: BenchContext): MeasuredProcess {
  const script = fileURLToPath(new URL('layers-side.ts', import.meta.url));
  const args = [
    '--cpu-list',
    String(cpus().length - 1),
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    script,
  ];
  const child = spawn('taskset', args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  context.defer(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit');
  });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the measured process ended')));
  ended.catch(() => undefined);
  return { child, ended };
}

interface MeasuredProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<never>;
}

async function runTask({ child, ended }: MeasuredProcess, task: LayerTask, input: LayerInput): Promise<number> {
  child.send({ task, input });
  const [answer]: unknown[] = await Promise.race([once(child, 'message'), ended]);
  if (typeof answer !== 'object' || answer === null) throw new TypeError('no answer');
  if ('ms' in answer && typeof answer.ms === 'number') return answer.ms;
  throw new Error('error' in answer ? String(answer.error) : 'no answer');
}
