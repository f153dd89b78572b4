/** Generated messages of holdfast.v1 and codecs of its services for grpc-js. */
export * from './gen/holdfast/v1/attestation_service_pb.ts';
export * from './gen/holdfast/v1/conversation_pb.ts';
export * from './gen/holdfast/v1/evidence_service_pb.ts';
export * from './gen/holdfast/v1/reference_service_pb.ts';
export * from './gen/holdfast/v1/result_service_pb.ts';
export * from './gen/holdfast/v1/snapshot_pb.ts';
export { createServiceDefinition } from './service-definition.ts';
export { encodeSnapshotFile, parseSnapshotFile, SnapshotFileError } from './snapshot-file.ts';
export { callUnary, openBidiStream, openServerStream } from './typed-calls.ts';
