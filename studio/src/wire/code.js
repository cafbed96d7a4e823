// "Get code": the request that would be sent now, as a program that runs against this server.
import { base, key } from './client.js'
import { bare } from './stream.js'

const KEY = 'GEMINI_API_KEY'

export const languages = [
  { name: 'curl', title: 'curl', code: curl },
  { name: 'python', title: 'Python', code: python },
  { name: 'javascript', title: 'JavaScript', code: javascript },
]

function curl(model, body) {
  const shown = JSON.stringify(body, null, 2).replace(/'/g, `'\\''`)
  return [
    needed('#'),
    `curl -sN '${base}/v1beta/models/${bare(model)}:streamGenerateContent?alt=sse' \\`,
    `  -H 'content-type: application/json' \\`,
    key() && `  -H "x-goog-api-key: $${KEY}" \\`,
    `  -d '${shown}'\n`,
  ]
    .filter(Boolean)
    .join('\n')
}

function python(model, body) {
  const { contents, ...rest } = body
  const config = settings(rest, snake)
  const lines = [
    '# pip install google-genai',
    needed('#'),
    key() && 'import os\n',
    'from google import genai',
    '',
    `client = genai.Client(`,
    `    api_key=${key() ? `os.environ["${KEY}"]` : '"none"'},`,
    `    http_options={"base_url": "${base}", "api_version": "v1beta"},`,
    ')',
    'answer = client.models.generate_content_stream(',
    `    model=${pythonic(bare(model))},`,
    `    contents=${pythonic(contents.map((each) => snaked(each)), 1)},`,
    Object.keys(config).length && `    config=${pythonic(config, 1)},`,
    ')',
    'for chunk in answer:',
    '    print(chunk.text or "", end="", flush=True)',
    '',
  ]
  return lines.filter((line) => typeof line === 'string').join('\n')
}

function javascript(model, body) {
  const { contents, ...rest } = body
  const config = settings(rest, (name) => name)
  const lines = [
    '// npm install @google/genai',
    needed('//'),
    `import { GoogleGenAI } from '@google/genai'`,
    '',
    'const client = new GoogleGenAI({',
    `  apiKey: ${key() ? `process.env.${KEY}` : `'none'`},`,
    `  httpOptions: { baseUrl: '${base}', apiVersion: 'v1beta' },`,
    '})',
    'const answer = await client.models.generateContentStream({',
    `  model: ${JSON.stringify(bare(model))},`,
    `  contents: ${indent(JSON.stringify(contents, null, 2), 1)},`,
    Object.keys(config).length && `  config: ${indent(JSON.stringify(config, null, 2), 1)},`,
    '})',
    `for await (const chunk of answer) process.stdout.write(chunk.text ?? '')`,
    '',
  ]
  return lines.filter((line) => typeof line === 'string').join('\n')
}

const needed = (mark) => (key() ? `${mark} the key of this server is expected in the environment, as ${KEY}` : `${mark} this server asks for no key`)

/** The client libraries have one flat `config` where the wire has several fields. */
function settings({ generationConfig = {}, ...rest }, spell) {
  const flat = { ...rest, ...generationConfig }
  return Object.fromEntries(Object.entries(flat).map(([name, value]) => [spell(name), spell === snake ? snaked(value, name) : value]))
}

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
// Below these stand the user's own keys, which keep their spelling.
const OWN = new Set(['responseJsonSchema', 'parametersJsonSchema', 'parameters', 'args', 'response', 'responseSchema'])

function snaked(value, name = '') {
  if (OWN.has(name) || value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((each) => snaked(each))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snake(key), snaked(inner, key)]))
}

const WIDTH = 96

/** A value as Python writes it, on one line where it fits. */
function pythonic(value, depth = 0) {
  const line = oneLine(value)
  return line.length + 4 * depth <= WIDTH ? line : lines(value, depth)
}

function oneLine(value) {
  if (value === null) return 'None'
  if (value === true || value === false) return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}: ${oneLine(inner)}`).join(', ')}}`
}

function lines(value, depth) {
  if (value === null || typeof value !== 'object') return oneLine(value)
  const pad = '    '.repeat(depth + 1)
  const end = '    '.repeat(depth)
  const rows = Array.isArray(value) ? value.map((each) => pythonic(each, depth + 1)) : Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}: ${pythonic(inner, depth + 1)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}
${rows.map((row) => `${pad}${row},
`).join('')}${end}${close}`
}

const indent = (text, depth) => text.replace(/\n/g, `\n${'  '.repeat(depth)}`)
