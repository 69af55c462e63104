import { describe, expect, test } from '@jest/globals';
import { IsBoolean, IsInt, IsOptional, IsString, MaxLength, ValidateNested } from 'class-validator';
import { certainlyObeys, CompiledDto } from '../../src/http/compiled-dto.js';
import { DtoValidationPipe } from '../../src/http/validation.pipe.js';
import { RefreshDto, ValidateDto } from '../../src/sessions/session.dto.js';

const pipe = new DtoValidationPipe();
const letsThrough = (dto: Function, value: unknown) =>
  // Of a query: only bodies have the compiled form.
  pipe.transform(value, { type: 'query', metatype: dto as never }).then(
    () => true,
    () => false,
  );

const VALUES: readonly unknown[] = [
  { access_token: 'a' },
  { access_token: '' },
  { access_token: 'a', revocation_check: 'skip' },
  { access_token: 'a', revocation_check: 'SKIP' },
  { access_token: 'a', revocation_check: null },
  { access_token: 'a', revocation_check: undefined },
  { access_token: 'a', revocation_check: ['skip'] },
  { access_token: 'a', revocation_check: { toString: () => 'skip' } },
  { access_token: 'a', extra: 1 },
  { access_token: 'a', toString: 'b' },
  { access_token: 1 },
  { access_token: null },
  { access_token: ['a'] },
  { access_token: new String('a') },
  { refresh_token: 'a' },
  { refresh_token: 7 },
  {},
  [],
  [{ access_token: 'a' }],
  null,
  undefined,
  'access_token',
  7,
  Object.create({ access_token: 'inherited' }),
  JSON.parse('{"access_token":"a","__proto__":{"revocation_check":"skip"}}'),
];

describe('compiled rules', () => {
  test.each([ValidateDto, RefreshDto])(
    'of %p let nothing through that class-validator refuses',
    async (dto) => {
      for (const value of VALUES) {
        if (certainlyObeys(dto, value))
          expect({ value, ok: await letsThrough(dto, value) }).toEqual({ value, ok: true });
      }
    },
  );

  test('let what a client sends through', () => {
    expect(certainlyObeys(ValidateDto, { access_token: 'a', revocation_check: 'store' })).toBe(true);
    expect(certainlyObeys(ValidateDto, { access_token: 'a' })).toBe(true);
    expect(certainlyObeys(RefreshDto, { refresh_token: 'a' })).toBe(true);
  });

  test('are not made for a DTO that did not ask for it', () => {
    class Plain {
      @IsString()
      name!: string;
    }
    expect(certainlyObeys(Plain, { name: 'a' })).toBe(false);
    expect(certainlyObeys(undefined, {})).toBe(false);
  });

  test('are not made of rules that look at more than one value', () => {
    @CompiledDto()
    class Nested {
      @ValidateNested()
      inner!: object;
    }
    @CompiledDto()
    class Each {
      @IsInt({ each: true })
      numbers!: number[];
    }
    expect(certainlyObeys(Nested, { inner: {} })).toBe(false);
    expect(certainlyObeys(Each, { numbers: [1] })).toBe(false);
  });

  test('hold all rules of a member, its optional ones too, and those of a class it extends', () => {
    class Base {
      @IsString()
      @MaxLength(3)
      name!: string;
    }
    @CompiledDto()
    class Derived extends Base {
      @IsOptional()
      @IsBoolean()
      flag?: boolean;
    }
    expect(certainlyObeys(Derived, { name: 'abc' })).toBe(true);
    expect(certainlyObeys(Derived, { name: 'abcd' })).toBe(false);
    expect(certainlyObeys(Derived, { name: 'abc', flag: 'yes' })).toBe(false);
    expect(certainlyObeys(Derived, { flag: true })).toBe(false);
  });
});
