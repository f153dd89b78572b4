import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { CallOptions, Client, ClientDuplexStream, ClientReadableStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';

/** One request, one answer. Rejects with grpc-js's ServiceError. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions = {},
): Promise<MessageShape<O>> {
  const codec = createCodec(method);
  return await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      codec.path,
      codec.serialize,
      codec.deserialize,
      create(method.input, request),
      new Metadata(),
      options,
      (error, answer) => {
        if (error) reject(error);
        else if (answer === undefined) reject(new TypeError('a call without an error brings an answer'));
        else resolve(answer);
      },
    );
  });
}

/** One request, a stream of answers. */
export function openServerStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions = {},
): ClientReadableStream<MessageShape<O>> {
  const codec = createCodec(method);
  return client.makeServerStreamRequest(
    codec.path,
    codec.serialize,
    codec.deserialize,
    create(method.input, request),
    new Metadata(),
    options,
  );
}

/** Streams both ways. */
export function openBidiStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodBiDiStreaming<I, O>,
  options: CallOptions = {},
): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
  const codec = createCodec(method);
  return client.makeBidiStreamRequest(codec.path, codec.serialize, codec.deserialize, new Metadata(), options);
}

function createCodec<I extends DescMessage, O extends DescMessage>(method: {
  parent: { typeName: string };
  name: string;
  input: I;
  output: O;
}) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    serialize: (message: MessageShape<I>): Buffer => Buffer.from(toBinary(method.input, message)),
    deserialize: (bytes: Buffer): MessageShape<O> => fromBinary(method.output, bytes, { readUnknownFields: false }),
  };
}
