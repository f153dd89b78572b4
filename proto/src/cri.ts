/** Generated messages of the part of the Kubernetes container runtime interface that the agent reads. */
export * from './gen/cri/runtime/v1/runtime_pb.ts';
