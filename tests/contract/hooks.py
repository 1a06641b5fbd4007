"""What schemathesis does not know by itself: bodies of rows and files are bytes."""

import schemathesis


@schemathesis.serializer("text/csv", "application/x-ndjson", "application/vnd.apache.parquet")
def as_bytes(context, value):
    data = getattr(value, "data", value)
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    # What is neither text nor bytes can be no body of such a type: it is left out.
    return data if isinstance(data, bytes) else None
