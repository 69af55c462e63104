import { availableParallelism } from 'node:os';

export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // They take minutes: npm run check:deployment, npm run rehearse:rolling.
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/test/deployment/',
    '<rootDir>/test/rolling/',
    '<rootDir>/test/regions/',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  // @nestjs/common first: CommonJS packages that require it cannot while jest is still linking it.
  setupFiles: ['reflect-metadata', '@nestjs/common'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      'ts-jest',
      { useESM: true, astTransformers: { before: [{ path: './test/support/swagger-transformer.cjs' }] } },
    ],
  },
  // Suites wait for Redis half of the time, and share the machine with the servers that they start.
  maxWorkers: Math.min(4, availableParallelism()),
  // Each suite links Nest anew, and what it linked stays in memory.
  workerIdleMemoryLimit: '1500MB',
  // No test needs a tenth of it: a busy machine changes no verdict.
  testTimeout: 600_000,
  collectCoverageFrom: ['src/**/*.ts'],
  // Counters in the code, made once and cached. V8's own costs each suite as much again as all its tests.
  coverageProvider: 'babel',
  coverageReporters: ['text-summary', 'lcov'],
  coverageThreshold: { global: { lines: 90 } },
};
