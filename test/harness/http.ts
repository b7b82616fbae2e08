export { http, type Answer, type Http, type Json, type RequestOptions } from '../../tools/http.js';
