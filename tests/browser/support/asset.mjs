// Loads a module of the pages into Node, which takes a file called .js without a package around it for CommonJS.

import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { ROOT } from './program.mjs';

/** The exports of one file of the phone page. It may import nothing itself. */
export async function phoneModule(name) {
  const source = await readFile(path.join(ROOT, 'crates/trunkline-emulator/assets/phone', name), 'base64');
  return import(`data:text/javascript;base64,${source}`);
}
