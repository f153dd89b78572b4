// What scripts/build puts into one file, without the modules that import() names: hundreds of small files would take
// longer to load than a directory takes to look through.
import { setFlagsFromString } from 'node:v8';
import { inventory } from './commands/inventory.ts';
import { isInventoryAlone } from './inventory-alone.ts';
import { runCommand } from './run-command-line.ts';
import { runProcess } from './run-process.ts';

if (isInventoryAlone(process.argv.slice(2))) {
  void runProcess(async (argv, io, signal) => {
    // It is over before optimized code would pay. On the command line these would make Node compile its own modules anew.
    for (const flag of ['--no-turbofan', '--no-maglev']) setFlagsFromString(flag);
    return await runCommand(inventory, argv.slice(1), io, signal);
  });
} else {
  // From the start again, with modules of its own: an error of one copy is none of the other's class.
  void import('./main.ts');
}
