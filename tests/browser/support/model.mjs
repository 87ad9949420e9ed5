// A model that takes its time: it speaks the chat completions protocol, and answers when the test lets it.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** `url` is what OPENAI_BASE_URL wants; nothing is answered until `speak(text)`, which answers every question so far, or
 * `call(tool, given)`, which asks for a tool in place of an answer. */
export async function createModel() {
  const waiting = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => waiting.push(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function say(delta, reason) {
    const chunk = {
      id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm',
      choices: [{ index: 0, delta, finish_reason: reason }],
    };
    for (const response of waiting.splice(0)) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    }
  }

  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    asked: () => waiting.length,
    speak: (text) => say({ content: text }, 'stop'),
    call: (tool, given) => say({
      tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: { name: tool, arguments: JSON.stringify(given) } }],
    }, 'tool_calls'),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
