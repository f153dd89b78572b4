import { readApk } from './apk/read-apk.ts';
import { readDpkg } from './deb/read-dpkg.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import type { OsDatabase } from './os-package.ts';

/** Reads the databases of every package format of operating systems. */
export function readOsDatabases(builder: InventoryBuilder, osId: string | undefined): OsDatabase[] {
  return [readDpkg(builder, osId), readApk(builder, osId)].filter((database) => database.databases.length > 0);
}
