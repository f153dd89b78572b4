const DEAD_CODES = new Set(['ERR_TPM_TIMEOUT', 'ERR_TPM_TCTI', 'ERR_TPM_DEAD', 'ERR_TPM_CLOSED']);

/** The TPM itself, and resource managers that speak for it (TSS 2.0 Overview, response codes). */
const TPM_LAYERS = new Set([0, 11, 12]);

/** Format-one response codes keep their meaning in these bits; the rest says which handle or parameter failed. */
const FORMAT_ONE = 0x080;
const FORMAT_ONE_MASK = 0x0bf;
const RC_INITIALIZE = 0x100;
const RC_HANDLE = 0x08b;
const RC_INTEGRITY = 0x09f;
const RC_BINDING = 0x0a5;
const RC_REFERENCE_H0 = 0x910;
const RC_REFERENCE_H6 = 0x916;
/** No room, in this order: loaded objects, loaded sessions, memory, session handles (saved sessions count), object handles. */
const NO_ROOM: ReadonlySet<number> = new Set([0x902, 0x903, 0x904, 0x905, 0x906]);

/** What a failed TPM command means for the agent (TPM 2.0 Library, part 2, §6.6). */
export type TpmFailure =
  /** The way to the TPM is gone, or it has no room left for objects and sessions; a new context is needed. */
  | 'lost'
  /** A loaded object is not there any more: the TPM was restarted behind an open context. */
  | 'handleGone'
  /** A blob was not made by this TPM and hierarchy, or the TPM was cleared. */
  | 'foreignBlob'
  | 'other';

/** Tells by code and response code what a command's error means. Takes whatever was thrown. */
export function classifyTpmFailure(error: unknown): TpmFailure {
  if (!(error instanceof Error)) return 'other';
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && DEAD_CODES.has(code)) return 'lost';
  const rc = 'rc' in error ? error.rc : undefined;
  return typeof rc === 'number' && TPM_LAYERS.has(rc >>> 16) ? classifyResponse(rc & 0xffff) : 'other';
}

function classifyResponse(rc: number): TpmFailure {
  const plain = rc & FORMAT_ONE ? rc & FORMAT_ONE_MASK : rc;
  if (plain === RC_INITIALIZE || NO_ROOM.has(plain)) return 'lost';
  if (plain === RC_HANDLE || (plain >= RC_REFERENCE_H0 && plain <= RC_REFERENCE_H6)) return 'handleGone';
  return plain === RC_INTEGRITY || plain === RC_BINDING ? 'foreignBlob' : 'other';
}
