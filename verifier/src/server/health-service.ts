import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

/** ServingStatus of grpc.health.v1. */
type ServingStatus = 'SERVING' | 'NOT_SERVING';

/** An object even for the empty name: grpc-js takes an empty text for a message that never came. */
interface HealthRequest {
  readonly service: string;
}

const NUMBERS: Record<ServingStatus, number> = { SERVING: 1, NOT_SERVING: 2 };
const WIRE_LENGTH_DELIMITED = 2;

/**
 * Adds grpc.health.v1.Health, by which orchestrators ask whether this server serves. The empty name stands for the whole
 * server. `isServing` is asked at each call, so that the answer is never one of yesterday.
 *
 * Two messages of one field each: written out here instead of generated.
 */
export function addHealthService(server: Server, services: readonly string[], isServing: () => boolean): void {
  const find = (name: string): ServingStatus | undefined => {
    if (name !== '' && !services.includes(name)) return undefined;
    return isServing() ? 'SERVING' : 'NOT_SERVING';
  };
  const path = '/grpc.health.v1.Health/';
  const codecs = {
    requestStream: false,
    requestSerialize: encodeRequest,
    requestDeserialize: decodeRequest,
    responseSerialize: encodeResponse,
    responseDeserialize: () => 'SERVING' as const,
  };
  server.addService(
    {
      check: { path: `${path}Check`, responseStream: false, ...codecs },
      watch: { path: `${path}Watch`, responseStream: true, ...codecs },
    },
    {
      check: (call: ServerUnaryCall<HealthRequest, ServingStatus>, done: sendUnaryData<ServingStatus>) => {
        const serving = find(call.request.service);
        if (serving === undefined) done({ code: status.NOT_FOUND, details: 'there is no such service here' });
        else done(null, serving);
      },
      watch: (call: ServerWritableStream<HealthRequest, ServingStatus>) => {
        const serving = find(call.request.service);
        if (serving !== undefined) call.write(serving);
        // The state changes once, at the end, and then the connection ends with it.
      },
    },
  );
}

function decodeRequest(bytes: Buffer): HealthRequest {
  const reader = new BinaryReader(bytes);
  let service = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && Number(wireType) === WIRE_LENGTH_DELIMITED) service = reader.string();
    else reader.skip(wireType, field);
  }
  return { service };
}

function encodeRequest({ service }: HealthRequest): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WIRE_LENGTH_DELIMITED).string(service).finish());
}

function encodeResponse(serving: ServingStatus): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, 0).int32(NUMBERS[serving]).finish());
}
