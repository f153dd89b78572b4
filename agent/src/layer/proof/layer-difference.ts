import { formatBytePath, toBytePath } from '@holdfast/evidence';

export type LayerDifferenceField =
  | 'extra'
  | 'missing'
  | 'type'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'target'
  | 'rdev'
  | 'sha256'
  | 'xattr'
  | 'opaque'
  | 'changed';

/** One difference; `expected` is what the layer's tar says, `actual` what lies in the directory. */
export interface LayerDifference {
  /** As `formatBytePath` writes it. */
  readonly path: string;
  readonly field: LayerDifferenceField;
  readonly expected: string | null;
  readonly actual: string | null;
}

/** Keeps the first differences and counts all. */
export class DifferenceList {
  readonly items: LayerDifference[] = [];
  count = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** True when further differences are only counted: what would be said of them need not be computed. */
  get isFull(): boolean {
    return this.items.length >= this.#max;
  }

  /** `path` is latin1 without the leading slash. */
  add(path: string, field: LayerDifferenceField, expected: string | null, actual: string | null): void {
    this.count += 1;
    if (this.isFull) return;
    const full = formatBytePath(toBytePath(Buffer.from(`/${path}`, 'latin1')));
    this.items.push({ path: full, field, expected, actual });
  }
}
