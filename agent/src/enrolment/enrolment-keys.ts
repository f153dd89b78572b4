import type { TpmKeyRing } from '../tpm/tpm-key-ring.ts';
import { readEkCertificates } from './ek-certificates.ts';

/** Keys as an enrolment offers them. */
export interface OfferedKeys {
  /** TPMT_PUBLIC of AK and signing key. */
  akPublic: Buffer;
  signingPublic: Buffer;
  /** TPM2_Certify of the signing key by the AK, over the nonce. */
  certifyAttest: Buffer;
  certifySignature: Buffer;
  /** TPM2_Certify of the AK by the one that is enrolled, over the nonce; empty where this is the same, or there is none. */
  rotationAttest: Buffer;
  rotationSignature: Buffer;
}

/** What an enrolment needs of the keys in the TPM. Each call runs alone on it. */
export interface EnrolmentKeys {
  begin(): Promise<{ kid: string; ekPublic: Buffer; ekCertificates: Buffer[] }>;
  offer(nonce: Buffer): Promise<OfferedKeys>;
  activate(credential: { idObject: Buffer; encryptedSecret: Buffer }): Promise<Buffer>;
}

/** The keys that speak for the agent now. Where they change between two calls the Verifier refuses the certification. */
export function createPresentKeys(ring: TpmKeyRing): EnrolmentKeys {
  return {
    begin: () =>
      ring.use(async ({ identity: { kid, ekPublic }, device }) => {
        return { kid, ekPublic, ekCertificates: await readEkCertificates(device, ekPublic) };
      }),
    offer: (nonce) =>
      ring.use(async ({ device, ak, akAuth, signing, signingAuth, identity }) => {
        const auths = { objectAuth: signingAuth, signerAuth: akAuth };
        const certified = await device.certify({ object: signing, signer: ak, ...auths, qualifyingData: nonce });
        return {
          akPublic: identity.akPublic,
          signingPublic: identity.signingPublic,
          certifyAttest: certified.attest,
          certifySignature: certified.signature,
          rotationAttest: Buffer.alloc(0),
          rotationSignature: Buffer.alloc(0),
        };
      }),
    activate: (credential) =>
      ring.useWithEk(({ device, ak, akAuth }, ek) =>
        device.activateCredential({ key: ak, keyAuth: akAuth, ek, ...ring.ekPolicy, ...credential }),
      ),
  };
}

/** Keys that are to take the place of the present ones, for which the present AK vouches. */
export function createSuccessorKeys(ring: TpmKeyRing): EnrolmentKeys {
  return {
    begin: async () => {
      const { kid, ekPublic } = await ring.prepareSuccessor();
      return { kid, ekPublic, ekCertificates: await ring.use(({ device }) => readEkCertificates(device, ekPublic)) };
    },
    offer: async (nonce) => {
      const { identity, certified, rotation } = await ring.offerSuccessor(nonce);
      return {
        akPublic: identity.akPublic,
        signingPublic: identity.signingPublic,
        certifyAttest: certified.attest,
        certifySignature: certified.signature,
        rotationAttest: rotation.attest,
        rotationSignature: rotation.signature,
      };
    },
    activate: (credential) => ring.activateSuccessor(credential),
  };
}
