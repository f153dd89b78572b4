import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { runTool } from '../world/run-tool.ts';
import type { BenchContext } from './bench-context.ts';

const SOURCES = [
  'proto/src',
  'evidence/src',
  'agent/src',
  'verifier/src',
  'cli/src',
  'native',
  'package-lock.json',
  'scripts/build',
  'scripts/src/bundle',
  'tsconfig.build.json',
];

/** The command as the image has it: dist/, built anew by scripts/build where a source is younger. */
export async function buildHoldfast({ say }: BenchContext): Promise<string> {
  const command = join(CHECKOUT, 'dist/bin/holdfast');
  const built = await stat(command).catch(() => null);
  const younger = await findYounger(built?.mtimeMs ?? 0);
  if (younger !== '') {
    say(`building dist/ (${younger} is younger)`);
    await runTool(join(CHECKOUT, 'scripts/build'), []);
  }
  return command;
}

async function findYounger(thanMs: number): Promise<string> {
  const paths = SOURCES.map((path) => join(CHECKOUT, path));
  const filter = [
    '-type',
    'f',
    '-not',
    '-path',
    '*/build/*',
    '-not',
    '-name',
    '*.test.ts',
    '-newermt',
    `@${thanMs / 1000}`,
    '-print',
    '-quit',
  ];
  return (await runTool('find', [...paths, ...filter])).toString().trim();
}
