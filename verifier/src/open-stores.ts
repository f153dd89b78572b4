import type { DatabaseSync } from 'node:sqlite';
import { FINDING_RULES, type FindingCode } from './appraisal/finding-code.ts';
import { type BootSessionStore, createBootSessionStore } from './store/boot-session-store.ts';
import { type ChainStore, createChainStore } from './store/chain-store.ts';
import { type ContentStore, createContentStore } from './store/content-store.ts';
import { createEnrolmentStore, type EnrolmentStore } from './store/enrolment-store.ts';
import { createMeasuredFileStore, type MeasuredFileStore } from './store/measured-file-store.ts';
import { createMetaStore, type MetaStore } from './store/meta-store.ts';
import { openDatabase } from './store/open-database.ts';
import { createOperatorStore, type OperatorStore } from './store/operator-store.ts';
import { createReferenceStore, type ReferenceStore } from './store/reference-store.ts';
import { createResultStore, type ResultStore } from './store/result-store.ts';

/** Every store of one verifier, over one database. */
export interface Stores {
  readonly database: DatabaseSync;
  readonly enrolment: EnrolmentStore;
  readonly chain: ChainStore;
  readonly contents: ContentStore;
  readonly bootSessions: BootSessionStore;
  readonly measuredFiles: MeasuredFileStore;
  readonly results: ResultStore;
  readonly references: ReferenceStore;
  readonly operators: OperatorStore;
  readonly meta: MetaStore;
}

/** Opens the database below the state directory, or in memory for `:memory:`. Throws as `openDatabase`. */
export function openStores(stateDir: string): Stores {
  const database = openDatabase(stateDir);
  return {
    database,
    enrolment: createEnrolmentStore(database),
    chain: createChainStore(database, isFindingCode),
    contents: createContentStore(database),
    bootSessions: createBootSessionStore(database),
    measuredFiles: createMeasuredFileStore(database),
    results: createResultStore(database),
    references: createReferenceStore(database),
    operators: createOperatorStore(database),
    meta: createMetaStore(database),
  };
}

function isFindingCode(text: string): text is FindingCode {
  return Object.hasOwn(FINDING_RULES, text);
}
