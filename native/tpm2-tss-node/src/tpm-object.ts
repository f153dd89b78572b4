import { TpmError } from './tpm-error.ts';

/** Proof of having come from this package: nothing else can make a reference that passes `resolve`. */
const references = new WeakMap<TpmReference, { owner: object; esysHandle: number; flushed: boolean }>();

/** A thing inside one TPM context: valid for that context only, until it is flushed or the context ends. */
abstract class TpmReference {
  constructor(owner: object, esysHandle: number) {
    references.set(this, { owner, esysHandle, flushed: false });
  }

  /** True after `tpm.flush` of this reference. */
  get flushed(): boolean {
    return references.get(this)?.flushed ?? true;
  }
}

/** A key or data object that is loaded in the TPM, or a persistent one. Made by `Tpm`, never by `new`. */
export class TpmObject extends TpmReference {
  /** Name as the TPM computed it: nameAlg ‖ digest of the public area (TPM 2.0 Part 1, 16). */
  readonly name: Buffer;

  constructor(owner: object, esysHandle: number, name: Buffer) {
    super(owner, esysHandle);
    this.name = name;
  }
}

/** An authorization session. Made by `Tpm`, never by `new`. */
export class TpmSession extends TpmReference {
  readonly kind: 'hmac' | 'policy' | 'trial';

  constructor(owner: object, esysHandle: number, kind: 'hmac' | 'policy' | 'trial') {
    super(owner, esysHandle);
    this.kind = kind;
  }
}

/**
 * The ESYS_TR behind a reference.
 * @throws TypeError where it is no reference or belongs to another context
 * @throws TpmError `ERR_TPM_CLOSED` where it was flushed
 */
export function resolveReference(owner: object, value: unknown, kind: 'object' | 'session', name: string): number {
  const matches = kind === 'object' ? value instanceof TpmObject : value instanceof TpmSession;
  const entry = matches && value instanceof TpmReference ? references.get(value) : undefined;
  if (entry === undefined) throw new TypeError(`${name} must be a Tpm${kind === 'object' ? 'Object' : 'Session'}`);
  if (entry.owner !== owner) throw new TypeError(`${name} belongs to another TPM context`);
  if (entry.flushed) throw new TpmError({ code: 'ERR_TPM_CLOSED', command: name, message: `${name} was flushed` });
  return entry.esysHandle;
}

/** Marks a reference as gone. Returns its ESYS_TR, or undefined where it was gone before. */
export function retireReference(owner: object, value: TpmObject | TpmSession): number | undefined {
  const entry = references.get(value);
  if (entry === undefined || entry.owner !== owner) throw new TypeError('the object belongs to another TPM context');
  if (entry.flushed) return undefined;
  entry.flushed = true;
  return entry.esysHandle;
}
