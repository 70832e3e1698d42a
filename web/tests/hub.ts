import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Page } from '@playwright/test';

const BINARY = process.env.MILLRACE_BIN ?? '../target/debug/millrace';
const ACCOUNT = 'example';
/** The Brightpearl warehouse that the stand-in calls *Example 3PL*. */
const WAREHOUSE = 5;
/** The contact of Brightpearl's that the API user is. */
const API_USER = 4;
/** Of the products whose SKU is their own. */
const PRODUCTS = Array.from({ length: 20 }, (_, place) => 1010 + place);

/** A process whose words are kept. */
class Process {
  readonly said: string[] = [];
  readonly child: ChildProcess;

  constructor(args: string[]) {
    this.child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.said.push(line));
    }
  }

  async says(what: RegExp): Promise<RegExpExecArray> {
    for (let tries = 0; tries < 300 && this.child.exitCode === null; tries += 1) {
      for (const line of this.said) {
        const found = what.exec(line);
        if (found) return found;
      }
      await new Promise((wake) => setTimeout(wake, 200));
    }
    throw new Error(`it did not say ${what}; it said:\n${this.said.join('\n')}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((wake) => this.child.once('exit', wake));
    this.child.kill('SIGINT');
    await ended;
  }
}

/** What the stand-in of Brightpearl tells of a goods-out note. */
export interface Note {
  shipped: boolean;
  /** Its tracking numbers. */
  reference: string;
}

/** What it tells of a product in one of its warehouses. */
interface Stock {
  product_id: number;
  warehouse_id: number;
  in_stock: number;
}

/** A new installation with nobody in it, and a stand-in of either side. */
export class Hub {
  base = '';
  setup = '';
  brightpearl = '';
  readonly account = ACCOUNT;
  readonly email = 'api.user@example.test';
  readonly password = 'example-password';
  readonly folder: string;
  private readonly home = mkdtempSync(join(tmpdir(), 'millrace-browser-'));
  private readonly processes: Process[] = [];
  private key = '';
  private ready = 0;

  constructor() {
    this.folder = join(this.home, 'warehouse');
  }

  private start(...args: string[]): Process {
    const process = new Process(args);
    this.processes.push(process);
    return process;
  }

  /** The installation alone, started with these as well. */
  async serve(...more: string[]): Promise<void> {
    const data = join(this.home, 'data');
    const made = execFileSync(BINARY, ['--data', data, '--json', 'init'], { encoding: 'utf8' });
    this.key = String((JSON.parse(made) as Record<string, unknown>).administrator_key);
    const listen = more.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const program = this.start('--data', data, '--allow-stand-ins', 'serve', ...listen, ...more);
    [, this.base = ''] = await program.says(/listening on (http:\S+)/);
    [, this.setup = ''] = await program.says(/(http:\S+\/setup#\S+)/);
  }

  /** With a factor, it and its Brightpearl wait so many times less for everything. */
  async begin(factor = 1): Promise<void> {
    const faster = ['--time-factor', String(factor)];
    const brightpearl = this.start('simulate', 'brightpearl', '--account', ACCOUNT, '--orders', '0', ...faster, '--json');
    [, this.brightpearl = ''] = await brightpearl.says(/"base_url": "([^"]+)"/);
    // The warehouse has what Brightpearl says that it has.
    const all = await this.ask<Stock[]>('stock');
    const shelves = PRODUCTS.map((product) => {
      const row = all.find((one) => one.product_id === product && one.warehouse_id === WAREHOUSE);
      return `W-${this.sku(product)},${row?.in_stock ?? 0}`;
    });
    const stock = join(this.home, 'stock.csv');
    writeFileSync(stock, `${shelves.join('\n')}\n`);
    mkdirSync(this.folder);
    const warehouse = this.start('simulate', 'dsfx', this.folder, '--every', '1', '--stock', stock, '--json');
    await warehouse.says(/"folder"/);
    await this.serve(...faster);
  }

  /** The first administrator comes in, as the link that was printed lets them, and sees this. */
  async firstPerson(page: Page, password: string, sees = 'Nothing is connected yet'): Promise<void> {
    await page.goto(this.setup);
    await page.getByLabel('E-mail address').fill('ada@example.com');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Password').first().fill(password);
    await page.getByLabel('The same once more').fill(password);
    await page.getByRole('button', { name: 'Create the administrator' }).click();
    await page.getByRole('heading', { name: sees }).waitFor();
  }

  async end(): Promise<void> {
    for (const process of this.processes.reverse()) await process.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  sku(product: number): string {
    return `SKU-${String(product).padStart(5, '0')}`;
  }

  private async ask<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.brightpearl}/_sim/accounts/${ACCOUNT}/${path}`);
    return (await answer.json()) as T;
  }

  /** Somebody does something in Brightpearl. */
  private async does(what: Record<string, unknown>): Promise<Record<string, number>> {
    const answer = await fetch(`${this.brightpearl}/_sim/accounts/${ACCOUNT}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(what),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as Record<string, number>;
  }

  /** A customer places an order of so many units of one product, and of more that is said of it. Its number. */
  async place(product: number, units = 1, more: Record<string, unknown> = {}): Promise<number> {
    // The account's own status *Ready to ship*, whose id differs between accounts.
    this.ready ||= 21 + [...ACCOUNT].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 7;
    const { created = 0 } = await this.does({
      do: 'create_order',
      order: {
        lines: [{ item: { product }, quantity: units }],
        status_id: this.ready,
        warehouse_id: WAREHOUSE,
        channel_id: 1,
        shipping_method_id: 49,
        ...more,
      },
    });
    return created;
  }

  /** Brightpearl is wrong about a product from now on. */
  async disturb(product: number, units: number): Promise<void> {
    await this.does({ do: 'change_stock', product, warehouse: WAREHOUSE, quantity: units });
  }

  /** How many units of a product Brightpearl has in the warehouse. */
  async stock(product: number): Promise<number> {
    const all = await this.ask<Stock[]>('stock');
    return all.find((one) => one.product_id === product && one.warehouse_id === WAREHOUSE)?.in_stock ?? 0;
  }

  /** A goods-out note that seems to be the API user's: as a call makes one that comes too late. */
  async strayNote(order: number): Promise<void> {
    await this.does({ do: 'create_note', order, warehouse: WAREHOUSE, staff: API_USER, rows: null });
  }

  /** Somebody gives the API user another password, and whoever is logged in with the old one is let out. */
  async changePassword(password: string): Promise<void> {
    await this.does({ do: 'change_password', email: this.email, password });
    await this.does({ do: 'expire_tokens' });
  }

  /** The goods-out notes of an order, as Brightpearl has them. */
  async notes(order: number): Promise<Note[]> {
    const { goods_out_notes } = await this.ask<{ goods_out_notes: Note[] }>(`orders/${order}`);
    return goods_out_notes;
  }

  /** Connects both stand-ins; the connection is off. Its id. */
  async made(stock: Record<string, unknown>): Promise<string> {
    await this.api('POST', '/merchants', { name: 'First brand' });
    await this.api('POST', '/warehouses', {
      merchant: 'First brand',
      name: 'Shed',
      platform: 'dsfx',
      settings: { transport: 'folder', folder: this.folder },
    });
    await this.api('POST', '/stores', {
      merchant: 'First brand',
      name: 'Shop',
      platform: 'brightpearl',
      settings: { datacenter_code: 'eu1', account_id: ACCOUNT, email: this.email, base_url: this.brightpearl },
      secrets: { password: this.password },
    });
    const { id } = await this.api<{ id: string }>('POST', '/connections', {
      name: 'Shop to shed',
      store: 'Shop',
      warehouse: 'Shed',
      settings: { import_statuses: ['Ready to ship'], warehouse: 'Example 3PL', price_list: 'Cost', stock },
    });
    return id;
  }

  /** Connects both stand-ins, with the channel of stock on and some of its settings; one product is wrong in Brightpearl. */
  async connect(stock: Record<string, unknown>): Promise<void> {
    const id = await this.made(stock);
    const listings = PRODUCTS.map((product) => [this.sku(product), `W-${this.sku(product)}`]);
    await this.api('PUT', `/connections/${id}/mappings`, { listings });
    await this.disturb(PRODUCTS[0] ?? 0, 4);
    await this.api('PUT', `/connections/${id}/channels/stock`, { enabled: true, every_seconds: 3 });
    await this.api('POST', `/connections/${id}/enable`, {});
  }

  /** The API, as a program would use it. */
  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.base}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  }
}
