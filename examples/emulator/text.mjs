// Texts somebody through a local Twilio and reads what they answer. Needs: npm install twilio
import twilio from 'twilio';

const URL = process.env.EMULATOR_URL ?? 'http://127.0.0.1:8090';

class Local extends twilio.RequestClient {
  request(options) {
    return super.request({ ...options, uri: options.uri.replace(/^https:\/\/[^/]+/, URL) });
  }
}

const account = await (await fetch(`${URL}/emulator/v1/account`)).json();
const client = twilio(account.account_sid, account.auth_token, { httpClient: new Local() });
await client.messages.create({ to: '+15550001111', from: account.phone_number, body: 'Table for two at seven?' });
await fetch(`${URL}/emulator/v1/messages`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ from: '+15550001111', body: 'At eight, please' }),
});
for (const { direction, status, body } of (await client.messages.list({ limit: 20 })).reverse()) {
  console.log(direction, status, body);
}
