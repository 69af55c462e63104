import { behavesAsGateway } from './behaviour.js';
import { HAPROXY } from './haproxy.js';

behavesAsGateway(HAPROXY);
