// Somebody else's site: a page of another origin, with the button of the chat.

import { once } from 'node:events';
import { createServer } from 'node:http';

export async function createSite() {
  let page = '';
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(page);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Shows the button of the chat at `gateway`. */
    embed(gateway) {
      page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>A shop</title><body><h1>A shop</h1><p>${'Things to buy. '.repeat(80)}</p>
        <script src="${gateway}/chat/embed.js" data-label="Ask us" async></script></body></html>`;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
