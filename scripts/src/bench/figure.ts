/** One measured value, and the bar that it is held against where there is one (design §11). */
export interface Figure {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  /** Null exactly where `bar` is. */
  readonly pass: boolean | null;
  /** Which side of the bar is good; for people. */
  readonly rule: 'least' | 'most' | null;
}

/** A figure that passes at its bar and above. */
export function atLeast(bar: number, metric: string, value: number, unit: string): Figure {
  return { metric, value: round(value), unit, bar, pass: value >= bar, rule: 'least' };
}

/** A figure that passes at its bar and below. */
export function atMost(bar: number, metric: string, value: number, unit: string): Figure {
  return { metric, value: round(value), unit, bar, pass: value <= bar, rule: 'most' };
}

/** A figure without a bar. */
export function note(metric: string, value: number, unit: string): Figure {
  return { metric, value: round(value), unit, bar: null, pass: null, rule: null };
}

/** Four significant digits; what lies beyond is noise. */
function round(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError('a figure must be a number');
  return Number(value.toPrecision(4));
}
