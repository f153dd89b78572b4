import { EvidenceError } from '@holdfast/evidence/inventory';

/** Bytes of a package database that no program of the trade writes so. */
export function malformedDatabase(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `package database: ${what}`);
}

/**
 * Hands out each page of a database once. A page that is reached twice is a loop, or one content that stands for many:
 * both are malformed, and all work stays in proportion to the size of the file.
 */
export class PageBudget {
  readonly #seen = new Set<number>();
  readonly #pageCount: number;
  #bytesLeft: number;

  constructor(pageCount: number, bytes: number) {
    this.#pageCount = pageCount;
    this.#bytesLeft = bytes;
  }

  /** Counts content that was read. Throws `EvidenceError` where it is more than the file holds: then some of it overlaps. */
  spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw malformedDatabase('more content than the file holds');
  }

  /** Throws `EvidenceError` for a page that was taken before, or is none of this file; `first` is the lowest number. */
  take(page: number, first: number): void {
    if (page < first || page - first >= this.#pageCount) throw malformedDatabase('a page beyond the end');
    if (this.#seen.has(page)) throw malformedDatabase('a page that is used twice');
    this.#seen.add(page);
  }
}
