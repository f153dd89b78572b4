import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

/** ServingStatus of grpc.health.v1. */
const SERVING = 1;
const NOT_SERVING = 2;
const PATH = '/grpc.health.v1.Health/';

/**
 * Adds grpc.health.v1.Health. The empty name stands for the whole agent. Any peer that TLS let in may ask: the answer
 * says nothing but that the agent runs.
 */
export function addHealthService(server: Server, service: string, isServing: () => boolean): void {
  const find = (name: string): number | undefined => {
    if (name !== '' && name !== service) return undefined;
    return isServing() ? SERVING : NOT_SERVING;
  };
  const codecs = {
    requestStream: false,
    requestSerialize: ({ name }: HealthRequest) => Buffer.from(name),
    requestDeserialize: readRequest,
    responseSerialize: (value: number) => Buffer.from(new BinaryWriter().tag(1, WireType.Varint).int32(value).finish()),
    responseDeserialize: () => SERVING,
  };
  server.addService(
    {
      check: { path: `${PATH}Check`, responseStream: false, ...codecs },
      watch: { path: `${PATH}Watch`, responseStream: true, ...codecs },
    },
    {
      check: (call: ServerUnaryCall<HealthRequest, number>, done: sendUnaryData<number>) => {
        const value = find(call.request.name);
        if (value === undefined) done({ code: status.NOT_FOUND, details: 'there is no such service here' });
        else done(null, value);
      },
      // The state changes once, at the end, and the connection ends with it.
      watch: (call: ServerWritableStream<HealthRequest, number>) => {
        const value = find(call.request.name);
        if (value === undefined)
          call.emit('error', { code: status.NOT_FOUND, details: 'there is no such service here' });
        else call.write(value);
      },
    },
  );
}

/** HealthCheckRequest. An object, as grpc-js takes an empty text for no message at all. */
interface HealthRequest {
  name: string;
}

function readRequest(bytes: Buffer): HealthRequest {
  const reader = new BinaryReader(bytes);
  let name = '';
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) name = reader.string();
    else reader.skip(type, field);
  }
  return { name };
}
