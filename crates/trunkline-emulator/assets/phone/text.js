// Numbers, times and sizes as a person reads them. Pure functions, no DOM.

const E164 = /^\+[1-9]\d{6,14}$/;
// Country codes of one and two digits; all others have three.
const COUNTRY = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
const GSM_BASIC = /^[\n\r !"#$%&'()*+,\-./0-9:;<=>?@A-Z_a-z¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ^{}\\[~\]|€]*$/u;
const GSM_EXTENDED = /[\^{}\\[~\]|€]/gu;
const PICTURES = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u200d|\ufe0f|\s)+$/u;

/** The number in E.164 form, or null. Spaces, dots, dashes and brackets are forgiven; a query's `+` arrives as a space. */
export function parseNumber(text) {
  const digits = String(text ?? '').trim().replace(/^whatsapp:/i, '').replace(/[\s().\-\u00a0]/g, '');
  const number = digits.startsWith('+') ? digits : `+${digits}`;
  return E164.test(number) ? number : null;
}

/** `+15550001111` as `+1 555 000 1111`; other countries' numbers in threes after the country. */
export function showNumber(address) {
  const number = String(address ?? '').replace(/^whatsapp:/, '');
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  if (american) return `+1\u00a0${american[1]}\u00a0${american[2]}\u00a0${american[3]}`;
  const abroad = E164.test(number) && COUNTRY.exec(number);
  return abroad ? `+${abroad[1]}\u00a0${abroad[2].replace(/(\d{3})(?=\d{2})/g, '$1\u00a0')}` : number;
}

/** How many texts a carrier makes of this body, and how many characters are left in the last one. */
export function segments(body) {
  const gsm = GSM_BASIC.test(body);
  const units = gsm ? body.length + (body.match(GSM_EXTENDED)?.length ?? 0) : body.length;
  const [single, part] = gsm ? [160, 153] : [70, 67];
  const count = units <= single ? 1 : Math.ceil(units / part);
  return { count, left: (count === 1 ? single : count * part) - units };
}

/** One to three emoji and nothing else: shown large. */
export function isPictures(body) {
  if (!body || body.length > 40 || !PICTURES.test(body)) return false;
  const graphemes = [...new Intl.Segmenter().segment(body.replace(/\s/g, ''))];
  return graphemes.length > 0 && graphemes.length <= 3;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export const showTime = (date) => clock.format(date);

export function showDay(date, now = new Date()) {
  const day = (when) => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();
  const days = Math.round((day(now) - day(date)) / 86_400_000);
  if (days === 0) return 'Today';
  return days === 1 ? 'Yesterday' : weekday.format(date);
}

export function showBytes(size) {
  if (!Number.isFinite(size)) return '';
  if (size < 1000) return `${size} B`;
  return size < 1_000_000 ? `${Math.round(size / 1000)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}
