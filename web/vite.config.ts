import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// While working on the app: `MILLRACE=http://127.0.0.1:8080 npm run dev`, with a program running there.
const program = process.env.MILLRACE ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  server: { port: 5173, proxy: { '/api': { target: program, changeOrigin: false } } },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
});
