import { parseArgs } from 'node:util';

export interface UserImage {
  layout: string;
  sbom: string;
  key: string;
}

export interface QuickstartOptions {
  mode: 'run' | 'keep' | 'stop';
  json: boolean;
  image: UserImage | null;
  tpm: string | null;
  containerd: string | null;
}

/** Wrong use of the command line; the message says how to do it right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a person named cannot be used; the message says why. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

export function parseOptions(argv: readonly string[]): QuickstartOptions {
  const values = readFlags(argv);
  if (values.keep && values.stop) throw new UsageError('--keep and --stop exclude each other');
  const given = [values.image, values.sbom, values.key].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3) throw new UsageError('--image, --sbom and --key go together');
  return {
    mode: values.stop ? 'stop' : values.keep ? 'keep' : 'run',
    json: values.json ?? false,
    image:
      values.image !== undefined && values.sbom !== undefined && values.key !== undefined
        ? { layout: values.image, sbom: values.sbom, key: values.key }
        : null,
    tpm: values.tpm ?? null,
    containerd: values.containerd ?? null,
  };
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        keep: { type: 'boolean' },
        stop: { type: 'boolean' },
        json: { type: 'boolean' },
        image: { type: 'string' },
        sbom: { type: 'string' },
        key: { type: 'string' },
        tpm: { type: 'string' },
        containerd: { type: 'string' },
      },
    }).values;
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
    throw new UsageError(`${text}; see scripts/quickstart --help`);
  }
}
