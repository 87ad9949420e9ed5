// What the pages beside the conversations share: asking the gateway, and going to the sign-in when it wants that.

import { Refused, SignedOut } from './gateway.js';

const TIMEOUT_MS = 30_000;

/** What the gateway answers to a request. */
export async function ask(path, request = {}) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...request });
  if (response.status === 401) throw new SignedOut('not signed in');
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(body?.message ?? `The gateway answered ${response.status}`);
  return body;
}

/** The sign-in is on the first page. */
export function leaveIfSignedOut(error) {
  if (error instanceof SignedOut) location.assign('/');
}
