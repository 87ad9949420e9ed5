// What outlives a reload: the token, shared by all tabs, and what this tab has not got rid of yet. A browser that keeps
// nothing (private windows, blocked frames) still chats, until the page is closed.

const TOKEN = 'trunkline-chat-token';
const UNSENT = 'trunkline-chat-unsent';

const attempt = (work) => {
  try {
    return work();
  } catch {
    return null;
  }
};

export const readToken = () => attempt(() => localStorage.getItem(TOKEN));

export const keepToken = (token) => attempt(() => localStorage.setItem(TOKEN, token));

/** Messages that are not accepted yet: `{ id, text }`, oldest first. */
export function readUnsent() {
  const kept = attempt(() => JSON.parse(sessionStorage.getItem(UNSENT) ?? '[]'));
  return Array.isArray(kept) ? kept.filter((one) => typeof one?.id === 'string' && typeof one?.text === 'string') : [];
}

export const keepUnsent = (messages) =>
  attempt(() => sessionStorage.setItem(UNSENT, JSON.stringify(messages.map(({ id, text }) => ({ id, text })))));

/** Tells when another tab has begun a conversation. */
export function onToken(tell) {
  addEventListener('storage', (event) => {
    if (event.key === TOKEN && event.newValue) tell(event.newValue);
  });
}
