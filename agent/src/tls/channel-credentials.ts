import { X509Certificate } from 'node:crypto';
import { checkServerIdentity } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { AgentError } from '../agent-error.ts';
import { readPeer } from './peer.ts';
import type { TlsIdentity } from './tls-files-source.ts';

/** Credentials to dial a Verifier: its chain and name as TLS wants them, and the role `verifier` in its certificate. */
export function createVerifierCredentials({ ca, key, cert }: TlsIdentity): ChannelCredentials {
  return ChannelCredentials.createSsl(ca, key, cert, {
    checkServerIdentity: (host, certificate) => {
      const refusal = checkServerIdentity(host, certificate);
      if (refusal !== undefined) return refusal;
      const { roles } = readPeer(new X509Certificate(certificate.raw));
      if (roles.has('verifier')) return undefined;
      return new AgentError('ERR_AGENT_TLS', "the peer's certificate lacks the role verifier");
    },
  });
}

/** Credentials of the agent's own port: every peer shows a certificate of the same CA. */
export function createAgentServerCredentials({ ca, key, cert }: TlsIdentity): ServerCredentials {
  return ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
}
