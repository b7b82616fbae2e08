const shared = { testEnvironment: 'node', transform: {} };

/** Tests run on what ships: the compiled code under dist/. @type {import('jest').Config} */
export default {
  coverageProvider: 'v8',
  workerIdleMemoryLimit: '1GB',
  // Specs wait for processes a third of their time: three keep two cores busy.
  maxWorkers: 3,
  // Real processes on a machine that may be busy; what a spec waits for has a shorter limit of its own.
  testTimeout: 180_000,
  projects: [
    {
      ...shared,
      displayName: 'pure',
      roots: ['<rootDir>/dist/apps', '<rootDir>/dist/libs'],
      testMatch: ['**/*.spec.js'],
    },
    {
      ...shared,
      displayName: 'whole',
      testEnvironment: '<rootDir>/dist/test/harness/environment.js',
      roots: ['<rootDir>/dist/test'],
      testMatch: ['**/*.spec.js'],
    },
  ],
};
