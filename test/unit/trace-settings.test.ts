import { describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { ConfigError, parseConfig, type TraceConfig } from '../../src/config.js';
import { parseOtlpHeaders } from '../../src/trace-settings.js';
import { testEnvironment } from '../support/test-service.js';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function traces(env: Record<string, string>): TraceConfig | null {
  return parseConfig({ ...testEnvironment(), ...env }).traces;
}

describe('the settings of traces', () => {
  test('are off without an endpoint, whatever else is set', () => {
    expect(traces({})).toBeNull();
    expect(traces({ OTEL_TRACES_SAMPLER: 'always_on', OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toBeNull();
  });

  test("have OpenTelemetry's defaults", () => {
    expect(traces(ENDPOINT)).toMatchObject({
      endpoint: 'http://collector:4318',
      serviceName: 'session-service',
      sampler: 'parentbased_always_on',
      sampledShare: 1,
    });
  });

  test('take what is set, and show no credential', () => {
    const config = traces({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector/tenant-7/',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20PRIVATE, x-b=2',
      OTEL_SERVICE_NAME: 'sessions-eu',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    });
    expect(config).toMatchObject({
      endpoint: 'https://collector/tenant-7',
      serviceName: 'sessions-eu',
      sampler: 'traceidratio',
      sampledShare: 0.25,
    });
    expect(inspect(config, { depth: 5 }) + JSON.stringify(config)).not.toContain('PRIVATE');
    expect(parseOtlpHeaders(config?.headers.reveal() ?? '')).toEqual({
      authorization: 'Bearer PRIVATE',
      'x-b': '2',
    });
  });

  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:secret-word@collector'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'secret-word'],
    ['OTEL_EXPORTER_OTLP_HEADERS', '=secret-word'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=secret-word'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=secret-word%'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=secret-word%0d%0ab'],
    ['OTEL_TRACES_SAMPLER', 'secret-word'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', '-0'],
    ['OTEL_TRACES_SAMPLER_ARG', 'secret-word'],
  ])('refuse %s=%s by its rule, without its value', (name, value) => {
    const boot = () => traces({ ...ENDPOINT, [name]: value });
    expect(boot).toThrow(ConfigError);
    expect(boot).toThrow(new RegExp(`^${name} must be `));
    expect(boot).not.toThrow(/secret-word/);
  });
});
