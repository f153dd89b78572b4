import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { Client, ClientReadableStream } from '@grpc/grpc-js';
import { openServerStream } from '@holdfast/proto';
import { containerEvents, events, taskEvents } from '@holdfast/proto/containerd';

/** What happened, as far as the agent acts on it. Never evidence: a reason to look. */
export interface ContainerdEvent {
  readonly namespace: string;
  /** Such as `/tasks/exit`. */
  readonly topic: string;
  /** Of the container that it is about; undefined for images and events of other kinds. */
  readonly containerId: string | undefined;
  /** Set for an exec'd process of a container rather than its first one. */
  readonly execId: string | undefined;
  /** The first process was restored from a checkpoint rather than started. */
  readonly isRestored?: boolean;
}

/** Calls `onEvent` for each event until the returned function is called, and `onGap` whenever some may have been lost. */
export type ContainerdSubscription = (onEvent: (event: ContainerdEvent) => void, onGap: () => void) => () => void;

const RETRY_MS = 500;
const FILTERS = ['topic~="^/(containers|tasks|images)/"'];

/** Follows the events of every namespace; opens the stream anew when it ends. */
export function subscribeEvents(
  channel: Client,
  onEvent: (event: ContainerdEvent) => void,
  onGap: () => void,
): () => void {
  let stream: ClientReadableStream<events.Envelope> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const open = () => {
    const opened = openServerStream(channel, events.Events.method.subscribe, { filters: FILTERS });
    stream = opened;
    let retried = false;
    const retry = () => {
      if (ended || retried) return;
      retried = true;
      timer = setTimeout(open, RETRY_MS);
      onGap();
    };
    opened.on('metadata', onGap);
    opened.on('data', (envelope: events.Envelope) => onEvent(decodeEvent(envelope)));
    opened.on('error', retry);
    opened.on('end', retry);
  };
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    stream?.cancel();
  };
}

/** Reads an envelope. An event that does not decode keeps its topic, so that it still makes the agent look. */
export function decodeEvent(envelope: events.Envelope): ContainerdEvent {
  return { namespace: envelope.namespace, topic: envelope.topic, ...readSubject(envelope) };
}

function readSubject({ topic, event }: events.Envelope): Omit<ContainerdEvent, 'namespace' | 'topic'> {
  const none = { containerId: undefined, execId: undefined };
  if (event === undefined) return none;
  if (topic.startsWith('/containers/')) {
    return { containerId: decode(containerEvents.ContainerDeleteSchema, event.value)?.id, execId: undefined };
  }
  if (topic === '/tasks/exit') {
    const exit = decode(taskEvents.TaskExitSchema, event.value);
    const execId = exit !== undefined && exit.id !== exit.containerId ? exit.id : undefined;
    return { containerId: exit?.containerId, execId };
  }
  if (topic === '/tasks/create') {
    const made = decode(taskEvents.TaskCreateSchema, event.value);
    return { containerId: made?.containerId, execId: undefined, isRestored: (made?.checkpoint ?? '') !== '' };
  }
  // Every event of a task names its container in field 1; the other fields differ.
  if (topic.startsWith('/tasks/')) {
    return { containerId: decode(taskEvents.TaskDeleteSchema, event.value)?.containerId, execId: undefined };
  }
  return none;
}

function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}
