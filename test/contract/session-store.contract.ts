/** What every SessionStore does, part by part. */
import { describe } from '@jest/globals';
import type { OpenStores } from './open-stores.js';
import { liveCountContract } from './live-count.contract.js';
import { sessionIsolationContract } from './session-isolation.contract.js';
import { sessionRecordsContract } from './session-records.contract.js';
import { sessionRevocationContract } from './session-revocation.contract.js';
import { sessionReuseContract } from './session-reuse.contract.js';
import { sessionScanContract } from './session-scan.contract.js';
import { sessionRotationContract } from './session-rotation.contract.js';

export function sessionStoreContract(open: OpenStores): void {
  describe('session store', () => {
    sessionRecordsContract(open);
    sessionRotationContract(open);
    sessionReuseContract(open);
    sessionRevocationContract(open);
    sessionIsolationContract(open);
    liveCountContract(open);
    sessionScanContract(open);
  });
}
