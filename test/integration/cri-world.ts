import { randomUUID } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { type ContainerCollector, createContainerCollector } from '@holdfast/agent';
import { callUnary } from '@holdfast/proto';
import {
  type ContainerConfig,
  ContainerConfigSchema,
  LinuxContainerConfigSchema,
  NamespaceMode,
  type PodSandboxConfig,
  PodSandboxConfigSchema,
  RuntimeService,
} from '@holdfast/proto/cri';
import { listBusyboxEntries, removeNamespaceTraces, startContainerd, type TestContainerd } from '@holdfast/scripts';
import { readContainer, type SeenContainer, settleCollector, waitFor } from './container-world.ts';

/** Namespace that containerd's CRI keeps everything in. */
export const NAMESPACE = 'k8s.io';
const PAUSE = 'docker.io/holdfast/pause:1';

export interface Pod {
  readonly sandboxId: string;
  readonly config: PodSandboxConfig;
}

/** A containerd of our own that serves the CRI, a collector over it, and pods in the host's network as a kubelet makes them. */
export interface CriWorld {
  readonly containerd: TestContainerd;
  readonly collector: ContainerCollector;
  addImage(name: string, env?: readonly string[]): Promise<void>;
  runPod(name: string, labels?: Readonly<Record<string, string>>): Promise<Pod>;
  /** Makes and starts a container; `name` and `attempt` as a kubelet counts them. */
  runContainer(pod: Pod, config: MessageInitShape<typeof ContainerConfigSchema>): Promise<string>;
  removeContainer(id: string): Promise<void>;
  look(id: string): Promise<SeenContainer>;
  close(): Promise<void>;
}

export async function startCriWorld(): Promise<CriWorld> {
  const containerd = await startContainerd({ sandboxImage: PAUSE });
  const channel = new Client(`unix://${containerd.address}`, credentials.createInsecure());
  const { method } = RuntimeService;
  const pods: string[] = [];
  const addImage = async (name: string, env: readonly string[] = []) => {
    const layers = [{ entries: await listBusyboxEntries() }];
    const config = { Cmd: ['sleep', '100000'], Env: ['PATH=/bin', ...env] };
    await containerd.addImage({ name: `docker.io/holdfast/${name}:1`, layers, config }, NAMESPACE);
  };
  const close = async () => {
    for (const podSandboxId of pods) {
      await callUnary(channel, method.stopPodSandbox, { podSandboxId }).catch(() => undefined);
      await callUnary(channel, method.removePodSandbox, { podSandboxId }).catch(() => undefined);
    }
    channel.close();
    await containerd.close();
    await removeNamespaceTraces(containerd.namespace);
  };
  try {
    await addImage('pause');
    await waitFor(
      () => callUnary(channel, method.listPodSandbox, {}),
      () => true,
    );
    const collector = await createContainerCollector({ address: containerd.address, pollMs: 100, sweepMs: 150 });
    await collector.start();
    const runPod = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<Pod> => {
      const uid = randomUUID();
      const own = {
        'io.kubernetes.pod.name': name,
        'io.kubernetes.pod.namespace': 'shop',
        'io.kubernetes.pod.uid': uid,
      };
      const config = create(PodSandboxConfigSchema, {
        metadata: { name, uid, namespace: 'shop' },
        labels: { ...labels, ...own },
        logDirectory: `${containerd.directory}/logs`,
        linux: {
          cgroupParent: `/${containerd.namespace}`,
          securityContext: { namespaceOptions: { network: NamespaceMode.NODE } },
        },
      });
      const { podSandboxId: sandboxId } = await callUnary(channel, method.runPodSandbox, { config });
      pods.push(sandboxId);
      return { sandboxId, config };
    };
    return {
      containerd,
      collector,
      addImage,
      runPod,
      runContainer: async ({ sandboxId, config: sandboxConfig }, wanted) => {
        const base: ContainerConfig = create(ContainerConfigSchema, wanted);
        const labels = { ...sandboxConfig.labels, 'io.kubernetes.container.name': base.metadata?.name ?? '' };
        const linux = create(LinuxContainerConfigSchema, {
          securityContext: { namespaceOptions: { network: NamespaceMode.NODE } },
        });
        const config = create(ContainerConfigSchema, { ...base, labels, linux: base.linux ?? linux });
        const request = { podSandboxId: sandboxId, config, sandboxConfig };
        const { containerId } = await callUnary(channel, method.createContainer, request);
        await callUnary(channel, method.startContainer, { containerId });
        return containerId;
      },
      removeContainer: async (containerId) => {
        await callUnary(channel, method.stopContainer, { containerId });
        await callUnary(channel, method.removeContainer, { containerId });
      },
      look: async (id) => readContainer(await settleCollector(collector), id),
      close: async () => {
        await collector.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
