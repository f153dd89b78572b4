import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';

export interface BundleOptions {
  /** Where the sources lie. */
  readonly sources: string;
  /** Module that is run, from there. */
  readonly entry: string;
  /** Where the build lies, with the same modules as JavaScript. */
  readonly directory: string;
  /** File to write, from there. */
  readonly out: string;
}

/** Modules of one file go by where they would lie in the build. */
const META = `const metaOf = (id) => {
  const filename = require('node:path').join(__dirname, ROOT, id);
  return { filename, dirname: require('node:path').dirname(filename), url: require('node:url').pathToFileURL(filename).href };
};`;

/**
 * Writes one CommonJS file that holds a module and all that it imports. What `import()` names stays where it is in the build and
 * is loaded from there. Throws for what does not resolve.
 */
export async function bundleCommand({ sources, entry, directory, out }: BundleOptions): Promise<void> {
  const root = relative(dirname(out), '') || '.';
  await build({
    absWorkingDir: sources,
    entryPoints: [entry],
    outfile: join(directory, out),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    legalComments: 'none',
    logLevel: 'silent',
    banner: { js: META.replace('ROOT', JSON.stringify(root)) },
    plugins: [keepPlaces(sources, dirname(out))],
  });
}

function keepPlaces(sources: string, from: string): Plugin {
  const toBuilt = (path: string) => relative(sources, path).replace(/\.ts$/, '.js');
  return {
    name: 'places',
    setup: (builder) => {
      builder.onResolve({ filter: /./ }, async ({ kind, path, importer, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const found = await builder.resolve(path, { kind: 'import-statement', importer, resolveDir });
        if (found.errors.length > 0) return { errors: found.errors };
        if (found.external) return { path: found.path, external: true };
        const place = relative(from, toBuilt(found.path));
        return { path: place.startsWith('.') ? place : `./${place}`, external: true };
      });
      builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        if (!text.includes('import.meta')) return undefined;
        const contents = text.replaceAll(/\bimport\.meta\b/g, `metaOf(${JSON.stringify(toBuilt(path))})`);
        return { loader: 'ts', contents: `declare function metaOf(id: string): ImportMeta;\n${contents}` };
      });
    },
  };
}
