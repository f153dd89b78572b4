import type { Invocation } from './command.ts';

export interface Service {
  readonly listenAddress: string;
  close(): Promise<void>;
}

/**
 * Runs a service until the process is told to stop, then closes it. In JSON mode the one document names the address, so
 * that a script that asked for port 0 learns the port.
 */
export async function serveUntilStopped(name: string, service: Service, invocation: Invocation): Promise<void> {
  const { terminal, signal } = invocation;
  terminal.printJson({ service: name, listenAddress: service.listenAddress === '' ? null : service.listenAddress });
  if (service.listenAddress !== '') terminal.print(`${name} listens on ${service.listenAddress}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  terminal.note(`${name} is stopping`);
  await service.close();
}

/** Sets a value at a path of names in settings, making objects on the way. Undefined values change nothing. */
export function overrideSetting(settings: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (value === undefined || name === undefined) return;
  if (rest.length === 0) {
    settings[name] = value;
    return;
  }
  const inner = settings[name];
  const next = typeof inner === 'object' && inner !== null ? { ...inner } : {};
  settings[name] = next;
  overrideSetting(next, rest, value);
}
