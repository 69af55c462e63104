import { Param, type PipeTransform } from '@nestjs/common';
import { AppError } from '../errors.js';
import { isRandomId } from '../random-id.js';

const existsByShape: PipeTransform<string, string> = {
  transform(value) {
    if (!isRandomId(value)) throw new AppError('session_not_found');
    return value;
  },
};

/** The session in a route's path; a text that no session's id can be is a session that does not exist. */
export const SessionIdParam = () => Param('session_id', existsByShape);
