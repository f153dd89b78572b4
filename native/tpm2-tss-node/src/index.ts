export { EK_TEMPLATES, type EkTemplate, type EkTemplateId, ekTemplate } from './ek-template.ts';
export { describeNative } from './load-native.ts';
export type { NativeDescription } from './native-binding.ts';
export { type OpenTpmOptions, openTpm } from './open-tpm.ts';
export type { RcLayer, RcTarget } from './response-code.ts';
export { Tpm } from './tpm.ts';
export { TpmError, type TpmErrorCode } from './tpm-error.ts';
export { TpmObject, TpmSession } from './tpm-object.ts';
export type * from './tpm-types.ts';
