/** What the service's parts of this package are built for. */
export const SERVICE_API = 'session-service';
