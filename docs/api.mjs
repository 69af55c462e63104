// Writes the API reference from the OpenAPI document: npm run docs:api [-- another file]
import { readFileSync, writeFileSync } from 'node:fs';

const HERE = import.meta.dirname;
const JSON_TYPE = 'application/json';
/** In the order in which a reader needs them; a tag that is not named here comes after these. */
const ORDER = ['sessions', 'tenants', 'api keys', 'keys', 'audit', 'health'];

/** @param {any} document as in openapi.json @returns {string} the page, Markdown */
export function apiPage(document) {
  const operations = Object.entries(document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb: verb.toUpperCase(), ...operation })),
  );
  const tags = [...new Set([...ORDER, ...operations.map(tagOf)])].filter((tag) =>
    operations.some((operation) => tagOf(operation) === tag),
  );
  const shapes = new Set();
  const chapters = tags.flatMap((tag) => [
    `## ${heading(tag)}`,
    ...operations
      .filter((operation) => tagOf(operation) === tag)
      .flatMap((call) => chapterOf(call, document, shapes)),
  ]);
  return `${[
    '# API reference',
    'Written from [openapi.json](openapi.json) by `npm run docs:api`: change the code, not this page. The same to try out is at `/docs` of a running service.',
    'JSON in snake_case. Callers send `X-API-Key`. Every answer carries `X-Request-Id`. Every error has `error`, `error_description`, `action` and `request_id`: [errors.md](errors.md). Two can meet any request and are not repeated below: `internal_error` (500) and, where a body is sent, `unsupported_media_type` (415).',
    table(
      ['Call', 'What it does'],
      operations
        .toSorted((a, b) => tags.indexOf(tagOf(a)) - tags.indexOf(tagOf(b)))
        .map((call) => [`[\`${call.verb} ${call.path}\`](#${anchor(nameOf(call))})`, call.summary]),
    ),
    ...chapters,
    '## Shapes',
    'What answers are made of. A member marked with * may be missing.',
    ...shapeChapters(shapes, document),
  ].join('\n\n')}\n`;
}

function chapterOf(call, document, shapes) {
  const parameters = call.parameters ?? [];
  return [
    `### ${nameOf(call)}`,
    call.summary,
    `**Who**: ${whoMay(call)}`,
    ...(parameters.length > 0 ? [parameterTable(parameters)] : []),
    ...bodyOf(call, document, shapes),
    ...Object.entries(call.responses)
      .filter(([status]) => Number(status) < 300)
      .flatMap(([status, { content }]) => answerOf(status, content, document, shapes)),
    ...errorsOf(call),
  ];
}

function bodyOf({ requestBody }, document, shapes) {
  const schema = schemaIn(requestBody?.content);
  if (!schema) return [];
  const isJson = JSON_TYPE in requestBody.content;
  const types = Object.keys(requestBody.content).map((type) => `\`${type}\``);
  return [
    isJson ? '**Body**' : `**Body**, ${types.join(' or ')}`,
    memberTable(resolve(schema, document), document, shapes),
    ...(isJson ? [json(exampleOf(schema, document))] : []),
  ];
}

function answerOf(status, content, document, shapes) {
  const types = Object.keys(content ?? {});
  if (types.length === 0) return [`**Answer** ${status}, without a body.`];
  const others = types.filter((type) => type !== JSON_TYPE).map((type) => `\`${type}\``);
  if (!(JSON_TYPE in content)) return [`**Answer** ${status}, ${others.join(' or ')}.`];
  const schema = content[JSON_TYPE].schema;
  const also = others.length > 0 ? `; or ${others.join(', ')}` : '';
  return [
    `**Answer** ${status}: ${typeName(schema, document, shapes)}${also}`,
    json(exampleOf(schema, document)),
  ];
}

/** The codes, each once, by status; a report of health is no error of the table. */
function errorsOf({ responses }) {
  const codes = Object.entries(responses)
    .filter(([status]) => Number(status) >= 400)
    .flatMap(([status, { content }]) =>
      Object.keys(content?.[JSON_TYPE]?.examples ?? {}).map((code) => `\`${code}\` (${status})`),
    );
  return codes.length > 0 ? [`**Errors**: ${codes.join(', ')}`] : [];
}

function whoMay({ security, 'x-access': access }) {
  if (access?.who === 'platform') return 'the platform key.';
  if (access?.who === 'tenant') return `an API key of the tenant with the scope \`${access.scope}\`.`;
  if (access) return `the platform key, or an API key of the tenant with the scope \`${access.scope}\`.`;
  return security?.length > 0 ? 'everybody, or who has `METRICS_TOKEN`, where it is set.' : 'everybody.';
}

function parameterTable(parameters) {
  return table(
    ['Parameter', 'In', 'Type', 'Meaning'],
    parameters
      .filter(({ in: place }) => place !== 'header')
      .map(({ name, in: place, required, description, schema }) => [
        // With a default, nobody has to send it.
        `\`${name}\`${required && schema.default === undefined ? '' : '*'}`,
        place,
        [plainType(schema), ...boundsOf(schema)].join(', '),
        description ?? '',
      ]),
  );
}

function memberTable(schema, document, shapes) {
  const required = new Set(schema.required);
  return table(
    ['Member', 'Type', 'Meaning'],
    membersOf(schema).map(([name, member]) => [
      `\`${name}\`${required.has(name) ? '' : '*'}`,
      [typeName(member, document, shapes), ...boundsOf(member)].join(', '),
      member.description ?? '',
    ]),
  );
}

/** Those that are always there come first. */
function membersOf({ properties = {}, required = [] }) {
  const isOptional = ([name]) => Number(!required.includes(name));
  return Object.entries(properties).toSorted((a, b) => isOptional(a) - isOptional(b));
}

/** A shape may speak of others: until none is new. */
function shapeChapters(shapes, document) {
  const chapters = new Map();
  for (const name of shapes) {
    // Iterating a set meets what is added meanwhile.
    const schema = document.components.schemas[name];
    chapters.set(name, [`### ${shapeName(name)}`, memberTable(schema, document, shapes)]);
  }
  return [...chapters].toSorted(([a], [b]) => a.localeCompare(b, 'en')).flatMap(([, chapter]) => chapter);
}

/** In words; a shape is linked, and noted in `shapes`. */
function typeName(schema, document, shapes) {
  const reference = referenceOf(schema);
  if (reference) {
    shapes.add(reference);
    const orNull = schema.nullable ? ' or null' : '';
    return `[${shapeName(reference)}](#${anchor(shapeName(reference))})${orNull}`;
  }
  if (schema.type === 'array') return `list of ${typeName(schema.items, document, shapes)}`;
  return plainType(schema);
}

function plainType({ type = 'any', enum: values, nullable }) {
  const words = values ? values.map((value) => `\`${value}\``).join(', ') : type;
  return nullable ? `${words} or null` : words;
}

function boundsOf({ minimum, maximum, minLength, maxLength, minItems, maxItems, default: preset }) {
  const range = (least, most) =>
    least === undefined
      ? `at most ${most}`
      : most === undefined
        ? `at least ${least}`
        : `${least} to ${most}`;
  const has = (...bounds) => bounds.some((bound) => bound !== undefined);
  return [
    ...(has(minimum, maximum) ? [range(minimum, maximum)] : []),
    ...(has(minLength, maxLength) ? [`${range(minLength, maxLength)} characters`] : []),
    ...(has(minItems, maxItems) ? [`${range(minItems, maxItems)} entries`] : []),
    ...(preset === undefined ? [] : [`default \`${preset}\``]),
  ];
}

/** Made of the examples of the members, and of what stands in their place where there is none. */
function exampleOf(schema, document) {
  if (schema.example !== undefined) return schema.example;
  const resolved = resolve(schema, document);
  if (resolved.enum) return resolved.enum[0];
  if (resolved.type === 'array') return [exampleOf(resolved.items, document)];
  if (resolved.type === 'boolean') return true;
  if (!resolved.properties) return resolved.type === 'number' ? 0 : resolved.type === 'string' ? '…' : {};
  return Object.fromEntries(membersOf(resolved).map(([name, member]) => [name, exampleOf(member, document)]));
}

function resolve(schema, document) {
  const reference = referenceOf(schema);
  return reference ? document.components.schemas[reference] : schema;
}

const referenceOf = (schema) => (schema?.$ref ?? schema?.allOf?.[0]?.$ref)?.split('/').at(-1);
const schemaIn = (content) => content?.[JSON_TYPE]?.schema ?? Object.values(content ?? {})[0]?.schema;
const tagOf = ({ tags }) => tags?.[0] ?? 'other';
const nameOf = ({ verb, path }) => `${verb} ${path}`;
const shapeName = (name) => name.replace(/Dto$/, '');
const heading = (tag) => tag.replace(/^./, (first) => first.toUpperCase()).replace(/\bapi\b/i, 'API');
const json = (value) => `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
/** As git hosts make them of headings. */
const anchor = (text) =>
  text
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

function table(columns, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const document = JSON.parse(readFileSync(`${HERE}/openapi.json`, 'utf8'));
  writeFileSync(process.argv[2] ?? `${HERE}/api.md`, apiPage(document));
}
