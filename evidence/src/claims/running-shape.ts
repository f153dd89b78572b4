import { array, boolean, hex, nullable, object, oneOf, string, text } from '../encoding/shape.ts';
import type {
  CodeClaims,
  ExecutedClaims,
  ForeignClaims,
  InjectionClaims,
  ProgramClaims,
  RunningClaims,
} from './running-claims.ts';

/** Linux allows 4,096 bytes for a path, each of which may be written with three characters. */
const MAX_PATH = 3 * 4096;
/** Most rows of each list of a container's `running`. */
const MAX_RUNNING_ROWS = 2048;
/** Most characters of the value of an environment variable. */
const MAX_INJECTED_VALUE = 1024;

const program = {
  path: text(MAX_PATH),
  origin: oneOf('layer', 'upper', 'volume', 'tmpfs', 'memfd', 'deleted', 'host', 'unknown'),
  sha256: nullable(hex(32)),
};
const rows = { max: MAX_RUNNING_ROWS };

/** Form and bounds of what runs in a container. */
export const runningClaims = object<RunningClaims>({
  code: array(object<CodeClaims>({ ...program, use: oneOf('program', 'mapped') }), rows),
  executed: array(object<ExecutedClaims>({ ...program, terminal: boolean }), rows),
  anonymous: array(object<ProgramClaims>(program), rows),
  foreign: array(object<ForeignClaims>({ ...program, sees: oneOf('otherRoot', 'otherMounts') }), rows),
  injected: array(
    object<InjectionClaims>({
      path: text(MAX_PATH),
      name: string({ min: 1, max: 64, pattern: /^[A-Z][A-Z0-9_]*$/ }),
      value: text(MAX_INJECTED_VALUE),
      from: oneOf('image', 'pod', 'process'),
    }),
    rows,
  ),
  transient: array(text(MAX_PATH), rows),
});
