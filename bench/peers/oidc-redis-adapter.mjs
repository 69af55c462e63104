// Where oidc-provider keeps its models: the adapter interface that its documentation describes, on Redis. Models are
// JSON with an expiry; grants know their tokens, so that one can be ended with all that came of it.

export function redisAdapter(redis) {
  return class {
    constructor(model) {
      this.model = model;
    }

    #key(id) {
      return `${this.model}:${id}`;
    }

    async upsert(id, payload, expiresInSeconds) {
      const write = redis.multi().set(this.#key(id), JSON.stringify(payload));
      if (expiresInSeconds) write.expire(this.#key(id), expiresInSeconds);
      if (payload.uid) write.set(`uid:${payload.uid}`, id, 'EX', expiresInSeconds);
      if (payload.userCode) write.set(`userCode:${payload.userCode}`, id, 'EX', expiresInSeconds);
      if (payload.grantId && this.model !== 'Session') {
        write.sadd(`grant:${payload.grantId}`, this.#key(id));
        write.expire(`grant:${payload.grantId}`, expiresInSeconds);
      }
      await write.exec();
    }

    async find(id) {
      const [stored, consumed] = await redis.mget(this.#key(id), `${this.#key(id)}:consumed`);
      if (stored === null) return undefined;
      const payload = JSON.parse(stored);
      return consumed === null ? payload : { ...payload, consumed: Number(consumed) };
    }

    async findByUid(uid) {
      const id = await redis.get(`uid:${uid}`);
      return id === null ? undefined : this.find(id);
    }

    async findByUserCode(userCode) {
      const id = await redis.get(`userCode:${userCode}`);
      return id === null ? undefined : this.find(id);
    }

    async consume(id) {
      await redis.set(`${this.#key(id)}:consumed`, Math.floor(Date.now() / 1000), 'EX', 86_400);
    }

    async destroy(id) {
      await redis.del(this.#key(id));
    }

    async revokeByGrantId(grantId) {
      const keys = await redis.smembers(`grant:${grantId}`);
      await redis.del(`grant:${grantId}`, ...keys);
    }
  };
}
