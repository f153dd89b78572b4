import { findLayout } from '@holdfast/agent';

/**
 * Whether a command line asks for the inventory of a directory and for nothing that loads more than that takes: another
 * form than the table and --json, an image layout, a container, help.
 */
export function isInventoryAlone(argv: readonly string[]): boolean {
  const [command, ...words] = argv;
  const names = words.filter((word) => word !== '--json');
  const [name = '-'] = names;
  if (command !== 'inventory' || names.length !== 1) return false;
  return !name.startsWith('-') && !name.startsWith('container:') && findLayout(name) === undefined;
}
