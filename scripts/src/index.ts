export { createDevCa, type DevCa, type IssuedFiles, type IssueOptions, type TlsRole } from './dev-ca/create-dev-ca.ts';
