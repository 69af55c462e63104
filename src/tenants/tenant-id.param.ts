import { Param, type PipeTransform } from '@nestjs/common';
import { AppError } from '../errors.js';
import { TENANT_ID } from './tenant.js';

const existsByShape: PipeTransform<string, string> = {
  transform(value) {
    if (!TENANT_ID.test(value)) throw new AppError('tenant_not_found');
    return value;
  },
};

/** The tenant in a route's path; a text that no tenant's id can be is a tenant that does not exist. */
export const TenantIdParam = () => Param('id', existsByShape);
