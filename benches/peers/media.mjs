// A plain Node.js handler of Media Streams, as most are written: `ws`, JSON, and the codec by a table. It decodes each
// frame to 16 bits, encodes it again and sends it back. `node media.mjs HOST PORT`
import { WebSocketServer } from "ws";

const [host, port] = process.argv.slice(2);

const decoded = new Int16Array(256);
for (let code = 0; code < 256; code += 1) {
  const bits = ~code & 0xff;
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7);
  decoded[code] = bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

// By the 14 bits that decide.
const encoded = new Uint8Array(16384);
for (let index = 0; index < encoded.length; index += 1) {
  const sample = (index - 8192) << 2;
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32635) + 0x84;
  const exponent = 24 - Math.clz32(magnitude);
  encoded[index] = ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

const server = new WebSocketServer({ host, port: Number(port), perMessageDeflate: false });
server.on("connection", (socket) => {
  let streamSid = "";
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.event === "start") {
      streamSid = message.start.streamSid;
    } else if (message.event === "media") {
      const codes = Buffer.from(message.media.payload, "base64");
      const linear = new Int16Array(codes.length);
      for (let at = 0; at < codes.length; at += 1) linear[at] = decoded[codes[at]];
      const out = Buffer.allocUnsafe(linear.length);
      for (let at = 0; at < linear.length; at += 1) out[at] = encoded[(linear[at] >> 2) + 8192];
      socket.send(JSON.stringify({ event: "media", streamSid, media: { payload: out.toString("base64") } }));
    }
  });
  socket.on("error", () => socket.terminate());
});
