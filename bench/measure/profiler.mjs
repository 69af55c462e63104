// V8's sampling profiler in another process, over its inspector.

const SAMPLE_EVERY_MICROS = 200;

export class Profiler {
  #socket;
  #waiting = new Map();
  #lastId = 0;

  static async connect(port) {
    const [target] = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const profiler = new Profiler();
    profiler.#socket = new WebSocket(target.webSocketDebuggerUrl);
    profiler.#socket.addEventListener('message', ({ data }) => profiler.#take(JSON.parse(data)));
    await new Promise((resolve, reject) => {
      profiler.#socket.addEventListener('open', resolve);
      profiler.#socket.addEventListener('error', reject);
    });
    await profiler.#ask('Profiler.enable');
    await profiler.#ask('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_MICROS });
    return profiler;
  }

  async start() {
    await this.#ask('Profiler.start');
  }

  /** @returns the profile, as the inspector protocol has it */
  async stop() {
    const { profile } = await this.#ask('Profiler.stop');
    this.#socket.close();
    return profile;
  }

  #ask(method, params = {}) {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #take({ id, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }
}
