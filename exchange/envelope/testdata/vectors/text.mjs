// The text of an envelope: base64url and JSON, exactly as the specification has
// them. No member name is special, no number is rounded.
import crypto from 'node:crypto';

export class Refusal extends Error {
  constructor(verdict, why) { super(why); this.verdict = verdict; }
}
export const need = (verdict, holds, why) => { if (!holds) throw new Refusal(verdict, why); };
export const form = (holds, why) => need('malformed', holds, why);

export function decode64(text) {
  const bytes = Buffer.from(text, 'base64url');
  form(bytes.toString('base64url') === text, 'canonical base64url');
  return bytes;
}
export const digest = (bytes) => crypto.createHash('sha256').update(bytes).digest('base64url');

// A member of an object is an entry of a Map: no name is special. A number that
// is no integer within 2^53 is a Fraction, which only a message may hold.
class Fraction {}

export function parseJSON(bytes, prose = false) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal('malformed', 'UTF-8');
  }
  let at = 0, depth = 0;
  const skip = () => { while (' \t\n\r'.includes(text[at] || 'x')) at++; };
  const take = (c) => { skip(); form(text[at] === c, `${c} is missing`); at++; };
  const next = () => { skip(); return text[at]; };

  function string() {
    take('"');
    let out = '';
    for (;;) {
      form(at < text.length, 'a closing quotation mark');
      const c = text[at++];
      if (c === '"') break;
      if (c !== '\\') { form(c >= ' ', 'a raw control character'); out += c; continue; }
      const e = text[at++];
      if (e === 'u') {
        const hex = text.slice(at, at + 4);
        form(/^[0-9A-Fa-f]{4}$/.test(hex), 'four hexadecimal digits');
        at += 4;
        out += String.fromCharCode(parseInt(hex, 16));
        const low = text.slice(at, at + 2) === '\\u';
        form(!/[\ud800-\udbff]$/.test(out) || low, 'the second half of a pair');
      } else {
        const i = '"\\/bfnrt'.indexOf(e || 'x');
        form(i >= 0, 'a known escape');
        out += '"\\/\b\f\n\r\t'[i];
      }
    }
    for (const s of out) form(allowed(s.codePointAt(0), prose), 'a character that may not stand');
    return out;
  }
  function number() {
    const token = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/.exec(text.slice(at, at + 80))?.[0];
    form(token && !/[0-9]/.test(text[at + token.length] || 'x'), 'a number');
    at += token.length;
    const integer = /^-?[0-9]+$/.test(token) && token !== '-0' && Number.isSafeInteger(Number(token));
    form(integer || (prose && token.length <= 64), 'an integer');
    return integer ? Number(token) : new Fraction();
  }
  function members(close, element) {
    at++;
    form(++depth <= 16, 'at most 16 levels');
    for (let n = 0; next() !== close; n++) {
      if (n > 0) { take(','); form(next() !== close, 'a value after the comma'); }
      element();
    }
    at++;
    depth--;
  }
  function value() {
    const c = next();
    if (c === '{') {
      const object = new Map(), from = at;
      members('}', () => {
        const name = string();
        form(!object.has(name), 'each name once');
        take(':');
        object.set(name, value());
      });
      object.text = text.slice(from, at);
      return object;
    }
    if (c === '[') {
      const list = [];
      members(']', () => list.push(value()));
      return list;
    }
    if (c === '"') return string();
    for (const [word, v] of [['true', true], ['false', false], ['null', null]]) {
      if (text.startsWith(word, at)) { at += word.length; return v; }
    }
    return number();
  }
  const v = value();
  skip();
  form(at === text.length, 'nothing after the value');
  return v;
}

export function allowed(c, prose) {
  if (prose && (c === 9 || c === 10 || c === 13)) return true;
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c === 0xfeff || (c & 0xfffe) === 0xfffe) return false;
  if (c >= 0xd800 && c <= 0xdfff) return false;
  if ((c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) return prose;
  return true;
}
