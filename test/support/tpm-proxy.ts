import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

const HEADER = 10;

/** What to do with a command, or with the response that the TPM gave. */
export type Verdict = 'forward' | 'hang' | 'disconnect' | Buffer;

/** The decisions of a test. */
export interface ProxyRules {
  /** TPM_CC and the whole command. A Buffer is the answer, without asking the TPM. Default: forward. */
  onCommand?: (code: number, command: Buffer) => Verdict;
  /** A Buffer takes the response's place. Default: forward. */
  onResponse?: (code: number, response: Buffer) => Verdict;
}

/** A listener between the TCTI and a software TPM with unix socket. */
export interface TpmProxy {
  readonly tcti: string;
  /** Every byte that went by, in both directions. */
  traffic(): Buffer;
  /** TPM_CC of every command that arrived. */
  commands(): number[];
  setRules(rules: ProxyRules): void;
  close(): Promise<void>;
}

/** A response of 10 bytes that says nothing but a response code. */
export function responseOf(rc: number): Buffer {
  const response = Buffer.alloc(HEADER);
  response.writeUInt16BE(0x8001);
  response.writeUInt32BE(HEADER, 2);
  response.writeUInt32BE(rc, 6);
  return response;
}

/** Calls back with whole messages: TPM commands and responses both carry their size in bytes 2 to 5. */
function onMessages(socket: Socket, onMessage: (message: Buffer) => void): void {
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= HEADER && buffered.length >= buffered.readUInt32BE(2)) {
      const size = Math.max(HEADER, buffered.readUInt32BE(2));
      onMessage(buffered.subarray(0, size));
      buffered = buffered.subarray(size);
    }
  });
}

function apply(verdict: Verdict, message: Buffer, client: Socket, forward: (message: Buffer) => void): void {
  if (verdict === 'disconnect') client.destroy();
  else if (verdict === 'forward') forward(message);
  else if (verdict !== 'hang') client.write(verdict);
}

function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** Puts a proxy before the software TPM's socket. The caller closes it. */
export async function startTpmProxy(socketPath: string, name = 'proxy'): Promise<TpmProxy> {
  const path = `${socketPath}.${name}`;
  const sockets = new Set<Socket>();
  const traffic: Buffer[] = [];
  const commands: number[] = [];
  let rules: ProxyRules = {};

  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    return socket;
  };
  const pipe = (client: Socket, target: string): Socket => {
    const server = track(connect(target));
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    return server;
  };
  const onCommands = (client: Socket): void => {
    track(client);
    let code = 0;
    let server: Socket | undefined;
    // Only now: the software TPM takes one connection at a time, and must not wait for commands that never come.
    const forward = (command: Buffer): void => {
      if (server === undefined) {
        server = pipe(client, socketPath);
        onMessages(server, (response) => {
          traffic.push(response);
          apply(rules.onResponse?.(code, response) ?? 'forward', response, client, (same) => client.write(same));
        });
      }
      server.write(command);
    };
    onMessages(client, (command) => {
      traffic.push(command);
      code = command.readUInt32BE(6);
      commands.push(code);
      apply(rules.onCommand?.(code, command) ?? 'forward', command, client, forward);
    });
  };
  const onControl = (client: Socket): void => {
    const server = pipe(track(client), `${socketPath}.ctrl`);
    client.pipe(server);
    server.pipe(client);
  };

  const servers = [await listen(path, onCommands), await listen(`${path}.ctrl`, onControl)];
  return {
    tcti: `swtpm:path=${path}`,
    traffic: () => Buffer.concat(traffic),
    commands: () => [...commands],
    setRules: (next) => {
      rules = next;
    },
    async close() {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
      await rm(path, { force: true });
      await rm(`${path}.ctrl`, { force: true });
    },
  };
}
