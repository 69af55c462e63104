import { behavesAsGateway } from './behaviour.js';
import { NGINX } from './nginx.js';

behavesAsGateway(NGINX);
