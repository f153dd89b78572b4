import type { ImageViewOptions } from '@holdfast/agent';
import { usageError } from './cli-error.ts';
import type { Flags, OptionSpec } from './command.ts';

/** For commands that read an image. */
export const PLATFORM_OPTION: OptionSpec = {
  type: 'string',
  value: 'OS/ARCH[/VARIANT]',
  help: "the image of this platform; without it, this machine's where there are several",
};

/** Reads `--platform`. Throws a usage error for what is none. */
export function choosePlatform(flags: Flags): Pick<ImageViewOptions, 'platform'> {
  const text = flags.text('platform');
  if (text === undefined) return {};
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9._]+))?$/.exec(text) ?? [];
  if (os === undefined || architecture === undefined)
    throw usageError('--platform takes OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64 or linux/arm/v7');
  return { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}
