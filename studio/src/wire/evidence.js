// Where an answer was drawn from, out of its metadata.

/**
 * Passages, best first: {title, name ("files/…" or ""), page, line, start, end, text, share}.
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
  const [start, end] = (place.get('char') ?? '').split(/[,-]/).map((text) => (text ? Number(text) : undefined))
  const title = context.title ?? context.documentName ?? uri.split('#')[0]
  const stored = /files\/[a-z0-9-]+/.exec(uri)?.[0] ?? files.find((file) => file.title === title)?.name ?? ''
  return {
    title, name: stored, text: context.text ?? '', share, start, end,
    page: context.pageNumber ?? context.ragChunk?.pageSpan?.firstPage ?? number('page'), line: number('line'),
  }
}

/** A place in words: "book.txt, line 1,234". */
export function where(passage) {
  const page = passage.page ? `, page ${passage.page.toLocaleString()}` : ''
  const line = passage.line ? `, line ${passage.line.toLocaleString()}` : ''
  return passage.title + page + line
}
