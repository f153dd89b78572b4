import { hash } from 'node:crypto';
import type { BootFinding } from './boot-finding.ts';
import { parseUefiVariable, type UefiVariable } from './event-body.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { LogEvent } from './parse-event-log.ts';
import type { VerifiedEvent } from './verified-event.ts';

/** A UEFI variable that was measured, by digest of its data. */
export interface MeasuredVariable {
  readonly name: string;
  readonly guid: string;
  readonly bytes: number;
  /** Hex, of the data alone. */
  readonly sha256: string;
}

export interface SecureBootFacts {
  /** Null where the log does not prove either. */
  readonly enabled: boolean | null;
  /** SecureBoot, PK, KEK, db, dbx, and what firmware measured beside them before the separator. */
  readonly variables: readonly MeasuredVariable[];
  /** What vouched for each image that was started, in order, and what shim adds. */
  readonly authorities: readonly MeasuredVariable[];
  /** What firmware says that it did before the separator: `UEFI Debug Mode` voids Secure Boot. */
  readonly actions: readonly string[];
  readonly findings: readonly BootFinding[];
  /** Whether the firmware has no SecureBoot variable with a value. */
  readonly isVariableEmpty: boolean;
}

const PCR = 7;
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const IMAGE_SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const ACTION = /^[\x20-\x7e]+\0?$/;
const SEQUENCE: readonly (readonly [string, string])[] = [
  ['SecureBoot', GLOBAL],
  ['PK', GLOBAL],
  ['KEK', GLOBAL],
  ['db', IMAGE_SECURITY],
  ['dbx', IMAGE_SECURITY],
];

/**
 * Reads the state of Secure Boot from the events of PCR 7 (PC Client Platform Firmware Profile, 3.3.4.8). Before the
 * separator only verified variables may stand, the five of the profile first and in order; an event of any other type
 * there could be a real one that was renamed. Configuration after the separator is never believed.
 */
export function readSecureBoot(events: readonly VerifiedEvent[], separator: LogEvent | undefined): SecureBootFacts {
  const own = events.filter(({ event }) => event.pcr === PCR && event.typeId !== EVENT_TYPE.EV_NO_ACTION);
  const end = separator?.index ?? Number.POSITIVE_INFINITY;
  const before = own.filter(({ event }) => event.index < end);
  const after = own.filter(({ event }) => event.index > end);
  const findings = [...before.flatMap(judgeBefore), ...after.flatMap(judgeAfter)];
  const variables = listVariables(before, EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG);
  const sequence = findings.length === 0 ? judgeSequence(variables) : [];
  const isProven = separator !== undefined && findings.length === 0 && sequence.length === 0;
  const state = isProven ? variables[0]?.data : undefined;
  return {
    enabled: state === undefined ? null : state.equals(Buffer.of(1)),
    variables: isProven ? variables.map(describeVariable) : [],
    authorities: isProven ? listVariables(own, EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY).map(describeVariable) : [],
    actions: before.filter(isAction).map(({ event }) => event.data.toString('latin1').replace(/\0$/, '')),
    findings: [...findings, ...sequence],
    isVariableEmpty: state?.length === 0,
  };
}

function isAction({ event, dataVerified }: VerifiedEvent): boolean {
  return event.typeId === EVENT_TYPE.EV_EFI_ACTION && dataVerified && isAllowedBefore(event);
}

function listVariables(events: readonly VerifiedEvent[], typeId: number): UefiVariable[] {
  const chosen = events.filter(({ event, dataVerified }) => event.typeId === typeId && dataVerified);
  return chosen.map(({ event }) => parseUefiVariable(event.data));
}

function judgeBefore({ event, dataVerified }: VerifiedEvent): BootFinding[] {
  if (isAllowedBefore(event) && dataVerified) return [];
  const { pcr, index, type } = event;
  const message = `${type} before the separator of PCR 7 is no verified Secure Boot variable`;
  return [{ code: 'SECURE_BOOT_EVENT_UNEXPECTED', pcr, index, message }];
}

/** Variables, what vouched for a driver of firmware, and actions in plain words: `UEFI Debug Mode` is one. */
function isAllowedBefore(event: LogEvent): boolean {
  if (event.typeId === EVENT_TYPE.EV_EFI_ACTION) return ACTION.test(event.data.toString('latin1'));
  const isConfig = event.typeId === EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG;
  return isConfig || event.typeId === EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY;
}

function judgeAfter({ event }: VerifiedEvent): BootFinding[] {
  if (event.typeId !== EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG) return [];
  const message = 'a Secure Boot variable was measured after firmware had closed PCR 7';
  return [{ code: 'CONFIG_AFTER_SEPARATOR', pcr: PCR, index: event.index, message }];
}

function judgeSequence(variables: readonly UefiVariable[]): BootFinding[] {
  const isInOrder = SEQUENCE.every(([name, guid], place) => {
    const variable = variables[place];
    return variable?.name === name && variable.guid === guid;
  });
  const states = variables.filter(({ name, guid }) => name === 'SecureBoot' && guid === GLOBAL);
  if (isInOrder && states.length === 1 && (states[0]?.data.length ?? 2) <= 1) return [];
  const message = 'PCR 7 does not begin with SecureBoot, PK, KEK, db and dbx, each once';
  return [{ code: 'SECURE_BOOT_SEQUENCE', pcr: PCR, index: null, message }];
}

function describeVariable({ name, guid, data }: UefiVariable): MeasuredVariable {
  return { name, guid, bytes: data.length, sha256: hash('sha256', data) };
}
