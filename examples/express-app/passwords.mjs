// Users and their passwords are the application's own affair: the session service knows neither.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const hash = promisify(scrypt);
const salt = randomBytes(16);
const users = new Map([['alice', await hash('wonderland', salt, 64)]]);

/** @returns {Promise<string | null>} the user's id when the password is right */
export async function logIn(user, password) {
  if (typeof user !== 'string' || typeof password !== 'string') return null;
  // As much work for a user that there is not.
  const known = users.get(user) ?? Buffer.alloc(64);
  const isRight = timingSafeEqual(known, await hash(password, salt, 64));
  return isRight && users.has(user) ? user : null;
}
