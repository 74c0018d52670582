// A mail server that takes everything and keeps it, but for a person called nobody.
import net from 'node:net';

export async function mailbox() {
  const letters = [];
  const waiting = [];
  const server = net.createServer((socket) => {
    let text = '';
    let letter;
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.write('220 mail.test\r\n');
    socket.on('data', (piece) => {
      text += piece;
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (letter !== undefined) {
          if (line !== '.') letter += `${line}\n`;
          else {
            letters.push(letter);
            letter = undefined;
            waiting.splice(0).forEach((wake) => wake());
            socket.write('250 2.0.0 taken as 4711\r\n');
          }
        } else if (/^EHLO/i.test(line)) socket.write('250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n');
        else if (/^AUTH/i.test(line)) socket.write('235 welcome\r\n');
        else if (/^RCPT.*nobody/i.test(line)) socket.write('550 5.1.1 nobody of that name\r\n');
        else if (/^DATA/i.test(line)) {
          letter = '';
          socket.write('354 go on\r\n');
        } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: server.address().port,
    close: () => server.close(),
    // The first letter that fits, as soon as it is there.
    letter: async (fits) => {
      for (;;) {
        const found = letters.find((one) => fits.test(one));
        if (found) return found;
        await new Promise((wake) => waiting.push(wake));
      }
    },
  };
}
