import { checkInteger, checkOptions } from './arguments.ts';
import type { NativeSift } from './native.ts';
import { guard } from './rootfs-error.ts';

/** What of a survey stays. */
export interface SiftOptions {
  /** Ends of names that stay, in lower case; names count in any case. */
  readonly suffixes: readonly string[];
  /** What follows the last dot of names of which claimed files are left out without a look at them. */
  readonly quiet: Iterable<string>;
  /** Files of at least so many bytes stay where they have a bit for execution. */
  readonly minProgramBytes: number;
  /** Other files stay where nobody claims them and they begin with this, or cannot be read. */
  readonly magic: Buffer;
  /** Smaller ones do not begin with it. */
  readonly minBytes: number;
  /** Threads of the package that take part; none by default. */
  readonly helpers?: number;
}

/** For `TreeSurvey.tell`: looks at files that a survey lists, as far as they are of interest. Made by `RootHandle` only. */
export class SurveySift {
  readonly #native: NativeSift;

  constructor(native: NativeSift) {
    this.#native = native;
  }

  /** Takes a packed batch of the survey and gives what is left of earlier ones, but for files that have to be looked into. */
  take(batch: Buffer): Buffer {
    return guard(() => this.#native.take(batch));
  }

  /** After the last batch: what is left of those that were not done. */
  rest(): Buffer {
    return guard(() => this.#native.rest());
  }

  /** Then: files that had to be looked into, and stay. */
  heads(): Buffer {
    return guard(() => this.#native.heads());
  }
}

export function checkSiftOptions(options: SiftOptions) {
  checkOptions(options, ['suffixes', 'quiet', 'minProgramBytes', 'magic', 'minBytes', 'helpers']);
  if (!Buffer.isBuffer(options.magic)) throw new TypeError('magic must be a Buffer');
  return {
    suffixes: pack(options.suffixes),
    quiet: pack(options.quiet),
    minProgramBytes: checkInteger(options.minProgramBytes, 'minProgramBytes'),
    magic: options.magic,
    minBytes: checkInteger(options.minBytes, 'minBytes', options.magic.length),
    helpers: checkInteger(options.helpers ?? 0, 'helpers'),
  };
}

function pack(texts: Iterable<string>): Buffer {
  return Buffer.from([...texts].map((text) => `${text}\0`).join(''), 'latin1');
}
