// What a load generator sends: `next(connection)` gives the bytes of a request, or undefined when there is no more;
// `receive(connection, body)` takes an answer that had the expected status.

/** The same requests over and over: warm caches. */
export function repeating(requests, status = 200) {
  let at = 0;
  return {
    status,
    next() {
      if (at === requests.length) at = 0;
      return requests[at++];
    },
  };
}

/** Each request once, over all runs together: cold caches. A run ends after `perRun` of them. */
export function once(requests, perRun, status = 200) {
  let at = 0;
  let end = perRun;
  return {
    status,
    next: () => (at < end ? requests[at++] : undefined),
    begin() {
      end = at + perRun;
    },
  };
}

/** A request made anew for each number: creations. */
export function numbered(makeRequest, status) {
  let at = 0;
  return { status, next: () => makeRequest(at++) };
}

/**
 * Chains in which each request needs the answer before: refreshes. A chain is with one connection at a time.
 * @param toRequest of a token, to bytes
 * @param toToken of an answer's body, to the next token
 */
export function chained(tokens, toRequest, toToken, status = 200) {
  const waiting = [...tokens];
  return {
    status,
    next(connection) {
      connection.context = waiting.shift();
      return connection.context === undefined ? undefined : toRequest(connection.context);
    },
    receive(_connection, body) {
      waiting.push(toToken(JSON.parse(body.toString())));
    },
  };
}
