"""Verifies an access token as PyJWT's documentation has it: with a key set's address, an issuer and an audience.

    verify.py JWKS_URL ISSUER AUDIENCE <token

It prints {"claims": ...}, or {"error": "<PyJWT's exception>"}, and knows nothing of this service.
"""

import json
import sys

import jwt

jwks_url, issuer, audience = sys.argv[1:]
token = sys.stdin.read()
try:
    key = jwt.PyJWKClient(jwks_url).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
    )
    print(json.dumps({"claims": claims}))
except jwt.PyJWTError as error:
    print(json.dumps({"error": type(error).__name__}))
