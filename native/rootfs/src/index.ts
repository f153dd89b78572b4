export { capabilities, type RootfsCapabilities, type RootfsCapability } from './capabilities.ts';
export {
  type FanotifyBatch,
  type FanotifyEvent,
  type FanotifyEventKind,
  type FanotifyWatch,
  type WatchOptions,
  watchFilesystem,
} from './fanotify-watch.ts';
export { hashBytes } from './hash-bytes.ts';
export type { FileEnds, ManyEnds, ManyReads, ReadEndsOptions, ReadManyOptions } from './many-paths.ts';
export type { HashOutcome } from './packed-lists.ts';
export { createPathClaims, PathClaims } from './path-claims.ts';
export { readFiles } from './read-files.ts';
export {
  type FileRange,
  type OpenRootOptions,
  openRoot,
  type ReadFileOptions,
  type RootHandle,
  type VerityMeasurement,
} from './root-handle.ts';
export type { EntryType, RootStat } from './root-stat.ts';
export { RootfsError, type RootfsErrorCode } from './rootfs-error.ts';
export type { SiftOptions, SurveySift } from './sift.ts';
export type { SurveyedEntry, SurveyOptions, SurveyVisitor, TreeSurvey } from './survey.ts';
export { lowerThreadPriority, setReadDeadline } from './thread-limits.ts';
export type { WalkEntry, WalkOptions, WalkProblem } from './walk.ts';
