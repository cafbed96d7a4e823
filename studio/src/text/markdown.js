// Markdown as HTML that is safe to show: whatever a model writes, nothing in it runs or loads.
import DOMPurify from 'dompurify'
import { marked } from 'marked'

const ALLOWED = {
  RETURN_TRUSTED_TYPE: true,
  ALLOWED_TAGS: ['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a',
    'table', 'thead', 'tbody', 'tr', 'th', 'td', 'input', 'span', 'sup', 'sub'],
  ALLOWED_ATTR: ['href', 'title', 'class', 'align', 'start', 'type', 'checked', 'disabled'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#)/i, // pictures are not among the tags: one from elsewhere would tell that it was seen
}
DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank')
    node.setAttribute('rel', 'noopener noreferrer nofollow')
  }
  if (node.tagName === 'INPUT' && node.getAttribute('type') !== 'checkbox') node.remove()
})
marked.use({ gfm: true, breaks: true })

/** HTML of Markdown. */
export const html = (text) => DOMPurify.sanitize(marked.parse(text), ALLOWED)

let lighter = null

/** Give every block of code under an element its colours, and a button that copies it. */
export async function finish(element) {
  const blocks = [...element.querySelectorAll('pre > code:not([data-done])')]
  if (!blocks.length) return
  lighter ??= import('./highlight.js')
  const { light } = await lighter
  for (const block of blocks) {
    block.dataset.done = ''
    light(block)
    block.parentElement.append(copier(block.textContent))
  }
}

function copier(text) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'copy', textContent: 'Copy' })
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
    setTimeout(() => (button.textContent = 'Copy'), 1500)
  })
  return button
}
