import {
  array,
  boolean,
  hex,
  integer,
  nullable,
  object,
  ociDigest,
  oneOf,
  optional,
  record,
  string,
  text,
} from '../encoding/shape.ts';
import type {
  BlobRef,
  ContainerClaims,
  ImageClaims,
  LayerDifferenceClaims,
  MountClaims,
  PodClaims,
  ProcessClaims,
  RootfsClaims,
  SecurityClaims,
} from './claims-set.ts';
import { runningClaims } from './running-shape.ts';

/** Linux allows 128 KiB for one argument. */
const MAX_ARGUMENT = 128 * 1024;
const MAX_PATH = 64 * 1024;
/** Attributes and link targets of a layer's entries, cut by who names them. */
const MAX_DETAIL = 256;

export const containerId = string({ min: 1, max: 128, pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]*$/ });
export const limits = array(text(256), { max: 1024 });

const image = object<ImageClaims>({
  reference: nullable(text(1024)),
  index: nullable(ociDigest),
  manifest: nullable(ociDigest),
  config: nullable(ociDigest),
  chainId: nullable(ociDigest),
  platform: nullable(
    object<NonNullable<ImageClaims['platform']>>({ os: text(64), architecture: text(64), variant: optional(text(64)) }),
  ),
  layers: array(
    object<ImageClaims['layers'][number]>({
      diffId: ociDigest,
      chainId: ociDigest,
      proof: oneOf('content', 'tarSplit', 'firstUse', 'none'),
      differing: optional(
        array(
          object<LayerDifferenceClaims>({
            path: text(MAX_PATH),
            field: text(32),
            expected: nullable(text(MAX_DETAIL)),
            actual: nullable(text(MAX_DETAIL)),
          }),
          { max: 16 },
        ),
      ),
    }),
    { max: 512 },
  ),
  via: record(/^[A-Za-z]{1,32}$/, text(64), { max: 16 }),
  retagged: boolean,
});

const rootfs = object<RootfsClaims>({
  driver: text(64),
  snapshotKey: nullable(text(512)),
  lowerCount: integer({ max: 1024 }),
  upper: boolean,
});

const process = object<ProcessClaims>({
  args: array(text(MAX_ARGUMENT), { max: 8192 }),
  cwd: text(MAX_PATH),
  user: text(256),
  envNames: array(text(MAX_ARGUMENT), { max: 8192 }),
  envDigest: hex(32),
  argsFrom: oneOf('image', 'pod', 'unknown'),
  imageEnvNames: optional(array(text(MAX_ARGUMENT), { max: 8192 })),
});

const security = object<SecurityClaims>({
  privileged: boolean,
  readonlyRootfs: boolean,
  noNewPrivileges: boolean,
  userNamespace: boolean,
  seccomp: text(1024),
  apparmor: nullable(text(1024)),
  selinux: nullable(text(1024)),
  capabilities: array(text(64), { max: 64 }),
});

const mount = object<MountClaims>({
  path: text(MAX_PATH),
  fsType: text(64),
  source: text(MAX_PATH),
  readonly: boolean,
  inSpec: boolean,
  coversImage: boolean,
});

const blob = nullable(object<NonNullable<BlobRef>>({ sha256: hex(32), bytes: integer() }));

/** Bounds of names and values of labels: Kubernetes, *Labels and Selectors*. */
const pod = object<PodClaims>({
  namespace: text(256),
  name: text(256),
  uid: text(128),
  labels: optional(record(/^[A-Za-z0-9./_-]{1,317}$/, text(63), { max: 64 })),
});

/** Form and bounds of a container's claims-set. */
export const containerClaims = object<ContainerClaims>({
  type: oneOf('container'),
  id: containerId,
  namespace: text(256),
  name: text(1024),
  pod: nullable(pod),
  sandbox: boolean,
  attempt: optional(integer({ max: 0xffff_ffff })),
  restored: optional(boolean),
  runtime: text(256),
  started: nullable(text(64)),
  status: oneOf('running', 'paused', 'stopped', 'unsupported'),
  image,
  rootfs,
  inventory: blob,
  baseline: blob,
  drift: blob,
  driftCounts: nullable(object({ relevant: integer(), other: integer() })),
  process: nullable(process),
  security: nullable(security),
  mounts: array(mount, { max: 4096 }),
  running: nullable(runningClaims),
  scan: object({ complete: boolean, limits, timed: boolean }),
});
