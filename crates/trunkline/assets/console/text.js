// Addresses, times and states as a person reads them. Pure functions, no DOM.

const CHANNELS = { sms: 'SMS', mms: 'MMS', rcs: 'RCS', whatsapp: 'WhatsApp', messenger: 'Messenger', chat: 'Chat' };
const CONNECTORS = { twilio: 'Twilio', 'twilio-messaging': 'Twilio Messaging', webchat: 'Web chat' };
/** States that need no badge: nothing happens and nothing is wrong. */
const QUIET_STATES = new Set(['', 'idle', 'active', 'inactive', 'open']);
const STATE_TONES = { answering: 'busy', failed: 'bad', handed_over: 'warn', opted_out: 'warn', paused: 'warn' };
const STATUS_TONES = { failed: 'bad', undelivered: 'bad', read: 'good', delivered: 'good' };

/** `whatsapp:+15550001111` as `+1 555 000 1111`; what is no number stays as it is. */
export function showAddress(address) {
  const plain = String(address ?? '').replace(/^(?:whatsapp|rcs|messenger):/, '');
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(plain);
  if (american) return `+1\u00a0${american[1]}\u00a0${american[2]}\u00a0${american[3]}`;
  const abroad = plain.length <= 16 && COUNTRY.exec(plain);
  if (!abroad) return plain || 'Unknown contact';
  return `+${abroad[1]}\u00a0${abroad[2].replace(/(\d{3})(?=\d{2})/g, '$1\u00a0')}`;
}

export const showConnector = (connector) => CONNECTORS[connector] ?? words(connector || 'connector');

export const showChannel = (channel) => CHANNELS[channel] ?? words(channel || 'chat');

/** The badge of a conversation's state, or null where none is needed. */
export function stateBadge(state) {
  const name = String(state ?? '');
  return QUIET_STATES.has(name) ? null : { text: words(name), tone: STATE_TONES[name] ?? 'plain' };
}

const TICKS = { created: '✓', sent: '✓', delivered: '✓✓', read: '✓✓', failed: '!', undelivered: '!' };

/** The mark beside a status: one tick when the platform has it, two when the telephone has. */
export const statusTick = (status) => TICKS[status] ?? '';

export const statusTone = (status) => STATUS_TONES[status] ?? 'plain';

const MACHINE_TONES = { on_hold: 'warn', listening: 'plain', thinking: 'busy', speaking: 'busy', handed_over: 'warn', failed: 'bad' };
const OUTCOME_TONES = { failed: 'bad', error: 'bad', handed_over: 'warn' };
/** Outcomes of which the row already says everything. */
const QUIET_OUTCOMES = new Set(['', 'completed']);

/** The badge of a call: what the turn machine does while it goes on, or how it ended; null where none is needed. */
export function callBadge({ machine, state, outcome }) {
  if (outcome === undefined) {
    const name = String(machine || state || '');
    return name ? { text: words(name), tone: MACHINE_TONES[name] ?? 'plain' } : null;
  }
  const name = String(outcome ?? '');
  return QUIET_OUTCOMES.has(name) ? null : { text: words(name), tone: OUTCOME_TONES[name] ?? 'plain' };
}

export const isOutbound = ({ direction }) => String(direction ?? '').startsWith('out');

/** `handed_over` as `Handed over`. */
export function words(name) {
  const text = String(name ?? '').replaceAll('_', ' ');
  return text ? text[0].toUpperCase() + text.slice(1) : '';
}

// Country codes of one and two digits; all others have three.
const COUNTRY = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const fullDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const number = new Intl.NumberFormat();

export const showTime = (date) => clock.format(date);
export const showNumber = (value) => (Number.isFinite(value) ? number.format(value) : '–');

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const daysBefore = (date, now) => Math.round((startOfDay(now) - startOfDay(date)) / 86_400_000);

export function showAge(date, now = new Date()) {
  const minutes = Math.floor((now - date) / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes}m`;
  const days = daysBefore(date, now);
  if (days === 0) return `${Math.floor(minutes / 60)}h`;
  if (days === 1) return 'Yesterday';
  return (date.getFullYear() === now.getFullYear() ? shortDate : fullDate).format(date);
}

export function showDay(date, now = new Date()) {
  const days = daysBefore(date, now);
  if (days === 0) return 'Today';
  return days === 1 ? 'Yesterday' : longDay.format(date);
}

export function showBytes(size) {
  if (!Number.isFinite(size)) return '';
  if (size < 1000) return `${size} B`;
  return size < 1_000_000 ? `${Math.round(size / 1000)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

/** Seconds as `0:07`, `12:05` or `1:00:00`. */
export function showDuration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function dateOf(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}
