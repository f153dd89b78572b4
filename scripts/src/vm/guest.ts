import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, type NamedProcess, nameProcess } from '../world/named-process.ts';
import type { GuestTpm } from './guest-tpm.ts';

export interface GuestDisks {
  /** Root; what the guest writes to it is forgotten. */
  readonly root: string;
  /** What the guest keeps. */
  readonly state: string;
  /** What the firmware boots. */
  readonly boot: string;
}

export interface GuestOptions {
  /** Consoles, sockets and firmware variables lie below it. */
  readonly directory: string;
  /** Name of this power-on; its console is `NAME.console`. */
  readonly name: string;
  readonly tpm: GuestTpm;
  readonly disks: GuestDisks;
  /** Firmware variables, which outlive power-ons. */
  readonly variables: string;
  /** Port of this machine that leads to the agent's; null for a guest without a network. */
  readonly agentPort: number | null;
}

/** One power-on of the machine, which may boot several times. */
export interface Guest {
  /** Waits until the console shows `pattern` at or after `from`; returns the position behind it, or null in time's end. */
  waitForText(pattern: RegExp, timeoutMs: number, from?: number): Promise<number | null>;
  /** All that the console showed. */
  readConsole(): Promise<string>;
  /** Tells the first process of the guest what to do: `reboot` or `poweroff`. */
  tell(word: string): Promise<void>;
  /** Waits until the machine is off. False when it is still on by then. */
  waitUntilOff(timeoutMs: number): Promise<boolean>;
  /** Pulls the plug of machine and TPM: no signal reaches the guest, no TPM2_Shutdown the TPM. Harmless when off. */
  pullPlug(): Promise<void>;
}

/** Where the agent listens in the guest. */
export const GUEST_AGENT_PORT = 50_051;
/** This machine as the guest sees it. */
export const HOST_ADDRESS = '10.0.2.2';
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd';
const TELL_MS = 20_000;
const MEMORY_MIB = '1024';

/** Switches the machine on: Secure Boot firmware, TPM, disks. It boots by itself. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const { directory, name } = options;
  const tpmSocket = join(directory, 'tpm.ctrl');
  const control = join(directory, 'control');
  const consoleFile = join(directory, `${name}.console`);
  await rm(control, { force: true });
  await writeFile(consoleFile, '');
  const tpm = await options.tpm.start(tpmSocket);
  const args = describeMachine(options, { tpmSocket, control, consoleFile });
  const log: Buffer[] = [];
  // Dies with this process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const machine = await nameProcess('qemu', child.pid).catch(async (error: unknown) => {
    await kill(tpm);
    throw error;
  });
  const readConsole = async () => (await readFile(consoleFile)).toString('latin1');
  const isOn = async () => await isRunning(machine);
  return {
    readConsole,
    waitForText: async (pattern, timeoutMs, from = 0) => {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const found = pattern.exec((await readConsole()).slice(from));
        if (found !== null) return from + found.index + found[0].length;
        if (!(await isOn())) throw new Error(`the machine ended: ${Buffer.concat(log).toString().trim().slice(-500)}`);
        if (Date.now() > deadline) return null;
        await delay(200);
      }
    },
    tell: async (word) => {
      const socket = connect(control);
      await once(socket, 'connect');
      // What the line echoes would keep the socket from closing; and the machine may be gone before it does.
      socket.resume().on('error', () => undefined);
      socket.end(`${word}\n`);
      if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(TELL_MS) });
    },
    waitUntilOff: async (timeoutMs) => {
      const deadline = Date.now() + timeoutMs;
      while (await isOn()) {
        if (Date.now() > deadline) return false;
        await delay(100);
      }
      return true;
    },
    pullPlug: async () => {
      await kill(machine);
      await kill(tpm);
    },
  };
}

async function kill(named: NamedProcess): Promise<void> {
  while (await isRunning(named)) {
    process.kill(named.pid, 'SIGKILL');
    await delay(20);
  }
}

interface Channels {
  readonly tpmSocket: string;
  readonly control: string;
  readonly consoleFile: string;
}

type Setting = readonly [flag: string, value: string];

function describeMachine(options: GuestOptions, { tpmSocket, control, consoleFile }: Channels): string[] {
  const { disks } = options;
  const settings: Setting[] = [
    ['-M', 'q35,smm=on'],
    ['-global', 'driver=cfi.pflash01,property=secure,value=on'],
    ['-global', 'ICH9-LPC.disable_s3=1'],
    ['-accel', 'tcg,thread=multi'],
    ['-cpu', 'max'],
    ['-smp', '2'],
    ['-m', MEMORY_MIB],
    ['-display', 'none'],
    ['-monitor', 'none'],
    ['-chardev', `file,id=console,path=${quote(consoleFile)}`],
    ['-serial', 'chardev:console'],
    ['-chardev', `socket,id=control,path=${quote(control)},server=on,wait=off`],
    ['-serial', 'chardev:control'],
    ['-drive', `if=pflash,format=raw,unit=0,file=${FIRMWARE},readonly=on`],
    ['-drive', `if=pflash,format=raw,unit=1,file=${quote(options.variables)}`],
    ['-chardev', `socket,id=tpm,path=${quote(tpmSocket)}`],
    ['-tpmdev', 'emulator,id=tpm0,chardev=tpm'],
    ['-device', 'tpm-crb,tpmdev=tpm0'],
    // One controller with three name spaces: their numbers do not depend on which controller answers first.
    ['-device', 'nvme,id=disks,serial=holdfast'],
    ...describeDisk({ id: 'root', file: disks.root, nsid: 1, more: ',snapshot=on' }),
    ...describeDisk({ id: 'state', file: disks.state, nsid: 2, more: '' }),
    ...describeDisk({ id: 'boot', file: disks.boot, nsid: 3, more: ',readonly=on' }, ',bootindex=1'),
    ...describeNetwork(options.agentPort),
  ];
  return ['-nodefaults', ...settings.flat()];
}

interface Disk {
  readonly id: string;
  readonly file: string;
  readonly nsid: number;
  readonly more: string;
}

function describeDisk({ id, file, nsid, more }: Disk, place = ''): Setting[] {
  return [
    ['-drive', `if=none,id=${id},format=raw,file=${quote(file)}${more}`],
    ['-device', `nvme-ns,drive=${id},bus=disks,nsid=${nsid}${place}`],
  ];
}

function describeNetwork(agentPort: number | null): Setting[] {
  if (agentPort === null) return [['-net', 'none']];
  return [
    ['-netdev', `user,id=net0,hostfwd=tcp:127.0.0.1:${agentPort}-:${GUEST_AGENT_PORT}`],
    ['-device', 'virtio-net-pci,netdev=net0,romfile='],
  ];
}

/** A comma would begin the next property. */
function quote(path: string): string {
  return path.replaceAll(',', ',,');
}
