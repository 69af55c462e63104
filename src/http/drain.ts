/** Whether this instance is on its way out: readiness reports it, and answers stop keeping connections alive. */
import { Injectable } from '@nestjs/common';

@Injectable()
export class Drain {
  private started = false;

  get draining(): boolean {
    return this.started;
  }

  start(): void {
    this.started = true;
  }
}
