// Debian's Chromium, driven by Playwright. Without it the tests fail: a page that no browser has opened is not tested.

import { access, constants, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { ROOT } from './program.mjs';

const EXECUTABLE = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
const RESULTS = path.join(ROOT, 'test-results');
const PATIENCE_MS = 10_000;
// Chromium calls home at every start unless told not to; a test machine has nobody to call.
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export const LAPTOP = { width: 1280, height: 800 };
export const TELEPHONE = { width: 390, height: 844 };

/** `flags` are more of Chromium's. */
export async function createBrowser(flags = []) {
  await access(EXECUTABLE, constants.X_OK).catch(() => {
    throw new Error(`no Chromium at ${EXECUTABLE}: install Debian's package "chromium", or name one in CHROMIUM_BIN`);
  });
  await mkdir(RESULTS, { recursive: true });
  const profile = await mkdtemp(path.join(tmpdir(), 'trunkline-chromium-'));
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [...FLAGS, ...flags, `--crash-dumps-dir=${profile}`],
    env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
  });

  /** A page of its own: no cookie and no storage is shared. `complaints` are script errors and blocked content. */
  async function open(url, { viewport = LAPTOP, colorScheme = 'light' } = {}) {
    const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB', deviceScaleFactor: 1 });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) complaints.push(message.text());
    });
    await page.goto(url);
    return { page, complaints, close: () => context.close() };
  }

  return {
    open,
    shot: (page, name) => page.screenshot({ path: path.join(RESULTS, `${name}.png`), animations: 'disabled' }),
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** How many pixels the page is wider than its window; 0 is what a telephone wants. */
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
