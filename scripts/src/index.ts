export { createDevCa, type DevCa, type IssuedFiles, type IssueOptions, type TlsRole } from './dev-ca/create-dev-ca.ts';
export { removeNamespaceTraces } from './world/namespace-traces.ts';
export {
  type LayerSource,
  type OciImage,
  type OciImageOptions,
  type OciLayer,
  writeOciImage,
} from './world/oci-image.ts';
export { encodeTar, listBusyboxEntries, listTarEntries, type TarEntry } from './world/tar-writer.ts';
export {
  type RunningContainer,
  startContainerd,
  type TestContainerd,
  whyNoContainerd,
} from './world/test-containerd.ts';
