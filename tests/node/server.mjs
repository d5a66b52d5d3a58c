// Serves @tus/server on 127.0.0.1 and prints the port. The one argument is JSON: `directory`, the
// folder of the files; `port`, 0 for any; `expirationPeriodInMilliseconds`; and whatever else the
// server takes. It ends with whoever holds the other end of its stdin, if that is a pipe.
import { fstatSync } from 'node:fs'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const { directory, port = 0, expirationPeriodInMilliseconds, ...options } = JSON.parse(process.argv[2])
const server = new Server({
  path: '/files',
  relativeLocation: true,
  datastore: new FileStore({ directory, expirationPeriodInMilliseconds }),
  ...options,
})
const listener = server.listen({ host: '127.0.0.1', port }, () => {
  console.log(JSON.stringify({ event: 'listening', port: listener.address().port }))
})
if (fstatSync(0).isFIFO()) process.stdin.resume().once('end', () => process.exit(0))
// On Node 20 a client that closes its connection after a GET would end the process.
process.on('uncaughtException', (error) => console.error(error))
