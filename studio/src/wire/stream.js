// Answers as they are produced: events of a stream, and their pieces put together.
import { asTrouble, send } from './client.js'

/** The JSON of each event of a response: `data: {…}`, an empty line. */
export async function* events(response) {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of chunks(response.body)) {
    rest += decoder.decode(bytes, { stream: true })
    const blocks = rest.split(/\r?\n\r?\n/)
    rest = blocks.pop()
    for (const block of blocks) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n')
      if (data) yield JSON.parse(data)
    }
  }
}

async function* chunks(stream) {
  const reader = stream.getReader() // Safari cannot iterate a stream
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** Ask a model. Calls `tell` with what is known so far, each time more of it is. Throws `Trouble`, or `AbortError` when stopped. */
export async function generate(model, body, { signal, tell }) {
  const begun = performance.now()
  const reply = { parts: [], reading: null, finish: '', usage: null, grounding: null, citation: null, first: 0, ms: 0, version: '' }
  const response = await send('POST', `/studio-api/models/${encodeURIComponent(bare(model))}:stream`, { body, signal })
  for await (const event of events(response)) {
    if (event.error) throw asTrouble(event.error)
    if (event.progress) reply.reading = event.progress
    else take(reply, event, performance.now() - begun)
    reply.ms = performance.now() - begun
    tell(reply)
  }
  reply.reading = null
  return reply
}

export const bare = (model) => model.replace(/^models\//, '')

function take(reply, event, ms) {
  const candidate = event.candidates?.[0]
  for (const part of candidate?.content?.parts ?? []) {
    if (!reply.first && (part.text || part.functionCall)) reply.first = ms
    join(reply.parts, part)
  }
  reply.finish = candidate?.finishReason ?? reply.finish
  reply.grounding = candidate?.groundingMetadata ?? reply.grounding
  reply.citation = candidate?.citationMetadata ?? reply.citation
  reply.usage = event.usageMetadata ?? reply.usage
  reply.version = event.modelVersion ?? reply.version
  if (event.promptFeedback?.blockReason) reply.finish = event.promptFeedback.blockReason
}

function join(parts, part) {
  const last = parts.at(-1)
  const texts = last && 'text' in last && 'text' in part && !last.thought === !part.thought
  if (texts) last.text += part.text
  else parts.push({ ...part })
}
