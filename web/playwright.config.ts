import { defineConfig } from '@playwright/test';

const root = process.getuid?.() === 0;

// The distribution's Chromium: downloads of Playwright's own are not possible everywhere.
export default defineConfig({
  testDir: 'tests',
  timeout: 240_000,
  expect: { timeout: 15_000 },
  workers: 1,
  reporter: 'list',
  use: {
    actionTimeout: 15_000,
    viewport: { width: 1280, height: 900 },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: root ? ['--no-sandbox'] : [],
    },
  },
  projects: [
    { name: 'app', testMatch: ['app.spec.ts', 'data.spec.ts', 'empty.spec.ts', 'factor.spec.ts', 'hostile.spec.ts', 'invitations.spec.ts', 'journeys.spec.ts', 'keyboard.spec.ts', 'operate.spec.ts', 'stock.spec.ts'] },
    { name: 'screenshots', testMatch: 'screenshots.spec.ts' },
  ],
});
