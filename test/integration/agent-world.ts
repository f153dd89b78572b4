import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentConfig, parseAgentConfig } from '@holdfast/agent';
import { createDevCa, type DevCa, type IssuedFiles } from '@holdfast/scripts';
import { AgentPeer } from './agent-peer.ts';

/** A directory, a CA and a peer for one agent. */
export interface AgentWorld {
  readonly directory: string;
  readonly ca: DevCa;
  readonly peer: AgentPeer;
  readonly agentTls: IssuedFiles;
  /** Ends the peer's server with all its streams and starts it at the same address. */
  restartPeer(): Promise<void>;
  /** Settings of an agent of this world. */
  configure(settings: Record<string, unknown>): AgentConfig;
  close(): Promise<void>;
}

const HOSTS = ['127.0.0.1', 'localhost'];

/** Makes a world whose peer listens. The caller closes it. */
export async function createAgentWorld(): Promise<AgentWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-agent-'));
  const ca = await createDevCa();
  const tls = join(directory, 'tls');
  const agentTls = await ca.issueFiles(tls, 'agent', { commonName: 'agent', roles: ['agent'], hosts: HOSTS });
  const files = await ca.issueFiles(tls, 'verifier', { commonName: 'verifier', roles: ['verifier'], hosts: HOSTS });
  const peer = new AgentPeer();
  const peerTls = { ca: await readFile(files.ca), cert: await readFile(files.cert), key: await readFile(files.key) };
  await peer.listen(peerTls);
  return {
    directory,
    ca,
    peer,
    agentTls,
    restartPeer: async () => {
      peer.close();
      await peer.listen(peerTls);
    },
    configure: (settings) =>
      parseAgentConfig({
        kubeNode: 'worker-1',
        runtime: 'none',
        stateDir: join(directory, 'agent'),
        verifier: { address: peer.address },
        tls: agentTls,
        logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
        ...settings,
      }),
    close: async () => {
      peer.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
