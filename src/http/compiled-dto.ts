/**
 * DTO rules, compiled once: a body that obeys them is let through without class-validator's walk over its metadata,
 * which costs a hot route more than all of its work. The decorators stay the one source of truth: the compiled form
 * runs their own validators, and whatever it does not let through, class-validator judges and describes.
 */
import {
  getFromContainer,
  getMetadataStorage,
  IS_OPTIONAL,
  type ValidatorConstraintInterface,
} from 'class-validator';

type Rule = (value: unknown) => boolean;
interface Member {
  readonly optional: boolean;
  readonly rules: readonly Rule[];
}
export type Dto = new () => object;

const marked = new WeakSet<Function>();
const compiled = new WeakMap<Function, ((value: unknown) => boolean) | null>();

/** For DTOs of hot routes: flat, nothing to transform, no defaults. What has more than simple rules is not compiled. */
export const CompiledDto = (): ClassDecorator => (dto) => void marked.add(dto);

/** @returns whether the value certainly obeys the DTO's rules; false says nothing */
export function certainlyObeys(dto: Function | undefined, value: unknown): boolean {
  if (!dto || !marked.has(dto)) return false;
  let check = compiled.get(dto);
  if (check === undefined) {
    check = compile(dto);
    compiled.set(dto, check);
  }
  return check?.(value) ?? false;
}

/** @returns null for rules whose verdict depends on more than the one value */
function compile(dto: Function): ((value: unknown) => boolean) | null {
  const members = new Map<string, { optional: boolean; rules: Rule[] }>();
  for (const {
    name,
    type,
    propertyName,
    constraintCls,
    constraints,
    each,
    validateIf,
    groups,
  } of getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false)) {
    const member = members.get(propertyName) ?? { optional: false, rules: [] };
    members.set(propertyName, member);
    if (name === IS_OPTIONAL) member.optional = true;
    else if (type !== 'customValidation' || each || validateIf || groups?.length) return null;
    else member.rules.push(ruleOf(constraintCls, constraints, propertyName, dto.name));
  }
  return (value) => obeys(value, members);
}

function ruleOf(
  constraintClass: Function,
  constraints: unknown[],
  property: string,
  targetName: string,
): Rule {
  const validator = getFromContainer<ValidatorConstraintInterface>(
    constraintClass as new () => ValidatorConstraintInterface,
  );
  return (value) =>
    validator.validate(value, { value, constraints, property, targetName, object: {} }) === true;
}

function obeys(value: unknown, members: ReadonlyMap<string, Member>): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const object = value as Record<string, unknown>;
  for (const name in object) if (!members.has(name)) return false;
  for (const [name, { optional, rules }] of members) {
    const member = Object.hasOwn(object, name) ? object[name] : undefined;
    if (optional && (member === undefined || member === null)) continue;
    for (const rule of rules) if (!rule(member)) return false;
  }
  return true;
}
