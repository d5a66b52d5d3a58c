// Uploads one file by tus-js-client and tells what happens as lines of JSON. The one argument is
// JSON: `file`; `source`, of "file" (a stream with a path), "stream" and "buffer"; `urlStorage`, a
// file that outlives the process; and whatever else tus-js-client takes.
import { createReadStream, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { defaultOptions, FileUrlStorage, Upload } from 'tus-js-client'

const sources = {
  file: (path) => createReadStream(path),
  stream: (path) => createReadStream(path).pipe(new PassThrough()),
  buffer: (path) => readFileSync(path),
}

const { file, source = 'file', urlStorage, ...options } = JSON.parse(process.argv[2])
const tell = (event, facts) => console.log(JSON.stringify({ event, ...facts }))

function end(event, facts) {
  tell(event, facts)
  process.exit(event === 'success' ? 0 : 1)
}

const upload = new Upload(sources[source](file), {
  ...options,
  urlStorage: urlStorage ? new FileUrlStorage(urlStorage) : defaultOptions.urlStorage,
  onProgress: (sent, total) => tell('progress', { sent, total }),
  onAfterResponse: (request, response) =>
    tell('answer', {
      method: request.getMethod(),
      status: response.getStatus(),
      offset: response.getHeader('Upload-Offset'),
    }),
  onShouldRetry: (error, attempt, used) => {
    tell('trouble', { message: error.message, status: error.originalResponse?.getStatus() })
    return defaultOptions.onShouldRetry(error, attempt, used)
  },
  onSuccess: () => end('success', { url: upload.url }),
  onError: (error) =>
    end('error', { message: error.message, status: error.originalResponse?.getStatus() }),
})

if (urlStorage) {
  const [previous] = await upload.findPreviousUploads()
  if (previous) upload.resumeFromPreviousUpload(previous)
}
upload.start()
