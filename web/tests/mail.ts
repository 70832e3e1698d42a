import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A mail server that takes everything, and keeps it. */
export class MailServer {
  readonly mails: string[] = [];
  private readonly server: Server = createServer((socket) => this.talk(socket));
  private readonly open = new Set<Socket>();

  /** Begins, and says where. */
  async begin(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `smtp://127.0.0.1:${(this.server.address() as AddressInfo).port}?tls=none`;
  }

  /** Nobody listens there any more. */
  async end(): Promise<void> {
    this.server.close();
    for (const socket of this.open) socket.destroy();
    await once(this.server, 'close');
  }

  private talk(socket: Socket): void {
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    let said = '';
    let isMail = false;
    socket.write('220 here\r\n');
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      for (let end = said.indexOf(isMail ? '\r\n.\r\n' : '\r\n'); end >= 0; end = said.indexOf(isMail ? '\r\n.\r\n' : '\r\n')) {
        const whole = said.slice(0, end);
        said = said.slice(end + (isMail ? 5 : 2));
        if (isMail) {
          // A line that ends with = goes on in the next one.
          this.mails.push(whole.replaceAll('=\r\n', '').replaceAll('=3D', '='));
          isMail = false;
          socket.write('250 kept\r\n');
        } else if (/^DATA/i.test(whole)) {
          isMail = true;
          socket.write('354 go on\r\n');
        } else if (/^QUIT/i.test(whole)) {
          socket.end('221 farewell\r\n');
        } else {
          socket.write('250 well\r\n');
        }
      }
    });
  }
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
