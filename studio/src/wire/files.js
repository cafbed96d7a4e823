// Files: uploaded in pieces by Google's resumable protocol, so that one of gigabytes never stands in memory.
import { all, ask, base, key, send, Trouble } from './client.js'

const PIECE = 8 << 20

/** Upload; gives the stored File. `tell` is called with the bytes sent. */
export async function upload(file, title, { signal, tell = () => {} } = {}) {
  const mime = file.type || kind(title)
  const more = {
    'x-goog-upload-protocol': 'resumable', 'x-goog-upload-command': 'start',
    'x-goog-upload-header-content-length': String(file.size), 'x-goog-upload-header-content-type': mime,
  }
  const begun = await send('POST', '/upload/v1beta/files', { body: { file: { displayName: title, mimeType: mime } }, more, signal })
  const address = begun.headers.get('x-goog-upload-url')
  if (!address) throw new Trouble(500, 'The server gave no address to upload to.')
  const path = sameServer(address)
  let at = 0
  for (;;) {
    const end = Math.min(at + PIECE, file.size)
    const last = end === file.size
    const command = { 'x-goog-upload-command': last ? 'upload, finalize' : 'upload', 'x-goog-upload-offset': String(at) }
    const answer = await send('POST', path, { body: file.slice(at, end), type: 'application/octet-stream', more: command, signal })
    tell((at = end))
    if (last) return active((await answer.json()).file, signal)
  }
}

/** The path of an upload address on the server that this page came from, whatever host it names itself. */
function sameServer(address) {
  const { pathname, search } = new URL(address, base)
  const prefix = new URL(base).pathname.replace(/\/$/, '')
  return (pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : pathname) + search
}

/** The file once it can be used: video is looked at first. */
async function active(file, signal) {
  while (file.state === 'PROCESSING') {
    await new Promise((done) => setTimeout(done, 500))
    file = await ask('GET', `/v1beta/${file.name}`, { signal })
  }
  if (file.state === 'FAILED') throw new Trouble(400, file.error?.message ?? 'The file could not be read.')
  return file
}

export const list = () => all('/v1beta/files', 'files')
export const remove = (name) => ask('DELETE', `/v1beta/${name}`)

/** How many tokens a file will cost that is not uploaded; the server takes it apart as it would. `manner` is {model, resolution}. */
export async function cost(file, title, manner, signal) {
  const query = new URLSearchParams({ name: title, ...manner })
  return ask('POST', `/studio-api/tokens?${query}`, { body: file.slice(0, file.size), type: 'application/octet-stream', signal })
}

/** The same for a stored file. */
export const weight = (name, manner) => ask('GET', `/studio-api/${name}/tokens?${new URLSearchParams(manner)}`)

const MOST = 256 << 20 // bytes of a copy in memory

/** Where the page's elements find a stored picture, sound or film. They can send no key: where one is given it is a copy, of `most` bytes. */
export async function content(name, most = MOST) {
  const path = `/studio-api/${name}/content`
  if (!key()) return base + path
  const response = await send('GET', path)
  if (Number(response.headers.get('content-length')) > most) {
    response.body.cancel()
    throw new Trouble(0, 'It is too large to be shown here.', { todo: 'Open it where it came from.' })
  }
  return URL.createObjectURL(await response.blob())
}

/** For an element that shows what `content` gave: a copy is let go of with it. */
export const release = (address) => () => () => URL.revokeObjectURL(address)

/** The sense that a file is for, as its type or else its name has it: 'image', 'audio', 'video', '' for what is read as text. */
export const medium = (mime, title) => /^(image|audio|video)\//.exec(mime || kind(title))?.[1] ?? ''

/** A stretch of a file's text: `rows`, each {line, start, text}, around a character or from a row, of one page of a PDF. */
export function stretch(name, { page, row, line, at, end, count } = {}, signal) {
  const given = Object.entries({ page, row, line, at, end, count }).filter(([, value]) => value !== undefined && value !== null)
  return ask('GET', `/studio-api/${name}/text?${new URLSearchParams(given)}`, { signal })
}

/** The whole text, for making haystacks. */
export async function whole(name, signal) {
  return (await send('GET', `/studio-api/${name}/text?whole=true`, { signal })).text()
}

const KINDS = {
  pdf: 'application/pdf', html: 'text/html', htm: 'text/html', md: 'text/markdown', json: 'application/json', csv: 'text/csv',
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', webp: 'image/webp', gif: 'image/gif',
  mp3: 'audio/mpeg', wav: 'audio/wav', flac: 'audio/flac', ogg: 'audio/ogg', opus: 'audio/ogg', aac: 'audio/aac', m4a: 'audio/mp4', aiff: 'audio/aiff',
  mp4: 'video/mp4', m4v: 'video/mp4', mov: 'video/quicktime', webm: 'video/webm', mkv: 'video/x-matroska', avi: 'video/x-msvideo', mpg: 'video/mpeg',
}
export const kind = (name) => KINDS[name.split('.').pop().toLowerCase()] ?? 'text/plain'
