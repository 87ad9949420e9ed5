// An agent on the bus: reads texts, answers by commands. Needs nothing but Node.js 20 or later.
//
//   npm ci && npm run build
//   TRUNKLINE_URL=http://127.0.0.1:8080 TRUNKLINE_CONSOLE_TOKEN=... npm start
//
// The gateway runs with TRUNKLINE_AGENT=none. Kill this program whenever you like: a text that it had in hand comes again
// when its lease is over, and the id of the command makes sure that it is answered once.

import { setTimeout as sleep } from "node:timers/promises";

interface Envelope<Data> {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  traceparent?: string;
  data: Data;
}

interface MessageReceived {
  from: string;
  text: string;
  channel: "sms" | "whatsapp" | "chat" | "email";
  metadata: { conversation: string; message: string; index: number; created: string };
}

interface SendMessage {
  connector: string;
  conversation: string;
  text: string;
  in_reply_to: string[];
}

interface Delivery {
  delivery: string;
  attempt: number;
  answer?: "waiting" | "answered" | "history";
  envelope: Envelope<unknown>;
}

class Refused extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

const setting = (name: string, fallback?: string): string => {
  const value = process.env[name] || fallback;
  if (!value) {
    console.error(`agent: ${name} is not set`);
    process.exit(64);
  }
  return value;
};

const url = setting("TRUNKLINE_URL", "http://127.0.0.1:8080");
const token = setting("TRUNKLINE_CONSOLE_TOKEN");
const consumer = setting("AGENT_CONSUMER", "example");
const leaseMs = Number(setting("AGENT_LEASE_MS", "60000"));
// How long this agent thinks, so that there is a moment to kill it in.
const thinkMs = Number(setting("AGENT_THINK_MS", "0"));
// An answer that does not come is given up; longer than the gateway may wait for a fact.
const patienceMs = 45_000;

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/bus/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
    redirect: "error",
    signal: AbortSignal.timeout(patienceMs),
  });
  const answer = (await response.json()) as Answer & { code?: string; message?: string };
  if (!response.ok) throw new Refused(response.status, answer.code ?? "", answer.message ?? "");
  return answer;
}

async function answer(text: Envelope<MessageReceived>): Promise<void> {
  await sleep(thinkMs);
  const { metadata } = text.data;
  const command: Envelope<SendMessage> = {
    specversion: "1.0",
    // The same for the same text, however often it comes: that makes it one answer.
    id: `reply-to-${metadata.message}`,
    source: "example-agent",
    type: "message.send.v1",
    subject: text.subject,
    time: new Date().toISOString(),
    ...(text.traceparent ? { traceparent: text.traceparent } : {}),
    data: {
      connector: text.source,
      conversation: metadata.conversation,
      text: `You wrote ${[...text.data.text].length} characters.`,
      in_reply_to: [metadata.message],
    },
  };
  try {
    await call("POST", "egress", command);
  } catch (error) {
    // Somebody has answered it already: nothing is left to do.
    if (!(error instanceof Refused && error.code === "store.already_answered")) throw error;
  }
}

async function treat(delivery: Delivery): Promise<void> {
  if (delivery.envelope.type === "message.received.v1" && delivery.answer === "waiting") {
    // Names and numbers only: what people write has no place in a log.
    console.error(`agent: ${delivery.envelope.id}, attempt ${delivery.attempt}`);
    try {
      await answer(delivery.envelope as Envelope<MessageReceived>);
    } catch (error) {
      console.error(`agent: a text could not be answered: ${error instanceof Error ? error.message : "?"}`);
      await call("POST", "ack", { nack: [{ delivery: delivery.delivery, delay_ms: 1000 }] });
      return;
    }
  }
  await call("POST", "ack", { ack: [delivery.delivery] });
}

console.error("agent: waiting for texts");
for (;;) {
  try {
    const query = new URLSearchParams({ consumer, limit: "1", wait_ms: "20000", lease_ms: String(leaseMs) });
    const page = await call<{ deliveries: Delivery[] }>("GET", `ingress?${query}`);
    for (const delivery of page.deliveries) await treat(delivery);
  } catch (error) {
    // The gateway is away, or an earlier request of ours still waits there.
    console.error(`agent: trying again: ${error instanceof Error ? error.message : "?"}`);
    await sleep(500);
  }
}
