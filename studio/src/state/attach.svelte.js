// Material on its way to the server: uploaded, counted, then part of the draft.
import { cost, upload, weight } from '../wire/files.js'
import { bare } from '../wire/stream.js'
import { fault } from './house.svelte.js'
import { keep, prompt } from './prompt.svelte.js'

const AT_ONCE = 3
// A text of so many characters is material, not something that is said: it becomes a file and never stands in the page whole.
export const LONG = 8000
const SKIPPED = /(^|\/)(\.[^/]+|node_modules|__pycache__|\.venv)(\/|$)/

/** Run a job for each item, some at a time, in order. */
export async function each(items, work, most = AT_ONCE) {
  const queue = [...items]
  await Promise.all(Array.from({ length: most }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }))
}

/** Upload files, [{file, title}], into the draft; each shows its progress. */
export async function attach(given) {
  const rows = given.map(({ file, title }) => {
    prompt.draft.files.push({ key: crypto.randomUUID?.() ?? `${Math.random()}`, title, size: file.size, sent: 0, sending: true, name: '', tokens: null, error: '' })
    return { row: prompt.draft.files.at(-1), file }
  })
  await each(rows, ({ row, file }) => one(row, file))
  keep()
}

async function one(row, file) {
  try {
    const stored = await upload(file, row.title, { tell: (sent) => (row.sent = sent) })
    Object.assign(row, { name: stored.name, uri: stored.uri, mime: stored.mimeType, expires: stored.expirationTime, sending: false })
    await weigh(row)
  } catch (error) {
    Object.assign(row, { sending: false, error: `${error.message} ${error.todo ?? ''}`.trim() })
    if (error.unkeyed) fault(error)
  }
}

/** How the next request will have files read. */
const manner = () => ({ model: bare(prompt.model), resolution: prompt.config.mediaResolution })

/** Count a stored file's tokens. */
export async function weigh(row) {
  try {
    row.tokens = (await weight(row.name, manner())).tokens
  } catch (error) {
    row.error = error.message
  }
}

/** Count the draft's files again, which are to be looked at otherwise. */
export const reweigh = () => prompt.draft.files.filter((row) => row.name && !row.error).forEach(weigh)

export function detach(row) {
  prompt.draft.files = prompt.draft.files.filter((each) => each.key !== row.key)
  keep()
}

/** Put a text into the draft as a file. */
export const attachText = (text, title) => attach([{ file: new File([text], title, { type: 'text/plain' }), title }])

/** What a drop or a chosen folder holds, [{file, title}], hidden and built things left out. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
  const found = entries.length ? [] : chosen(transfer.files)
  for (const entry of entries) await walk(entry, '', found)
  return { found, folders: entries.some((entry) => entry.isDirectory) }
}

async function walk(entry, above, found) {
  const title = above + entry.name
  if (above && SKIPPED.test(title)) return
  if (entry.isFile) {
    found.push({ file: await new Promise((done, failed) => entry.file(done, failed)), title })
    return
  }
  const reader = entry.createReader()
  for (;;) {
    const batch = await new Promise((done, failed) => reader.readEntries(done, failed))
    if (!batch.length) return
    for (const inner of batch) await walk(inner, `${title}/`, found)
  }
}

export const chosen = (list) => [...list].map((file) => ({ file, title: file.webkitRelativePath || file.name })).filter(({ title }) => !SKIPPED.test(title))

export const count = (file, title, signal) => cost(file, title, manner(), signal)
