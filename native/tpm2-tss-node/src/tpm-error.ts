import { decodeResponseCode, type RcLayer, type RcTarget } from './response-code.ts';

/**
 * Why a call failed, as a stable code:
 * - `ERR_TPM`: the TPM, the resource manager or libtss2 refused the command; `rc` says why. The context stays usable.
 * - `ERR_TPM_TIMEOUT`: no answer within the deadline. The context is dead.
 * - `ERR_TPM_TCTI`: the connection to the TPM failed or gave bytes that are no response. The context is dead.
 * - `ERR_TPM_DEAD`: an earlier timeout or connection failure killed this context; open a new one.
 * - `ERR_TPM_CLOSED`: the context was closed, or its object was flushed.
 * - `ERR_TPM_BUSY`: too many commands wait in the queue of this context.
 * - `ERR_TPM_NATIVE`: the native part is not built, its shared libraries are missing, or its self-test failed.
 */
export type TpmErrorCode =
  | 'ERR_TPM'
  | 'ERR_TPM_TIMEOUT'
  | 'ERR_TPM_TCTI'
  | 'ERR_TPM_DEAD'
  | 'ERR_TPM_CLOSED'
  | 'ERR_TPM_BUSY'
  | 'ERR_TPM_NATIVE';

interface TpmErrorFields {
  code: TpmErrorCode;
  message: string;
  command: string;
  rc?: number;
  cause?: unknown;
}

/** A command that did not succeed. Wrong arguments are a `TypeError` instead, thrown before the TPM is asked. */
export class TpmError extends Error {
  /**
   * Symbolic response code without its handle, parameter and session bits, such as `TPM_RC_HANDLE` or
   * `TSS2_RC_IO_ERROR`; `TpmError` where no response code exists.
   */
  override readonly name: string;
  readonly code: TpmErrorCode;
  /** The 32-bit TSS2_RC; 0 where no response code exists (timeouts, closed contexts, missing native part). */
  readonly rc: number;
  /** Who answered: `tpm`, `resmgr`, `tcti`, `esys`, `sys`, `mu`, …; `none` where `rc` is 0. */
  readonly layer: RcLayer;
  /** What the response code blames, where it blames one thing. */
  readonly target?: RcTarget;
  /** Number of the blamed handle, parameter or session, from 1. */
  readonly index?: number;
  /** The same call may succeed later, unchanged, on the same context. */
  readonly retryable: boolean;
  /** The TPM command or step that failed, such as `TPM2_Quote`. */
  readonly command: string;

  constructor(fields: TpmErrorFields) {
    super(fields.message, fields.cause === undefined ? {} : { cause: fields.cause });
    const decoded = decodeResponseCode(fields.rc ?? 0);
    this.code = fields.code;
    this.command = fields.command;
    this.rc = fields.rc ?? 0;
    this.layer = decoded.layer;
    this.name = decoded.name === '' ? 'TpmError' : decoded.name;
    this.retryable = fields.code === 'ERR_TPM_BUSY' || (fields.code === 'ERR_TPM' && decoded.retryable);
    if (decoded.target !== undefined) this.target = decoded.target;
    if (decoded.index !== undefined) this.index = decoded.index;
  }
}
