import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { AgentError } from '../agent-error.ts';

const NAME = 'agent.lock';

/**
 * Holds a directory for this process by listening on a socket in it, which the kernel lets go however the process ends.
 * Returns the release. Throws `AgentError` ERR_AGENT_STATE where another process holds it.
 */
export async function lockDirectory(directory: FileHandle, shownPath: string): Promise<() => Promise<void>> {
  // Through the open directory, as the path of a socket may have 107 bytes at most.
  const path = `/proc/self/fd/${directory.fd}/${NAME}`;
  if (await isHeld(path)) {
    throw new AgentError('ERR_AGENT_STATE', `another agent uses the state directory ${shownPath}`);
  }
  await rm(path, { force: true });
  const server = await listen(path).catch((error: unknown) => {
    throw new AgentError('ERR_AGENT_STATE', `the state directory ${shownPath} cannot be locked`, { cause: error });
  });
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function isHeld(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}
