/** DTO validation: unknown members and wrong types are refused, and the answer names the rule, not the value. */
import { Injectable, ValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { AppError } from '../errors.js';
import { certainlyObeys } from './compiled-dto.js';

@Injectable()
export class DtoValidationPipe extends ValidationPipe {
  constructor() {
    super({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      exceptionFactory: (errors) => new AppError('invalid_request', { description: describe(errors) }),
    });
  }

  /** class-transformer leaves out members such as `toString` before they could be called unknown. */
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const { type, metatype } = metadata;
    if ((type === 'body' || type === 'query') && certainlyObeys(metatype, value)) return value;
    const names = isObject(value) ? Object.keys(value) : [];
    const taken: unknown = await super.transform(value, metadata);
    if (taken === value || !isObject(taken)) return taken;
    const dropped = names.find((name) => !Object.hasOwn(taken, name));
    if (dropped === undefined) return taken;
    throw new AppError('invalid_request', { description: describeUnknown(dropped) });
  }

  /** Nest would take members out without a word. What is dangerous was refused by the strict reader of JSON. */
  protected override stripProtoKeys(): void {}
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** When several rules are broken, the type is what to mend first. */
const FIRST_RULES = ['isString', 'isInt', 'isBoolean', 'isArray', 'isUserId', 'isSessionMetadata'];

function describe(errors: readonly ValidationError[]): string {
  const first = errors[0];
  if (!first) return 'The request is malformed.';
  const { constraints = {}, property, children = [], value } = first as ValidationError & { value: unknown };
  if ('whitelistValidation' in constraints) return describeUnknown(property);
  const rule = FIRST_RULES.find((name) => name in constraints) ?? Object.keys(constraints).at(-1);
  if (rule === undefined) return describe(children);
  return value === undefined ? `${property} is required.` : `${constraints[rule]}.`;
}

/** A short plain name helps to find a slip of the pen; anything else may be a secret in the wrong place. */
function describeUnknown(name: string): string {
  const isPlain = /^[a-z_]{1,32}$/i.test(name);
  return `The request has a member that is not known here${isPlain ? `: ${name}` : ''}.`;
}
