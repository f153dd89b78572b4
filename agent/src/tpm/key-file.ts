import { AgentError } from '../agent-error.ts';
import type { EkTemplateName } from '../config/agent-config.ts';

/** A key as only its TPM can load it, with the auth value that its use needs. */
export interface KeyBlob {
  /** Content of TPM2B_PRIVATE. */
  private: Buffer;
  /** TPMT_PUBLIC. */
  public: Buffer;
  auth: Buffer;
}

/** What is kept of the agent's keys. Whoever reads it and reaches the TPM can sign as this agent. */
export interface KeyFile {
  ekTemplate: EkTemplateName;
  /** Name of the EK that is the parent of both keys. */
  ekName: Buffer;
  /** By the clock of the kube node, milliseconds since 1970; 0 where it is not known. */
  createdAtMs: number;
  /** A successor whose enrolment went so far that a Verifier may have it, whatever the agent heard. */
  mayBeEnrolled?: true;
  ak: KeyBlob;
  signing: KeyBlob;
}

const FORMAT = 'holdfast-keys-v1';
const TEMPLATES: readonly EkTemplateName[] = ['L-1', 'L-2', 'H-1', 'H-2', 'H-3'];
const AUTH_BYTES = 32;
const MAX_BLOB_BYTES = 2_048;

/** Writes the file: one JSON object, bytes as base64url. */
export function encodeKeyFile(keys: KeyFile): Buffer {
  const encodeBlob = (blob: KeyBlob) => ({
    private: blob.private.toString('base64url'),
    public: blob.public.toString('base64url'),
    auth: blob.auth.toString('base64url'),
  });
  const { ekTemplate, ekName, createdAtMs, mayBeEnrolled, ak, signing } = keys;
  const fields = {
    format: FORMAT,
    ekTemplate,
    ekName: ekName.toString('hex'),
    createdAtMs,
    ...(mayBeEnrolled && { mayBeEnrolled }),
    ak: encodeBlob(ak),
    signing: encodeBlob(signing),
  };
  return Buffer.from(`${JSON.stringify(fields)}\n`);
}

/** Reads the file back. Throws `AgentError` ERR_AGENT_KEYS when it is not what `encodeKeyFile` writes. */
export function parseKeyFile(bytes: Uint8Array): KeyFile {
  const fields = takeFields(parseJson(bytes));
  const ekTemplate = TEMPLATES.find((name) => name === fields.ekTemplate);
  if (fields.format !== FORMAT || ekTemplate === undefined) throw damaged();
  return {
    ekTemplate,
    ekName: takeBytes(fields.ekName, 'hex'),
    createdAtMs: takeTime(fields.createdAtMs),
    ...(fields.mayBeEnrolled === true && { mayBeEnrolled: true }),
    ak: takeBlob(fields.ak),
    signing: takeBlob(fields.signing),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw damaged(error);
  }
}

function takeFields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged();
  return { ...value };
}

function takeBlob(value: unknown): KeyBlob {
  const fields = takeFields(value);
  const blob: KeyBlob = {
    private: takeBytes(fields.private, 'base64url'),
    public: takeBytes(fields.public, 'base64url'),
    auth: takeBytes(fields.auth, 'base64url'),
  };
  if (blob.auth.length !== AUTH_BYTES) throw damaged();
  return blob;
}

function takeTime(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

function takeBytes(value: unknown, encoding: 'hex' | 'base64url'): Buffer {
  if (typeof value !== 'string') throw damaged();
  const bytes = Buffer.from(value, encoding);
  if (bytes.length === 0 || bytes.length > MAX_BLOB_BYTES || bytes.toString(encoding) !== value) throw damaged();
  return bytes;
}

function damaged(cause?: unknown): AgentError {
  return new AgentError('ERR_AGENT_KEYS', 'the key file is damaged: move it away, and the agent makes new keys', {
    cause,
  });
}
