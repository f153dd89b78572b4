import { array, boolean, hex, integer, nullable, object, oneOf, record, string, text } from '../encoding/shape.ts';
import type {
  AgentFile,
  AgentFilesClaims,
  BootClaims,
  BpfProgram,
  ContainersClaims,
  HostClaims,
  ImaClaims,
  KernelClaims,
  KernelModule,
} from './claims-set.ts';
import { limits } from './container-shape.ts';

const short = text(256);

export const hostClaims = object<HostClaims>({
  type: oneOf('host'),
  kubeNode: short,
  machineId: nullable(hex(32)),
  vendor: nullable(short),
  model: nullable(short),
  serial: nullable(hex(32)),
  cpu: nullable(object({ vendor: short, brand: short, cores: integer({ max: 65536 }) })),
  bios: nullable(object({ vendor: short, version: short, date: short })),
  os: nullable(object({ id: short, versionId: short, prettyName: short })),
  kernelRelease: short,
  runtimes: array(object({ name: short, version: short }), { max: 16 }),
});

export const bootClaims = object<BootClaims>({
  type: oneOf('boot'),
  eventLog: nullable(hex(32)),
  eventLogBytes: integer(),
  secureBoot: nullable(boolean),
});

const agentFile = object<AgentFile>({ path: string({ min: 1, max: 16 * 1024, pattern: /^\// }), sha256: hex(32) });

const agentFiles = object<AgentFilesClaims>({
  root: string({ min: 1, max: 16 * 1024, pattern: /^\// }),
  executable: agentFile,
  main: nullable(agentFile),
  modules: array(agentFile, { max: 64 }),
});

export const imaClaims = object<ImaClaims>({
  type: oneOf('ima'),
  active: boolean,
  template: nullable(short),
  policy: nullable(text(256 * 1024)),
  agent: nullable(agentFiles),
});

const kernelModule = object<KernelModule>({
  name: short,
  size: integer(),
  taint: short,
  signature: nullable(oneOf('appended', 'none')),
  signer: nullable(short),
});

const bpfProgram = object<BpfProgram>({
  id: integer({ max: 0xffffffff }),
  type: nullable(integer({ max: 0xffffffff })),
  tag: hex(8),
});

export const kernelClaims = object<KernelClaims>({
  type: oneOf('kernel'),
  release: short,
  version: text(1024),
  buildId: nullable(text(128)),
  cmdline: text(64 * 1024),
  tainted: short,
  lockdown: nullable(short),
  lsm: nullable(text(1024)),
  kexecLoaded: nullable(short),
  moduleSigEnforce: nullable(short),
  modules: nullable(array(kernelModule, { max: 4096 })),
  bpf: nullable(array(bpfProgram, { max: 4096 })),
  sysctlSet: short,
  sysctl: record(/^[\x21-\x7e]{1,256}$/, text(4096), { max: 8192 }),
  vulnerabilities: record(/^[\x21-\x7e]{1,128}$/, text(1024), { max: 256 }),
  limits,
});

export const containersClaims = object<ContainersClaims>({
  type: oneOf('containers'),
  limits,
  containers: record(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, hex(32), { max: 8192 }),
});
