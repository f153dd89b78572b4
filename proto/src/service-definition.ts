import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/**
 * Builds the grpc-js definition of a service from its protobuf-es descriptor.
 *
 * Messages are decoded by protobuf-es; unknown fields are dropped, so that what is stored or forwarded is only what this
 * version knows. A message that does not decode fails its call with INTERNAL, as grpc-js maps it.
 */
export function createServiceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, createMethodDefinition(service, method)]),
  );
}

function createMethodDefinition(service: DescService, method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (value) => encodeMessage(method.input, value),
    requestDeserialize: (bytes) => decodeMessage(method.input, bytes),
    responseSerialize: (value) => encodeMessage(method.output, value),
    responseDeserialize: (bytes) => decodeMessage(method.output, bytes),
    originalName: method.localName,
  };
}

function encodeMessage(schema: DescMessage, value: Message): Buffer {
  const bytes = toBinary(schema, value);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeMessage(schema: DescMessage, bytes: Buffer): Message {
  return fromBinary(schema, bytes, { readUnknownFields: false });
}
