"""Signing a request anew after its body or address was changed: the server behind checks signatures."""

from collections.abc import Mapping

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.faults.proxy.exchange import Request

Keys = Mapping[str, Credentials]
_OURS = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")


def sign_again(request: Request, keys: Keys) -> None:
    """Replace the signature with one by the same caller; that of an unknown caller stays as it is."""
    authorization = request.headers.get("Authorization", "")
    if "Credential=" not in authorization:
        return
    access_key, _, region, service, _ = _between(authorization, "Credential=").split("/")
    if access_key not in keys:
        return
    signed = _between(authorization, "SignedHeaders=").split(";")
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() in signed and name.lower() not in [own.lower() for own in _OURS]
    }
    url = f"http://{request.headers['Host']}{request.target}"
    again = AWSRequest(request.method, url, headers, request.body)
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(keys[access_key], service, region).add_auth(again)
    for name in _OURS:
        del request.headers[name]
        if name in again.headers:
            request.headers[name] = again.headers[name]


def _between(text: str, start: str) -> str:
    return text.partition(start)[2].partition(",")[0].strip()
