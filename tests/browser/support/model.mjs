// A model that takes its time: it speaks the chat completions protocol, and answers when the test lets it.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** `url` is what OPENAI_BASE_URL wants; nothing is answered until `speak(text)`, which answers every question so far. */
export async function createModel() {
  const waiting = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => waiting.push(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    asked: () => waiting.length,
    speak(text) {
      const chunk = {
        id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm',
        choices: [{ index: 0, delta: { content: text }, finish_reason: 'stop' }],
      };
      for (const response of waiting.splice(0)) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
