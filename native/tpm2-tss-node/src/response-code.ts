import { FORMAT_ONE_NAMES, FORMAT_ZERO_NAMES, TSS_BASE_NAMES, WARNING_NAMES } from './response-names.ts';

/** Software or hardware layer that a TSS2_RC names (TSS 2.0 Overview, "Response codes"). */
export type RcLayer =
  | 'none'
  | 'tpm'
  | 'fapi'
  | 'esys'
  | 'sys'
  | 'mu'
  | 'tcti'
  | 'resmgr'
  | 'resmgr-tpm'
  | 'policy'
  | 'unknown';

/** What a format-one response code blames. */
export type RcTarget = 'handle' | 'parameter' | 'session';

/** A TSS2_RC taken apart. */
export interface ResponseCode {
  layer: RcLayer;
  name: string;
  target?: RcTarget;
  /** From 1; absent where the TPM did not say which one. */
  index?: number;
  retryable: boolean;
}

const LAYERS: Readonly<Record<number, RcLayer>> = {
  0: 'tpm',
  6: 'fapi',
  7: 'esys',
  8: 'sys',
  9: 'mu',
  10: 'tcti',
  11: 'resmgr',
  12: 'resmgr-tpm',
  13: 'policy',
};

/** Warnings after which the unchanged command may succeed: the TPM was busy, or some resource was taken. */
const RETRYABLE = new Set([
  'TPM_RC_RETRY',
  'TPM_RC_YIELDED',
  'TPM_RC_TESTING',
  'TPM_RC_CANCELED',
  'TPM_RC_NV_RATE',
  'TPM_RC_NV_UNAVAILABLE',
  'TPM_RC_OBJECT_MEMORY',
  'TPM_RC_SESSION_MEMORY',
  'TPM_RC_SESSION_HANDLES',
  'TPM_RC_MEMORY',
  'TPM_RC_CONTEXT_GAP',
]);

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Bits 8 (parameter), 9–11 (number) and 6 of a format-one code (TPM 2.0 Part 2, 6.6.2). */
function decodeFormatOne(code: number): Omit<ResponseCode, 'layer'> {
  const name = FORMAT_ONE_NAMES[code & 0x3f] ?? `TPM_RC_${hex(code & 0xbf)}`;
  const number = (code >> 8) & 0xf;
  if ((code & 0x40) !== 0) return withIndex(name, 'parameter', number);
  if (number >= 8) return withIndex(name, 'session', number - 8);
  return withIndex(name, 'handle', number);
}

function withIndex(name: string, target: RcTarget, index: number): Omit<ResponseCode, 'layer'> {
  if (index === 0) return target === 'handle' ? { name, retryable: false } : { name, target, retryable: false };
  return { name, target, index, retryable: false };
}

function decodeFormatZero(code: number): Omit<ResponseCode, 'layer'> {
  if ((code & 0x400) !== 0) return { name: `TPM_RC_VENDOR_${hex(code)}`, retryable: false };
  const table = (code & 0x800) === 0 ? FORMAT_ZERO_NAMES : WARNING_NAMES;
  const name = table[code & 0x7f] ?? `TPM_RC_${hex(code)}`;
  return { name, retryable: RETRYABLE.has(name) };
}

/**
 * Takes a TSS2_RC apart: layer (bits 16–23), then for TPM codes the symbolic name, the blamed handle, parameter or
 * session, and whether the unchanged command may succeed later. Total: an unknown code gets a name made of its number.
 * Spec: TPM 2.0 Part 2, 6.6 (TPM_RC); TSS 2.0 Overview and Common Structures, 3.4.
 */
export function decodeResponseCode(rc: number): ResponseCode {
  if (rc === 0) return { layer: 'none', name: '', retryable: false };
  const layer = LAYERS[(rc >>> 16) & 0xff] ?? 'unknown';
  const code = rc & 0xffff;
  if (layer === 'tpm' || layer === 'resmgr-tpm') {
    if (code === 0x1e) return { layer, name: 'TPM_RC_BAD_TAG', retryable: false };
    return { layer, ...((code & 0x80) === 0 ? decodeFormatZero(code) : decodeFormatOne(code)) };
  }
  return { layer, name: TSS_BASE_NAMES[code] ?? `TSS2_RC_${hex(code)}`, retryable: false };
}
