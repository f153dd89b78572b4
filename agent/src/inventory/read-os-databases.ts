import { readApk } from './apk/read-apk.ts';
import { readDpkg } from './deb/read-dpkg.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import type { OsDatabase } from './os-package.ts';
import { readRpm } from './rpm/read-rpm.ts';

/** Reads the databases of every package format of operating systems. */
export function readOsDatabases(builder: InventoryBuilder, osId: string | undefined): OsDatabase[] {
  const all = [readDpkg(builder, osId), readApk(builder, osId), readRpm(builder, osId)];
  return all.filter((database) => database.databases.length > 0);
}
