// Runs the real program in a folder of its own and speaks to it as a module would.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

export async function startServer(more = {}, settings = '') {
  const folder = mkdtempSync(join(tmpdir(), 'hpb'));
  if (settings) writeFileSync(join(folder, 'homeport.toml'), settings);
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOMEPORT_')));
  const env = {
    ...own,
    HOMEPORT_HTTPS: '127.0.0.1:0',
    HOMEPORT_HTTP: '127.0.0.1:0',
    HOMEPORT_WS: '127.0.0.1:0',
    HOMEPORT_HOSTS: 'localhost,127.0.0.1',
    ...more,
  };
  const child = spawn(process.env.HOMEPORT_BIN, ['serve'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = [];
  const [port, plain, ws] = await new Promise((resolve, reject) => {
    const hear = (line) => {
      said.push(line);
      const ports = ['https', 'http', 'ws'].map((scheme) => said.map((line) => new RegExp(`${scheme}://127\\.0\\.0\\.1:(\\d+)`).exec(line)).find(Boolean)?.[1]);
      if (ports.every(Boolean)) resolve(ports.map(Number));
    };
    createInterface(child.stdout).on('line', hear);
    createInterface(child.stderr).on('line', hear);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`homeport ended with ${code}:\n${said.join('\n')}`)));
  });
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  return {
    origin: `https://localhost:${port}`,
    // Where devices speak plain HTTP.
    plain: `http://127.0.0.1:${plain}`,
    // The port of WebSocket devices.
    ws: Number(ws),
    said,
    // Another homeport in the server's folder, such as `simulate`; gives what it printed.
    run: async (...words) => {
      const https = { ...env, HOMEPORT_HTTPS: `127.0.0.1:${port}`, HOMEPORT_HTTP: `127.0.0.1:${plain}`, HOMEPORT_WS: `127.0.0.1:${ws}` };
      return (await promisify(execFile)(process.env.HOMEPORT_BIN, words, { cwd: folder, env: https })).stdout;
    },
    password: () => readFileSync(join(folder, 'data/initial-password'), 'utf8').trim(),
    // A device's request on a kept connection; gives the answer's exact text.
    ask: (target, method = 'GET') =>
      new Promise((resolve, reject) => {
        const request = https.request({ host: '127.0.0.1', port, path: target, method, agent }, (answer) => {
          let text = '';
          answer.on('data', (piece) => (text += piece));
          answer.on('end', () => resolve(text));
        });
        request.on('error', reject);
        request.end();
      }),
    stop: async () => {
      agent.destroy();
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await ended;
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// CRC-16, polynomial 0x1021, start 0xFFFF.
export function crc(text) {
  let sum = 0xffff;
  for (const byte of Buffer.from(text)) {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? ((sum << 1) ^ 0x1021) & 0xffff : (sum << 1) & 0xffff;
  }
  return sum.toString(16).toUpperCase().padStart(4, '0');
}

export function okm(source, id, stamp, payload) {
  const text = JSON.stringify({ _src: [source], _cmd: 'wr', _id: id, _ts: stamp, _crc: '0000', _pld: payload });
  return text.replace('"_crc":"0000"', `"_crc":"${crc(text)}"`);
}

export const push = (message) => `/push?req=${encodeURIComponent(`{"okm":${message},"ts":"2024-03-01T12:00:00"}`)}`;
export const pull = (id) => `/pull?req=${encodeURIComponent(JSON.stringify({ devid: id, ts: '2024-03-01T12:00:00' }))}`;
