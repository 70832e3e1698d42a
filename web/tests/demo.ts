import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test as base, expect, type Page } from '@playwright/test';

/** As many as fit into one minute of the call budget, more or less. */
export const ORDERS = 20;

/** The real program with simulators of both ends, as `millrace demo --keep` starts it. */
export class Demo {
  base = '';
  password = '';
  readonly person = 'demo@example.com';
  private said: string[] = [];
  private readonly program: ChildProcess;

  constructor(orders: number) {
    const binary = process.env.MILLRACE_BIN ?? '../target/debug/millrace';
    this.program = spawn(binary, ['demo', '--keep', '--folder', '--orders', String(orders)], { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.program.stdout, this.program.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.said.push(line));
    }
  }

  /** Waits until the program has said something like this. */
  async says(what: RegExp, seconds = 180): Promise<RegExpExecArray> {
    for (let tries = 0; tries < seconds * 5; tries += 1) {
      for (const line of this.said) {
        const found = what.exec(line);
        if (found) return found;
      }
      if (this.program.exitCode !== null) break;
      await new Promise((wake) => setTimeout(wake, 200));
    }
    throw new Error(`the demo did not say ${what}; it said:\n${this.said.join('\n')}`);
  }

  async ready(): Promise<void> {
    const [, address = ''] = await this.says(/listens on (http:\/\/[\d.:]+)/);
    const [, password = ''] = await this.says(/with the password (\w+)/);
    this.base = address;
    this.password = password;
    await this.says(/A connection was made/);
  }

  /** Asks the API with the key that the demo prints once everything has run. */
  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const [, address = '', key = ''] = await this.says(/Still serving on (\S+) \(key: (\w+)\)/);
    const answer = await fetch(address + path, {
      method,
      // Other tests make tenants, and the key is the installation's.
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'millrace-tenant': 'default' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  }

  /** Presses Enter in the demo's terminal: one more order, whose number it says. */
  async placeOrder(): Promise<string> {
    this.program.stdin?.write('\n');
    const [, order = ''] = await this.says(/Order (\d+) was placed/);
    return order;
  }

  /** Gives a connection the SKUs of another one, as whoever takes the file out there and in here. */
  async shareSkus(from: string, to: string): Promise<void> {
    const [, address = '', key = ''] = await this.says(/Still serving on (\S+) \(key: (\w+)\)/);
    const headers = { authorization: `Bearer ${key}`, 'millrace-tenant': 'default' };
    const table = (connection: string) => `${address}/connections/${encodeURIComponent(connection)}/mappings/listings.csv`;
    const body = await (await fetch(table(from), { headers })).text();
    const answer = await fetch(table(to), { method: 'POST', headers: { ...headers, 'content-type': 'text/csv' }, body });
    if (!answer.ok) throw new Error(await answer.text());
  }

  async stop(): Promise<void> {
    const ended = new Promise((wake) => this.program.once('exit', wake));
    this.program.kill('SIGINT');
    await ended;
  }

  /** The link that the demo prints. */
  async link(): Promise<string> {
    const [link] = await this.says(/http:\S+\/sign-in#\S+/);
    return link;
  }

  /** Signs in by what the link fills in. Its token, which signs in by itself, works once for all tests. */
  async signIn(page: Page): Promise<void> {
    const link = new URL(await this.link());
    const filled = new URLSearchParams(link.hash.slice(1));
    filled.delete('demo');
    link.hash = filled.toString();
    await page.goto(link.href);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();
  }
}

interface Watched {
  /** What the browser complained of: scripts that failed, and what the content security policy refused. */
  complaints: string[];
}

/** A page whose console is read. A complaint of the browser fails the test, whatever else it shows. */
export const test = base.extend<Watched, { demo: Demo }>({
  demo: [
    async ({}, use) => {
      const demo = new Demo(ORDERS);
      await demo.ready();
      await use(demo);
      await demo.stop();
    },
    { scope: 'worker' },
  ],
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        // A refused request is an answer that the page shows in words; the browser reports it all the same.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
      });
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
