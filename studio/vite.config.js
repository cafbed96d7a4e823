// The page is built into the Python package: whoever installs that needs no Node.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

const server = process.env.POLLUX_URL ?? 'http://127.0.0.1:8756'

export default defineConfig({
  base: './', // addresses are relative: the server may stand behind a prefix
  plugins: [svelte()],
  build: {
    outDir: '../src/pollux/serve/studio',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses but for pictures
    modulePreload: { polyfill: false },
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'], // these know light-dark()
  },
  server: { proxy: { '/v1beta': server, '/upload': server, '/studio-api': server } },
})
