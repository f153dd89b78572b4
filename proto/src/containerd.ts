/** Generated messages of the part of containerd's API that the agent reads. Names repeat between services: one namespace each. */
export * as containerEvents from './gen/containerd/events/container_pb.ts';
export * as taskEvents from './gen/containerd/events/task_pb.ts';
export * as containers from './gen/containerd/services/containers/v1/containers_pb.ts';
export * as content from './gen/containerd/services/content/v1/content_pb.ts';
export * as events from './gen/containerd/services/events/v1/events_pb.ts';
export * as images from './gen/containerd/services/images/v1/images_pb.ts';
export * as introspection from './gen/containerd/services/introspection/v1/introspection_pb.ts';
export * as namespaces from './gen/containerd/services/namespaces/v1/namespace_pb.ts';
export * as snapshots from './gen/containerd/services/snapshots/v1/snapshots_pb.ts';
export * as tasks from './gen/containerd/services/tasks/v1/tasks_pb.ts';
export * as version from './gen/containerd/services/version/v1/version_pb.ts';
export * as task from './gen/containerd/types/task/task_pb.ts';
