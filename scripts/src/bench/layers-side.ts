import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { digestDirectory, proveLayer } from '@holdfast/agent';

/** One layer, as a blob and unpacked. */
export interface LayerInput {
  readonly blobPath: string;
  readonly mediaType: string;
  readonly digest: string;
  readonly diffId: string;
  readonly directory: string;
}

export type LayerTask = 'proof' | 'bareProof' | 'scrub' | 'bareScrub';

/** Work of one side, in a process of its own that is bound to one core; gives milliseconds for each task it is sent. */
if (process.send !== undefined) {
  process.on('message', (message: { task: LayerTask; input: LayerInput }) => {
    const start = performance.now();
    void runTask(message.task, message.input).then(
      () => process.send?.({ ms: performance.now() - start }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
}

async function runTask(task: LayerTask, input: LayerInput): Promise<void> {
  if (task === 'proof') {
    const { proof, differences } = await proveLayer({ ...input, lowers: [], blob: { path: input.blobPath } });
    if (proof !== 'content') throw new Error(`the layer is not what its blob says: ${JSON.stringify(differences)}`);
  } else if (task === 'scrub') digestDirectory(input.directory);
  else if (task === 'bareScrub') hashFiles(input.directory);
  else {
    hashBlob(input);
    hashFiles(input.directory);
  }
}

/** The whole blob at once in memory: no stream is faster on one core. */
function hashBlob({ blobPath, digest, diffId }: LayerInput): void {
  const blob = readFileSync(blobPath);
  const tar = gunzipSync(blob, { chunkSize: 1 << 20, maxOutputLength: 2 ** 31 });
  for (const [bytes, expected] of [
    [blob, digest],
    [tar, diffId],
  ] as const) {
    const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (actual !== expected) throw new Error('the blob is not what its digest says');
  }
}

const READ_BUFFER = Buffer.allocUnsafe(1 << 20);

/** Opens, reads and hashes every regular file, and nothing else: no stat, no attributes, no order, no new memory. */
function hashFiles(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) hashFiles(path);
    else if (entry.isFile()) hashFile(path);
  }
}

function hashFile(path: string): Buffer {
  const file = openSync(path, 'r');
  const digest = createHash('sha256');
  let bytes = READ_BUFFER.length;
  // A read that gives less than the buffer holds was the last one of a regular file.
  while (bytes === READ_BUFFER.length) {
    bytes = readSync(file, READ_BUFFER);
    digest.update(READ_BUFFER.subarray(0, bytes));
  }
  closeSync(file);
  return digest.digest();
}
