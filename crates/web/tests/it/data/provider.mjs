// A certified OpenID Connect provider (npm package oidc-provider) on loopback, with its own forms to sign in and agree.
//
// Says its port, is told its clients by a line of JSON on stdin ({"clients": [...]}), says "ready". Each further line takes new
// keys. Ends with stdin. An account is whatever name is typed; its address is NAME@city.example unless it is typed with an @.
import crypto from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

// What it says besides is for who builds with it.
const say = (text) => process.stdout.write(`${text}\n`);
console.info = console.log = console.warn = () => {};

const main = path.join(process.env.HINOMI_OIDC, 'node_modules/oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(main));

const key = (kty, options, alg) => {
  const { privateKey } = crypto.generateKeyPairSync(kty, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: crypto.randomUUID() };
};
const account = (id) => {
  const mail = id.includes('@') ? id : `${id}@city.example`;
  const said = { sub: id, name: `Name of ${id}`, email: mail, email_verified: !id.startsWith('unverified'), groups: ['staff', 'tower'] };
  return { accountId: id, claims: async () => said };
};

const server = http.createServer();
let answer = (request, response) => response.writeHead(503).end();
server.on('request', (request, response) => answer(request, response));
server.listen(0, '127.0.0.1', () => say(server.address().port));

let clients;
for await (const line of readline.createInterface({ input: process.stdin })) {
  clients ??= JSON.parse(line).clients;
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    cookies: { keys: [crypto.randomUUID()] },
    findAccount: (_, id) => account(id),
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
  });
  provider.on('server_error', (_, error) => console.error(error));
  answer = provider.callback();
  say('ready');
}
process.exit(0);
