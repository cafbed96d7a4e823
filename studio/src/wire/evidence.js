// Where an answer was drawn from, out of its metadata.
import { clock } from '../text/say.js'
import { medium } from './files.js'

/**
 * Passages, best first: {uri, title, name ("files/…" or ""), page, line, start, end, text, share}, and of what was seen or heard
 * {medium ("image", "audio", "video" or ""), time ([from, to] in seconds), region ([left, top, width, height] in per cent)}.
 * Google's form says which document and which words; page, line and characters stand in `retrievedContext` or in the address.
 */
export function passages(turn, files = []) {
  const chunks = turn.grounding?.groundingChunks ?? []
  const found = chunks.map((chunk, number) => passage(chunk.retrievedContext ?? chunk.web ?? chunk, shares(turn.grounding, number), files))
  if (found.length) return found
  return (turn.citation?.citationSources ?? turn.citation?.citations ?? []).map((source) => passage(source, undefined, files))
}

function shares(grounding, number) {
  for (const support of grounding.groundingSupports ?? []) {
    const at = (support.groundingChunkIndices ?? []).indexOf(number)
    if (at >= 0 && support.confidenceScores) return support.confidenceScores[at]
  }
}

function passage(context, share, files) {
  const uri = context.uri ?? ''
  const place = new URLSearchParams(uri.split('#')[1] ?? '')
  const number = (name) => (place.has(name) ? Number(place.get(name).split(/[,-]/)[0]) : undefined)
  const numbers = (name) => place.get(name)?.replace('percent:', '').split(',').map(Number)
  const [start, end] = (place.get('char') ?? '').split(/[,-]/).map((text) => (text ? Number(text) : undefined))
  const title = context.title ?? context.documentName ?? uri.split('#')[0]
  const named = /files\/[a-z0-9-]+/.exec(uri)?.[0]
  const file = files.find((each) => (named ? each.name === named : each.title === title))
  return {
    uri, title, name: named ?? file?.name ?? '', text: context.text ?? '', share, start, end,
    medium: place.has('char') ? '' : medium(file?.mime, title), time: numbers('t'), region: numbers('xywh'),
    page: context.pageNumber ?? context.ragChunk?.pageSpan?.firstPage ?? number('page'), line: number('line'),
  }
}

/** A place in words: "book.txt, line 1,234" or "talk.mp3, 12:04". */
export function where(passage) {
  const page = passage.page ? `, page ${passage.page.toLocaleString()}` : ''
  const line = passage.line ? `, line ${passage.line.toLocaleString()}` : ''
  const time = passage.time ? `, ${clock(passage.time[0])}` : ''
  return passage.title + page + line + time
}
