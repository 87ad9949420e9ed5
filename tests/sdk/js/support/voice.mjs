// What a test of calls needs: Twilio's server SDK pointed at the emulator, and a server that calls ask for documents.

import { once } from 'node:events';
import { createServer } from 'node:http';

import twilio from 'twilio';

const ANSWER_WITHIN_MS = 20_000;
const OVER = ['completed', 'busy', 'failed', 'no-answer', 'canceled'];

/** The HTTP client that the SDK documents as its extension point; what is meant for Twilio goes to the emulator. */
class LocalClient extends twilio.RequestClient {
  constructor(base) {
    super();
    this.base = new URL(base);
    this.requests = 0;
    /** Method and path of what the emulator did not refuse. */
    this.carriedOut = new Set();
  }

  async request(options) {
    const target = new URL(options.uri);
    if (target.host.endsWith('.twilio.com')) {
      Object.assign(target, { protocol: this.base.protocol, host: this.base.host, port: this.base.port });
    } else if (target.host !== this.base.host) {
      throw new Error(`the SDK was sent to a foreign host: ${target.host}`);
    }
    this.requests += 1;
    const answer = await super.request({ ...options, uri: target.href });
    if (answer.statusCode < 400) this.carriedOut.add(`${options.method.toLowerCase()} ${target.pathname}`);
    return answer;
  }
}

/** The SDK's client for the emulator's account. */
export function restClient(emulator) {
  const { account_sid: sid, auth_token: token } = emulator.account();
  return twilio(sid, token, { httpClient: new LocalClient(emulator.url) });
}

/** Whether a call is over. */
export const isOver = (call) => OVER.includes(call.status);

/**
 * A server of documents. Every request must carry a signature that the SDK's own `validateRequest` accepts; `next`
 * gives the parameters of the next one at a path.
 */
export async function createVoiceServer(authToken) {
  const documents = new Map();
  const arrived = new Map();
  const waiting = new Map();
  const queue = (table, path) => table.get(path) ?? table.set(path, []).get(path);

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = new URL(request.url, url).pathname;
    const parameters = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    const signature = request.headers['x-twilio-signature'] ?? '';
    const genuine = twilio.validateRequest(authToken, signature, url + request.url, parameters);
    const forged = twilio.validateRequest(authToken, signature, url + request.url, { ...parameters, CallSid: 'CA0' });
    const one = { genuine: genuine && !forged, parameters };
    const taker = queue(waiting, path).shift();
    if (taker) taker(one); else queue(arrived, path).push(one);
    const document = documents.get(path);
    response.writeHead(document ? 200 : 204, document ? { 'Content-Type': 'text/xml' } : {});
    response.end(document);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;

  async function next(path) {
    const one = queue(arrived, path).shift() ?? await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nothing asked for ${path} in time`)), ANSWER_WITHIN_MS);
      queue(waiting, path).push((found) => { clearTimeout(late); resolve(found); });
    });
    if (!one.genuine) throw new Error(`the request for ${path} has no good signature`);
    return one.parameters;
  }

  /** Answers at `path` with a document. */
  function document(path, text) {
    documents.set(path, String(text));
    return url + path;
  }

  /** A document that keeps a call up and asks for itself each second: whoever takes the requests counts seconds. */
  const ticking = (path) => document(path, `<Response><Pause length="1"/><Redirect>${path}</Redirect></Response>`);

  async function close() {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  return { url, next, document, ticking, close };
}
