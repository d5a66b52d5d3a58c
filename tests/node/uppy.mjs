// Uploads files by Uppy, all in one batch, and tells what became of them as lines of JSON. The one
// argument is JSON: `files`, and whatever else the Tus plugin takes.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

const { files, ...options } = JSON.parse(process.argv[2])
const tell = (event, facts) => console.log(JSON.stringify({ event, ...facts }))

const uppy = new Uppy().use(Tus, {
  ...options,
  onAfterResponse: (request, response) =>
    tell('answer', {
      method: request.getMethod(),
      status: response.getStatus(),
      offset: response.getHeader('Upload-Offset'),
    }),
})
for (const path of files) {
  uppy.addFile({
    name: basename(path),
    type: 'application/octet-stream',
    data: readFileSync(path),
    meta: { relativePath: `folder/${basename(path)}` },
  })
}
const { successful, failed } = await uppy.upload()
for (const { name, uploadURL } of successful) tell('success', { name, url: uploadURL })
for (const { name, error } of failed) tell('error', { name, message: error })
process.exit(failed.length ? 1 : 0)
