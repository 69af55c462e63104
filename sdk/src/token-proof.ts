/** Shape, claims, key and signature: what stays true of a token. */
import { compactVerify } from 'jose';
import { firstWrongClaim, type AccessClaims } from './claims.js';
import { parseAccessJwt } from './compact-jwt.js';
import { refusal } from './errors.js';
import type { KeySet, VerificationKey } from './key-set.js';
import { freeze, sessionOf, type Session } from './session.js';
import { warn } from './warning.js';

export interface ProvenToken {
  readonly session: Session;
  readonly key: VerificationKey;
}

export class TokenProof {
  private readonly wanted: readonly (readonly ['tenant_id' | 'iss' | 'aud', string])[];
  private hasToldIssuer = false;

  /** @param url where the service is asked: its PUBLIC_URL, unless an issuer is given */
  constructor(
    tenantId: string,
    url: string,
    { issuer, audience }: { readonly issuer?: string | undefined; readonly audience?: string | undefined },
    private readonly keySet: KeySet,
    private readonly nowMs: () => number,
  ) {
    this.wanted = [
      ['tenant_id', tenantId],
      ['iss', issuer ?? `${url}/tenants/${tenantId}`],
      ['aud', audience ?? tenantId],
    ];
  }

  /** @throws SessionServiceError a refusal, or `undecidable` while the keys cannot be had */
  async of(token: string): Promise<ProvenToken> {
    const parsed = parseAccessJwt(token);
    if (!parsed) throw refusal('invalid_token', 'not a compact JWT as the service writes it');
    const { payload, kid } = parsed;
    const broken = firstWrongClaim(payload);
    if (broken !== null)
      throw refusal('invalid_token', `the claim ${broken} is missing or not what it must be`);
    const claims = payload as unknown as AccessClaims;
    const differing = this.wanted.find(([name, wanted]) => claims[name] !== wanted);
    if (differing) {
      const [name, wanted] = differing;
      if (name === 'iss' && !this.hasToldIssuer) await this.tellIssuer(token, kid, claims, wanted);
      throw refusal('invalid_token', `its ${name} is not ${wanted}`);
    }
    const key = await this.keySet.find(kid);
    if (!key) throw refusal('invalid_signature', 'its kid is not in the key set');
    if (!(await isSignedBy(key, token))) throw refusal('invalid_signature');
    return { session: freeze(sessionOf(claims, 'none', null)), key };
  }

  /**
   * A good token of the tenant, but for another issuer than this one: an address other than the service's PUBLIC_URL. All
   * users would be asked to log in again, and nobody would know why. Told once.
   */
  private async tellIssuer(
    token: string,
    kid: string,
    { iss, exp }: AccessClaims,
    wanted: string,
  ): Promise<void> {
    // Nobody waits for keys here: what is refused already must cost no more than before.
    if (!this.keySet.loaded) void this.keySet.ensure().catch(() => undefined);
    const key = this.keySet.peek(kid);
    const isCurrent = key?.listed === true && exp * 1000 > this.nowMs();
    if (!isCurrent || !(await isSignedBy(key, token)) || this.hasToldIssuer) return;
    this.hasToldIssuer = true;
    warn(
      `Tokens of this tenant are refused: their issuer is ${iss}, and ${wanted} was expected. Give the verifier the issuer: the service's PUBLIC_URL with /tenants/<id>.`,
    );
  }
}

async function isSignedBy({ key }: VerificationKey, token: string): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: ['RS256'] });
    return true;
  } catch {
    return false;
  }
}
