import { hashNumber, hierarchyNumber } from './algorithms.ts';
import { checkBytes, checkFlag, checkInteger, checkOptions, checkWord } from './check-options.ts';
import { ENDORSEMENT_POLICY, type NativeCommand, type NativeCommands, NO_HANDLE } from './native-binding.ts';
import { resolveReference } from './tpm-object.ts';
import type * as types from './tpm-types.ts';

type Args<Name extends NativeCommand> = NativeCommands[Name]['args'];

const EMPTY = Buffer.alloc(0);
const MAX_AUTH = 64;
const MAX_STRUCTURE = 4096;
const MAX_SELECTIONS = 16;
const FIRST_PERSISTENT = 0x81000000;
const LAST_PERSISTENT = 0x81ffffff;
const SESSION_KINDS: Readonly<Record<types.StartAuthSessionOptions['kind'], number>> = { hmac: 0, policy: 1, trial: 3 };

function auth(value: Buffer | undefined, name: string): Buffer {
  if (value === undefined) return EMPTY;
  checkBytes(value, name, { max: MAX_AUTH });
  return value;
}

function structure(value: Buffer, name: string): Buffer {
  checkBytes(value, name, { min: 1, max: MAX_STRUCTURE });
  return value;
}

function nonce(value: Buffer, name: string): Buffer {
  checkBytes(value, name, { max: MAX_AUTH });
  return value;
}

function isPassword(value: types.AuthorizationMode | undefined): boolean {
  if (value !== undefined) checkWord(value, 'authorization', ['hmac', 'password']);
  return value === 'password';
}

function policyNumber(owner: object, value: types.KeyPolicy | undefined, name: string): number {
  if (value === undefined) return NO_HANDLE;
  if (value === 'endorsement') return ENDORSEMENT_POLICY;
  if (typeof value === 'string') throw new TypeError(`${name} must be "endorsement" or a TpmSession`);
  return resolveReference(owner, value, 'session', name);
}

function optionalObject(owner: object, value: unknown, name: string): number {
  return value === undefined ? NO_HANDLE : resolveReference(owner, value, 'object', name);
}

/** 0x81000000 to 0x81ffffff. @throws TypeError */
export function checkPersistentHandle(handle: number, name: string): void {
  checkInteger(handle, name, FIRST_PERSISTENT, LAST_PERSISTENT);
}

/**
 * Checks options of the public calls and turns them into what the native part takes. Each throws TypeError on wrong or
 * misspelt options, and `ERR_TPM_CLOSED` for a flushed object.
 */
export function createPrimaryArgs(owner: object, options: types.CreatePrimaryOptions): Args<'createPrimary'> {
  checkOptions(options, ['hierarchy', 'template', 'authValue', 'hierarchyAuth', 'saltKey'], 'createPrimary');
  return {
    hierarchy: hierarchyNumber(options.hierarchy, 'hierarchy'),
    template: structure(options.template, 'template'),
    authValue: auth(options.authValue, 'authValue'),
    hierarchyAuth: auth(options.hierarchyAuth, 'hierarchyAuth'),
    saltKey: optionalObject(owner, options.saltKey, 'saltKey'),
  };
}

export function createArgs(owner: object, options: types.CreateOptions): Args<'create'> {
  checkOptions(options, ['parent', 'template', 'authValue', 'parentAuth', 'parentPolicy'], 'create');
  return {
    parent: resolveReference(owner, options.parent, 'object', 'parent'),
    template: structure(options.template, 'template'),
    authValue: auth(options.authValue, 'authValue'),
    parentAuth: auth(options.parentAuth, 'parentAuth'),
    policy: policyNumber(owner, options.parentPolicy, 'parentPolicy'),
  };
}

export function loadArgs(owner: object, options: types.LoadOptions): Args<'load'> {
  checkOptions(options, ['parent', 'private', 'public', 'parentAuth', 'parentPolicy'], 'load');
  return {
    parent: resolveReference(owner, options.parent, 'object', 'parent'),
    private: structure(options.private, 'private'),
    public: structure(options.public, 'public'),
    parentAuth: auth(options.parentAuth, 'parentAuth'),
    policy: policyNumber(owner, options.parentPolicy, 'parentPolicy'),
  };
}

export function evictControlArgs(owner: object, options: types.EvictControlOptions): Args<'evictControl'> {
  checkOptions(options, ['hierarchy', 'hierarchyAuth', 'object', 'handle'], 'evictControl');
  checkWord(options.hierarchy, 'hierarchy', ['owner', 'platform']);
  checkPersistentHandle(options.handle, 'handle');
  return {
    hierarchy: hierarchyNumber(options.hierarchy, 'hierarchy'),
    hierarchyAuth: auth(options.hierarchyAuth, 'hierarchyAuth'),
    object: resolveReference(owner, options.object, 'object', 'object'),
    handle: options.handle,
  };
}

export function quoteArgs(owner: object, options: types.QuoteOptions): Args<'quote'> {
  checkOptions(options, ['key', 'authValue', 'authorization', 'qualifyingData', 'selection'], 'quote');
  return {
    key: resolveReference(owner, options.key, 'object', 'key'),
    authValue: auth(options.authValue, 'authValue'),
    qualifyingData: nonce(options.qualifyingData, 'qualifyingData'),
    selection: structure(options.selection, 'selection'),
    password: isPassword(options.authorization),
  };
}

export function quoteEachArgs(owner: object, options: types.QuoteEachOptions): Args<'quoteEach'> {
  checkOptions(options, ['key', 'authValue', 'authorization', 'qualifyingData', 'selections'], 'quoteEach');
  const { selections } = options;
  if (!Array.isArray(selections) || selections.length < 1 || selections.length > MAX_SELECTIONS) {
    throw new TypeError(`selections must be an array of 1 to ${MAX_SELECTIONS} Buffers`);
  }
  return {
    key: resolveReference(owner, options.key, 'object', 'key'),
    authValue: auth(options.authValue, 'authValue'),
    qualifyingData: nonce(options.qualifyingData, 'qualifyingData'),
    selections: selections.map((selection, at) => structure(selection, `selections[${at}]`)),
    password: isPassword(options.authorization),
  };
}

const CERTIFY_OPTIONS = ['object', 'objectAuth', 'signer', 'signerAuth', 'authorization', 'qualifyingData'];

export function certifyArgs(owner: object, options: types.CertifyOptions): Args<'certify'> {
  checkOptions(options, CERTIFY_OPTIONS, 'certify');
  return {
    object: resolveReference(owner, options.object, 'object', 'object'),
    objectAuth: auth(options.objectAuth, 'objectAuth'),
    signer: resolveReference(owner, options.signer, 'object', 'signer'),
    signerAuth: auth(options.signerAuth, 'signerAuth'),
    qualifyingData: nonce(options.qualifyingData, 'qualifyingData'),
    password: isPassword(options.authorization),
  };
}

export function signArgs(owner: object, options: types.SignOptions): Args<'sign'> {
  checkOptions(options, ['key', 'authValue', 'authorization', 'digest', 'ticket'], 'sign');
  checkBytes(options.digest, 'digest', { min: 20, max: 64 });
  if (options.ticket !== undefined) structure(options.ticket, 'ticket');
  return {
    key: resolveReference(owner, options.key, 'object', 'key'),
    authValue: auth(options.authValue, 'authValue'),
    digest: options.digest,
    ticket: options.ticket ?? EMPTY,
    password: isPassword(options.authorization),
  };
}

const ACTIVATE_OPTIONS = ['key', 'keyAuth', 'ek', 'ekAuth', 'ekPolicy', 'idObject', 'encryptedSecret'];

export function activateCredentialArgs(
  owner: object,
  options: types.ActivateCredentialOptions,
): Args<'activateCredential'> {
  checkOptions(options, ACTIVATE_OPTIONS, 'activateCredential');
  return {
    key: resolveReference(owner, options.key, 'object', 'key'),
    keyAuth: auth(options.keyAuth, 'keyAuth'),
    ek: resolveReference(owner, options.ek, 'object', 'ek'),
    ekAuth: auth(options.ekAuth, 'ekAuth'),
    policy: policyNumber(owner, options.ekPolicy, 'ekPolicy'),
    idObject: structure(options.idObject, 'idObject'),
    encryptedSecret: structure(options.encryptedSecret, 'encryptedSecret'),
  };
}

export function getRandomArgs(owner: object, bytes: number, options: types.GetRandomOptions): Args<'getRandom'> {
  checkInteger(bytes, 'bytes', 1, 1024);
  checkOptions(options, ['saltKey', 'session'], 'getRandom');
  const { saltKey, session } = options;
  if (saltKey !== undefined && session !== undefined)
    throw new TypeError('getRandom takes saltKey or session, not both');
  return {
    bytes,
    saltKey: optionalObject(owner, saltKey, 'saltKey'),
    session: session === undefined ? NO_HANDLE : resolveReference(owner, session, 'session', 'session'),
  };
}

export function hashArgs(options: types.HashOptions): Args<'hash'> {
  checkOptions(options, ['algorithm', 'data', 'hierarchy'], 'hash');
  checkBytes(options.data, 'data', { max: 1024 });
  return {
    algorithm: hashNumber(options.algorithm, 'algorithm'),
    data: options.data,
    hierarchy: hierarchyNumber(options.hierarchy ?? 'null', 'hierarchy'),
  };
}

export function startAuthSessionArgs(owner: object, options: types.StartAuthSessionOptions): Args<'startAuthSession'> {
  checkOptions(options, ['kind', 'hash', 'saltKey', 'encryption'], 'startAuthSession');
  checkWord(options.kind, 'kind', Object.keys(SESSION_KINDS));
  checkFlag(options.encryption, 'encryption');
  return {
    kind: SESSION_KINDS[options.kind],
    hash: hashNumber(options.hash ?? 'sha256', 'hash'),
    saltKey: optionalObject(owner, options.saltKey, 'saltKey'),
    encryption: options.encryption ?? true,
  };
}

export function policySecretArgs(owner: object, options: types.PolicySecretOptions): Args<'policySecret'> {
  checkOptions(options, ['session', 'hierarchy', 'hierarchyAuth'], 'policySecret');
  return {
    session: resolveReference(owner, options.session, 'session', 'session'),
    hierarchy: hierarchyNumber(options.hierarchy, 'hierarchy'),
    hierarchyAuth: auth(options.hierarchyAuth, 'hierarchyAuth'),
  };
}
