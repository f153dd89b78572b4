/**
 * What is wrong with an event log although it replays. Facts that rest on the events concerned are withheld, and a
 * Verifier does not affirm a boot whose log has any.
 */
export type BootFindingCode =
  /** Data of a type whose digest is made over it, and it is not. */
  | 'EVENT_DATA_MISMATCH'
  /** An event before the separator of PCR 7 that is no verified Secure Boot variable. */
  | 'SECURE_BOOT_EVENT_UNEXPECTED'
  /** SecureBoot, PK, KEK, db, dbx are not all there, once, in this order. */
  | 'SECURE_BOOT_SEQUENCE'
  /** An event that has the digest of a separator and says that it is something else. */
  | 'SEPARATOR_RETYPED'
  | 'SEPARATOR_MISSING'
  | 'SEPARATOR_REPEATED'
  /** Firmware reported an error instead of closing the pre-boot state. */
  | 'SEPARATOR_ERROR'
  /** A configuration event after the separator, where only the operating system can put it. */
  | 'CONFIG_AFTER_SEPARATOR'
  /** A kernel command line under the label of another command. */
  | 'COMMAND_LINE_RELABELLED'
  /** Several different kernel command lines: which one was booted cannot be told. */
  | 'COMMAND_LINE_AMBIGUOUS'
  /** A startup locality that no TPM has, or said after the first measurement. */
  | 'STARTUP_LOCALITY'
  /** An EV_NO_ACTION with a digest that looks as if it had been extended. */
  | 'NO_ACTION_DIGEST';

export interface BootFinding {
  readonly code: BootFindingCode;
  readonly pcr: number | null;
  /** Place of the event in the log, where there is one. */
  readonly index: number | null;
  readonly message: string;
}

/** Known ways in which firmware and boot loaders differ from the profile; reported, and no reason to refuse. */
export type BootQuirkCode =
  | 'SHA1_ONLY_LOG'
  | 'STARTUP_LOCALITY_3'
  | 'STARTUP_LOCALITY_4'
  | 'SP800_155_REFERENCE'
  | 'NO_ACTION_WITHOUT_PCR'
  | 'EXIT_BOOT_SERVICES_MISSING'
  | 'SECURE_BOOT_VARIABLE_EMPTY'
  | 'SEPARATOR_DIGEST_REUSED'
  | 'BOOT_VARIABLE_DATA_ONLY'
  | 'AUTHORITY_TRAILING_BYTE'
  | 'COMMAND_LINE_CUT_SHORT'
  | 'DYNAMIC_LAUNCH_EVENTS'
  | 'BANK_INCOMPLETE'
  | 'ZERO_PADDING';

export interface BootQuirk {
  readonly code: BootQuirkCode;
  readonly pcr: number | null;
  /** First event with it. */
  readonly index: number | null;
}
