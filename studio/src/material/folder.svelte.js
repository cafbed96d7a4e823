// A folder before anything of it is sent: a tree of its files, each with what it would cost, of which the user picks.
import { count, each } from '../state/attach.svelte.js'
import { house } from '../state/house.svelte.js'

export const offered = $state({ files: [], name: '', counting: false })
const LARGEST = 64 << 20 // a larger file is picked by hand, if at all
let stopper = null

/** Show the picker for [{file, title}], and begin to count. */
export function offer(found) {
  stopper?.abort()
  offered.files = found.sort((a, b) => a.title.localeCompare(b.title, 'en', { numeric: true })).map(({ file, title }) => ({ title, size: file.size, tokens: null, problem: '', picked: true }))
  offered.name = found[0]?.title.split('/')[0] ?? ''
  sources = new Map(found.map(({ file, title }) => [title, file]))
  house.dialog = 'folder'
  weigh()
}

let sources = new Map()
export const source = (title) => sources.get(title)

async function weigh() {
  const { signal } = (stopper = new AbortController())
  offered.counting = true
  await each(offered.files, async (row) => {
    if (signal.aborted) return
    try {
      if (row.size > LARGEST) throw new Error('large: not counted')
      const { tokens } = await count(source(row.title), row.title, signal)
      row.tokens = tokens
    } catch (error) {
      if (error.name === 'AbortError') return
      row.problem = error.message
      row.picked = false
    }
  }, 4)
  if (!signal.aborted) offered.counting = false
}

export function withdraw() {
  stopper?.abort()
  house.dialog = ''
}

/** The files as a tree: {name, path, folders: [...], files: [...]}, each folder with what is picked below it. */
export function tree(files) {
  const root = { name: '', path: '', folders: new Map(), files: [] }
  for (const file of files) {
    let at = root
    const names = file.title.split('/')
    for (const name of names.slice(0, -1)) {
      if (!at.folders.has(name)) at.folders.set(name, { name, path: `${at.path}${name}/`, folders: new Map(), files: [] })
      at = at.folders.get(name)
    }
    at.files.push(file)
  }
  return root
}

/** The rows to show, top down, without what stands in closed folders. */
export function rows(folder, closed, depth = 0) {
  const out = []
  for (const inner of folder.folders.values()) {
    out.push({ folder: inner, depth, all: below(inner) })
    if (!closed.has(inner.path)) out.push(...rows(inner, closed, depth + 1))
  }
  for (const file of folder.files) out.push({ file, depth })
  return out
}

const below = (folder) => [...[...folder.folders.values()].flatMap(below), ...folder.files]
