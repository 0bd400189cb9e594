"""S3-compatible storage; credentials come from the environment or the instance, never from a command line."""

from urllib.parse import urlsplit

from pyarrow import fs

from fucina.errors import BadInput


class BadEndpoint(BadInput):
    """The address of a storage is none."""

    code = "bad_s3_endpoint"


def open_s3(*, endpoint: str, region: str, anonymous: bool) -> fs.S3FileSystem:
    """The storage behind an endpoint such as https://s3.example.org:9000; an empty one is Amazon's.

    Raises BadEndpoint.
    """
    options: dict[str, object] = {"anonymous": anonymous, "request_timeout": 60, "connect_timeout": 10}
    if endpoint:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise BadEndpoint(
                f"{endpoint!r} is not the address of a storage.", hint="Give https://host or https://host:port."
            )
        options |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if region:
        options["region"] = region
    return fs.S3FileSystem(**options)
