// A second implementation of the envelope, small enough to read in one sitting:
// it checks and opens what the vectors hold, with node:crypto alone, and says its
// verdict on each. It was written from README.md and the package comment of
// exchange/envelope, and it never looks at expect, reason, layer or legal_jose.
//
//   node run.mjs [DIRECTORY]     one line per vector: verdict, name; exit status
//                                1 if any verdict is not the one that is expected
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { Refusal, allowed, decode64, digest, form, need, parseJSON } from './text.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// ---- Shapes: JSON Schema, of which meta.v1.schema.json is one.

const types = {
  object: (v) => v instanceof Map, array: Array.isArray, string: (v) => typeof v === 'string',
  integer: (v) => typeof v === 'number', boolean: (v) => typeof v === 'boolean',
};

function check(v, s) {
  if (s.anyOf) { form(s.anyOf.some((a) => { try { check(v, a); return true; } catch { return false; } }), 'anyOf'); return; }
  form(!s.type || types[s.type](v), s.type);
  form(!('const' in s) || v === s.const, s.const);
  form(!s.enum || s.enum.includes(v), 'enum');
  if (typeof v === 'string') {
    form(!s.pattern || new RegExp(s.pattern, 'u').test(v), s.pattern);
    form([...v].length >= (s.minLength ?? 0) && [...v].length <= (s.maxLength ?? Infinity), 'length');
    form(!s.bytes64 || decode64(v).length === s.bytes64, 'base64url of so many bytes');
    form(!s.test || s.test(v), 'test');
  } else if (typeof v === 'number') {
    form(v >= (s.minimum ?? -Infinity) && v <= (s.maximum ?? Infinity), 'range');
  } else if (Array.isArray(v)) {
    form(v.length >= (s.minItems ?? 0) && v.length <= (s.maxItems ?? Infinity), 'items');
    form(!s.uniqueItems || new Set(v).size === v.length, 'distinct');
    for (const e of v) check(e, s.items ?? {});
  } else if (v instanceof Map) {
    for (const name of s.required ?? []) form(v.has(name), `${name} is required`);
    form(v.size <= (s.maxProperties ?? Infinity), 'members');
    for (const [name, e] of v) {
      if (s.propertyNames) check(name, s.propertyNames);
      const known = s.properties && Object.hasOwn(s.properties, name);
      form(known || s.additionalProperties !== false, `${name} is unknown`);
      check(e, (known ? s.properties[name] : s.additionalProperties) ?? {});
    }
  }
}

const object = (properties, optional = {}) => ({ type: 'object', additionalProperties: false, required: Object.keys(properties), properties: { ...properties, ...optional } });
const text = (pattern) => ({ type: 'string', pattern });
const prose = (minLength, maxLength) => ({ type: 'string', minLength, maxLength });
const integer = (minimum, maximum = Number.MAX_SAFE_INTEGER) => ({ type: 'integer', minimum, maximum });
const list = (items, minItems, maxItems, uniqueItems = false) => ({ type: 'array', items, minItems, maxItems, uniqueItems });
const dict = (propertyNames, additionalProperties, maxProperties) => ({ type: 'object', propertyNames, additionalProperties, maxProperties });
const constant = (c) => ({ const: c });
const bytes64 = (n) => ({ type: 'string', bytes64: n });
const mebi = 1 << 20;

const code = text('^[A-Za-z0-9._:/-]{1,64}$');
const agency = text('^[a-z0-9-]{1,32}/[a-z0-9-]{1,64}$');
const id = text('^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$');
const origin = text('^[A-Za-z0-9._:/-]{1,255}$');
const officer = text('^[A-Za-z0-9._-]{1,64}$');
const sha256 = bytes64(32);
const time = integer(0);
const meta = JSON.parse(fs.readFileSync(path.join(here, '..', '..', 'meta.v1.schema.json'), 'utf8'));

const parts = {
  manifest: { typ: 'liaison-manifest+jwt', use: 'sig', max: 24 << 10, payload: object({
    exchange: origin, iss: agency, aud: list(agency, 1, 31, true), jti: id, iat: time, exp: time, statement_sha256: sha256,
    content: object({ sha256, size: integer(1, 8 * mebi), plaintext_sha256: sha256 }), meta,
  }, { attachments: list(object({ sha256, size: integer(56) }), 0, 64) }) },
  statement: { typ: 'liaison-statement+jwt', use: 'sig', max: 6 << 10, payload: object({
    iss: agency, jti: id, officer, justification: prose(20, 500), approvals: list(object({ approver: officer, role: code, at: time }), 0, 16),
    subject_refs: list({ type: 'string', test: (r) => decode64(r).length >= 16 && decode64(r).length <= 64 }, 0, 100, true),
    texts: dict(text('^[a-z0-9_]{1,64}$'), prose(1, 2000), 32),
  }) },
  acknowledgement: { typ: 'liaison-ack+jwt', use: 'sig', max: 16 << 10, payload: object({
    exchange: origin, iss: agency, sub: id, iat: time, manifest_sha256: sha256, decision: code, obligations: list(object({ code, params: { type: 'object' } }), 0, 64),
  }) },
  approval: { typ: 'liaison-approval+jwt', use: 'approve', max: 4 << 10, payload: object({
    exchange: origin, iss: agency, sub: id, iat: time, manifest_sha256: sha256, recipient: agency, codes: list(code, 1, 16, true), verdict: { enum: ['granted', 'refused'] },
  }) },
};
const message = object({ salt: sha256 }, {
  subject: prose(0, 1000), text: prose(0, 8 * mebi), structured: object({ format: code, body: {} }), counts: dict(code, integer(0), 256),
  attachments: list(object({ name: { type: 'string', test: fileName }, media_type: text('^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$'), key: sha256, size: integer(0), sha256 }), 0, 64),
});
function fileName(s) {
  const size = Buffer.byteLength(s);
  return size >= 1 && size <= 255 && s !== '.' && s !== '..' && !/[/\\]/.test(s) && [...s].every((c) => allowed(c.codePointAt(0), false));
}

// ---- Keys.

const jwk = (extra, optional) => object({ kty: { enum: ['EC', 'OKP'] }, crv: { enum: ['P-256', 'Ed25519'] }, x: sha256, use: { enum: ['sig', 'enc', 'approve', 'policy'] }, ...extra },
  { y: sha256, kid: sha256, alg: { enum: ['ES256', 'EdDSA', 'ECDH-ES+A256KW'] }, ...optional });
const certificate = { type: 'string', minLength: 1, maxLength: 16384, test: (c) => Buffer.from(c, 'base64').toString('base64') === c };
const publicJWK = jwk({}, { x5c: list(certificate, 1, 8) });
const privateJWK = jwk({ d: sha256 }, {});

const p256 = { p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n, b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn };
const p25519 = 2n ** 255n - 19n;
const mod = (a, p) => ((a % p) + p) % p;
function power(b, e, p) {
  let out = 1n;
  for (b = mod(b, p); e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) out = (out * b) % p;
  return out;
}
const big = (bytes) => BigInt('0x' + Buffer.from(bytes).toString('hex'));

function onP256(x, y) {
  return x < p256.p && y < p256.p && mod(y * y - x * x * x + 3n * x - p256.b, p256.p) === 0n;
}
// -x² + y² = 1 + dx²y². The points of order 1, 2, 4 and 8: x = 0, y = 0, or x² = -y².
function edwards(bytes) {
  const le = Buffer.from(bytes);
  le[31] &= 0x7f;
  const p = p25519, y = big(le.reverse()), inverse = (a) => power(a, p - 2n, p);
  const d = mod(-121665n * inverse(121666n), p);
  const x2 = mod((y * y - 1n) * inverse(d * y * y + 1n), p);
  return {
    valid: y < p && (x2 === 0n || power(x2, (p - 1n) / 2n, p) === 1n),
    small: x2 === 0n || mod(y, p) === 0n || mod(x2 + y * y, p) === 0n,
  };
}

function readKey(map, shape) {
  check(map, shape);
  const k = Object.fromEntries(map);
  const ec = k.kty === 'EC';
  form(ec ? k.crv === 'P-256' && k.y : k.crv === 'Ed25519' && !k.y, 'kind of key');
  if (ec) form(onP256(big(decode64(k.x)), big(decode64(k.y))), 'a point of P-256');
  else form(edwards(decode64(k.x)).valid && !edwards(decode64(k.x)).small, 'a point of Ed25519, not of small order');
  form(ec || k.use !== 'enc', 'enc is for P-256');
  const fields = ec ? { crv: k.crv, kty: k.kty, x: k.x, y: k.y } : { crv: k.crv, kty: k.kty, x: k.x };
  const kid = digest(JSON.stringify(fields));
  const alg = k.use === 'enc' ? 'ECDH-ES+A256KW' : ec ? 'ES256' : 'EdDSA';
  form(!k.kid || k.kid === kid, 'kid is the thumbprint');
  form(!k.alg || k.alg === alg, 'alg is that of the key');
  if (k.d) form(publicOf(k) === k.x + (k.y ?? ''), 'd belongs to the key');
  return { kid, alg, use: k.use, d: k.d, public: crypto.createPublicKey({ key: fields, format: 'jwk' }) };
}
function publicOf(k) {
  try {
    if (k.kty === 'EC') {
      const e = crypto.createECDH('prime256v1');
      e.setPrivateKey(decode64(k.d));
      const point = e.getPublicKey();
      return point.subarray(1, 33).toString('base64url') + point.subarray(33).toString('base64url');
    }
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), decode64(k.d)]);
    return crypto.createPublicKey(crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' }).x;
  } catch {
    return '';
  }
}
function readSet(bytes, shape) {
  form(bytes.length <= 4 * mebi, 'a set of at most 4 MiB');
  const map = parseJSON(bytes);
  check(map, object({ keys: list({}, 0, 256) }));
  const kids = map.get('keys').map((k) => readKey(k, shape).kid);
  form(new Set(kids).size === kids.length, 'each key once');
}
function readOne(bytes, shape) {
  form(bytes.length <= 128 << 10, 'a key of at most 128 KiB');
  return readKey(parseJSON(bytes), shape);
}

// ---- Signed parts: JWS in compact serialization.

function readSigned(kind, bytes) {
  const part = parts[kind];
  const segments = bytes.toString('latin1').split('.');
  form(segments.length === 3 && segments.every((s) => s !== ''), 'three parts');
  const [header, payload, signature] = segments.map(decode64);
  form(header.length <= 4096 && payload.length <= part.max && signature.length === 64, 'sizes');
  const h = parseJSON(header);
  check(h, object({ alg: { enum: ['ES256', 'EdDSA'] }, kid: sha256, typ: constant(part.typ) }));
  const claims = parseJSON(payload);
  check(claims, part.payload);
  if (kind === 'manifest') {
    form(!claims.get('aud').includes(claims.get('iss')), 'aud never has iss');
    form(Buffer.byteLength(claims.get('meta').text) <= 16 << 10, 'meta of at most 16 KiB as it stands');
  }
  const dot = bytes.lastIndexOf('.');
  return { kid: h.get('kid'), alg: h.get('alg'), claims: Object.fromEntries(claims), use: part.use, input: bytes.subarray(0, dot), signature, digest: digest(bytes) };
}

function verifySigned(part, directory) {
  const entry = directory.find((d) => d.kid === part.kid && d.agency === part.claims.iss);
  need('rejected', entry, 'no such key of iss');
  need('rejected', entry.use === part.use && entry.alg === part.alg, 'use and alg of the key');
  const good = part.alg === 'ES256'
    ? crypto.verify('sha256', part.input, { key: entry.public, dsaEncoding: 'ieee-p1363' }, part.signature)
    : !edwards(part.signature.subarray(0, 32)).small && crypto.verify(null, part.input, entry.public, part.signature);
  need('rejected', good, 'signature');
}

const invalid = (holds, why) => need('invalid', holds, why);
const checkIssued = (part, v) => {
  invalid(part.claims.exchange === v.exchange, 'exchange');
  invalid(Math.abs(part.claims.iat - v.now) <= 300, 'iat');
};
function checkTimes(m, v) {
  checkIssued(m, v);
  invalid(m.claims.exp > m.claims.iat && m.claims.exp - m.claims.iat <= 90 * 86400 && m.claims.exp > v.now, 'exp');
}

// ---- Content: JWE in JSON serialization.

const recipientMembers = { alg: constant('ECDH-ES+A256KW'), kid: sha256, epk: object({ kty: constant('EC'), crv: constant('P-256'), x: sha256, y: sha256 }) };
const recipientHeader = object({}, recipientMembers);
const protectedHeader = object({ enc: constant('A256GCM'), typ: constant('liaison-content+jwe'), cty: constant('application/vnd.liaison.message+json'), iss: agency, aud: list(agency, 1, 31, true), jti: id }, recipientMembers);
const box = object({ protected: text('.'), iv: bytes64(12), ciphertext: text('.'), tag: bytes64(16) },
  { encrypted_key: bytes64(40), header: recipientHeader, recipients: list(object({ encrypted_key: bytes64(40) }, { header: recipientHeader }), 1, 32) });

function readContent(bytes) {
  form(bytes.length <= 8 * mebi, 'a content of at most 8 MiB');
  const jwe = parseJSON(bytes);
  check(jwe, box);
  const header = decode64(jwe.get('protected'));
  form(header.length <= 4096, 'a header of at most 4 KiB');
  const p = parseJSON(header);
  check(p, protectedHeader);
  const flattened = !jwe.has('recipients');
  form(flattened ? jwe.has('encrypted_key') : !jwe.has('encrypted_key') && !jwe.has('header'), 'one of the two forms');
  const recipients = (flattened ? [jwe] : jwe.get('recipients')).map((r) => {
    const own = r.get('header') ?? new Map([['absent', true]]);
    form(own.size > 0, 'no empty header');
    const of = (name) => {
      form(own.has(name) !== p.has(name), `${name} in exactly one header`);
      return own.get(name) ?? p.get(name);
    };
    of('alg');
    const epk = of('epk'), x = decode64(epk.get('x')), y = decode64(epk.get('y'));
    form(onP256(big(x), big(y)), 'epk is a point of P-256');
    return { kid: of('kid'), epk: Buffer.concat([Buffer.from([4]), x, y]), key: decode64(r.get('encrypted_key')) };
  });
  form(new Set(recipients.map((r) => r.kid)).size === recipients.length, 'each kid once');
  return {
    recipients, iss: p.get('iss'), aud: p.get('aud'), jti: p.get('jti'), aad: Buffer.from(jwe.get('protected')), size: bytes.length, digest: digest(bytes),
    iv: decode64(jwe.get('iv')), ciphertext: decode64(jwe.get('ciphertext')), tag: decode64(jwe.get('tag')),
  };
}

function checkContent(c, m, directory) {
  const { claims } = m;
  invalid(c.digest === claims.content.get('sha256') && c.size === claims.content.get('size'), 'digest and size');
  invalid(c.iss === claims.iss && c.jti === claims.jti && c.aud.join(' ') === claims.aud.join(' '), 'iss, aud, jti');
  const owners = c.recipients.map((r) => {
    const entry = directory.find((d) => d.kid === r.kid && d.use === 'enc');
    invalid(entry?.usable && [claims.iss, ...claims.aud].includes(entry.agency), 'a usable key of an agency in aud, or of iss');
    return entry.agency;
  });
  invalid(new Set(owners).size === owners.length && claims.aud.every((a) => owners.includes(a)), 'one key of each agency');
}

function decrypt(c, key) {
  const r = c.recipients.find((one) => one.kid === key.kid);
  need('rejected', r, 'no key of ours');
  try {
    const mine = crypto.createECDH('prime256v1');
    mine.setPrivateKey(decode64(key.d));
    const word = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
    const alg = Buffer.from('ECDH-ES+A256KW');
    const kek = crypto.createHash('sha256').update(Buffer.concat([word(1), mine.computeSecret(r.epk), word(alg.length), alg, word(0), word(0), word(256)])).digest();
    const unwrap = crypto.createDecipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6));
    const cek = Buffer.concat([unwrap.update(r.key), unwrap.final()]);
    const open = crypto.createDecipheriv('aes-256-gcm', cek, c.iv, { authTagLength: 16 });
    open.setAAD(c.aad);
    open.setAuthTag(c.tag);
    return Buffer.concat([open.update(c.ciphertext), open.final()]);
  } catch {
    throw new Refusal('rejected', 'it does not open');
  }
}

function readMessage(bytes) {
  form(bytes.length <= 8 * mebi, 'a message of at most 8 MiB');
  const m = parseJSON(bytes, true);
  check(m, message);
  return m;
}

// open is what a recipient does.
function open(part, v, directory, { agency: self, key }) {
  const m = readSigned('manifest', part('manifest'));
  verifySigned(m, directory);
  need('rejected', m.claims.exchange === v.exchange && [m.claims.iss, ...m.claims.aud].includes(self), 'not for us');
  const c = readContent(part('content'));
  checkContent(c, m, directory);
  const plaintext = decrypt(c, key);
  need('rejected', digest(plaintext) === m.claims.content.get('plaintext_sha256'), 'another plaintext');
  try {
    form((readMessage(plaintext).get('attachments') ?? []).length === (m.claims.attachments ?? []).length, 'equal lists');
  } catch (e) {
    throw new Refusal('rejected', e.message);
  }
  return plaintext;
}

// ---- The kinds of vectors, and the run.

function judge(v) {
  const part = (name) => Buffer.concat([Buffer.from(v.parts?.[name] ?? v.parts_base64[name], v.parts?.[name] === undefined ? 'base64' : 'utf8'), Buffer.alloc(v.padding?.[name] ?? 0, ' ')]);
  const directory = (v.directory ?? []).map((d) => ({ ...d, ...readOne(Buffer.from(JSON.stringify(d.jwk)), publicJWK) }));
  const readers = () => (v.private ?? []).map((p) => ({ agency: p.agency, key: readOne(Buffer.from(JSON.stringify(p.jwk)), privateJWK) }));
  const same = (plaintext) => need('error', !v.message || isDeepStrictEqual(JSON.parse(plaintext), v.message), 'another message');
  switch (v.kind) {
    case 'package': {
      const [m, s, c] = [readSigned('manifest', part('manifest')), readSigned('statement', part('statement')), readContent(part('content'))];
      verifySigned(m, directory);
      verifySigned(s, directory);
      need('rejected', m.kid === s.kid && m.claims.iss === s.claims.iss, 'one key');
      invalid(m.claims.jti === s.claims.jti && m.claims.statement_sha256 === s.digest, 'one package');
      checkTimes(m, v);
      checkContent(c, m, directory);
      readers().forEach((r) => same(open(part, v, directory, r)));
      break;
    }
    case 'open': same(open(part, v, directory, readers()[0])); break;
    case 'manifest': { const m = readSigned('manifest', part('manifest')); verifySigned(m, directory); checkTimes(m, v); break; }
    case 'statement': verifySigned(readSigned('statement', part('statement')), directory); break;
    case 'acknowledgement': case 'approval': { const a = readSigned(v.kind, part(v.kind)); verifySigned(a, directory); checkIssued(a, v); break; }
    case 'content': { const c = readContent(part('content')); readers().forEach((r) => { const p = decrypt(c, r.key); readMessage(p); same(p); }); break; }
    case 'meta': form(part('meta').length <= 16 << 10, 'a meta of at most 16 KiB'); check(parseJSON(part('meta')), meta); break;
    case 'message': readMessage(part('message')); break;
    case 'public-key': readOne(part(v.kind), publicJWK); break;
    case 'private-key': readOne(part(v.kind), privateJWK); break;
    case 'key-set': readSet(part(v.kind), publicJWK); break;
    case 'private-key-set': readSet(part(v.kind), privateJWK); break;
    default: throw new Refusal('error', `unknown kind ${v.kind}`);
  }
  return 'accept';
}

const directory = process.argv[2] ?? here;
let differences = 0;
for (const file of fs.readdirSync(directory).filter((f) => f.endsWith('.json')).sort()) {
  const v = JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8'));
  let verdict, why = '';
  try {
    verdict = judge(v);
  } catch (e) {
    verdict = e.verdict ?? 'error';
    why = e.verdict ? e.message : e.stack;
  }
  console.log(verdict, file.slice(0, -5));
  if (verdict !== v.expect) { differences++; console.error(`${file}: ${verdict} (${why}), expected ${v.expect} (${v.reason ?? ''})`); }
}
process.exitCode = differences ? 1 : 0;
