"""Uses the generated Python client against a running server: writes, reads, repeats, follows, and meets problems."""

import sys
import uuid

from risktier_client import Client
from risktier_client.api.enterprises import get_enterprise, import_enterprises, list_enterprises, put_enterprise
from risktier_client.api.frames import create_frame
from risktier_client.api.operations import get_health
from risktier_client.api.tiers import get_enterprise_tier, list_tier_changes, lookup_tiers
from risktier_client.api.webhooks import create_webhook, delete_webhook
from risktier_client.models import EnterpriseInput, LookupInput, Problem, Tier, WebhookInput
from risktier_client.types import File


def main(base):
    client = Client(base_url=base)
    assert get_health.sync(client=client).status == "ok"

    body = EnterpriseInput.from_dict({"name": "Generated Ltd", "division": "990102", "size": "small"})
    written = put_enterprise.sync_detailed("PY-1", client=client, body=body)
    assert written.status_code == 201, written.content
    tag = written.headers["etag"]
    stale = put_enterprise.sync_detailed("PY-1", client=client, body=body, if_match='"r999"')
    assert stale.status_code == 412 and isinstance(stale.parsed, Problem), stale.content
    again = put_enterprise.sync_detailed("PY-1", client=client, body=body, if_match=tag)
    assert again.status_code == 200, again.content

    tier = get_enterprise_tier.sync_detailed("PY-1", client=client)
    assert tier.parsed.tier in set(Tier), tier.content
    known = get_enterprise_tier.sync_detailed("PY-1", client=client, if_none_match=tier.headers["etag"])
    assert known.status_code == 304, known.content
    missing = get_enterprise.sync_detailed("no-such-id", client=client)
    assert missing.status_code == 404 and missing.parsed.type_.endswith(":unknown-enterprise"), missing.content

    found = lookup_tiers.sync(client=client, body=LookupInput(enterprise_ids=["PY-1", "no-such-id"]))
    assert [item.enterprise_id for item in found.items] == ["PY-1", "no-such-id"]

    seen, cursor = set(), None
    while True:
        page = list_enterprises.sync(client=client, limit=7, **({"cursor": cursor} if cursor else {}))
        seen.update(item.enterprise_id for item in page.items)
        cursor = page.next_cursor
        if not cursor:
            break
    assert "PY-1" in seen and len(seen) > 50, len(seen)

    rows = b"enterprise_id,name\nPY-2,Uploaded Ltd\n"
    report = import_enterprises.sync(client=client, body=File(payload=rows, mime_type="text/csv"))
    assert report.created_count + report.unchanged_count == 1, report

    key = str(uuid.uuid4())
    first = create_frame.sync_detailed(client=client, idempotency_key=key)
    second = create_frame.sync_detailed(client=client, idempotency_key=key)
    assert (first.status_code, first.content) == (second.status_code, second.content), second.content
    assert second.headers["idempotency-replayed"] == "true"

    feed = list_tier_changes.sync(client=client, limit=1000)
    assert feed.items and [item.number for item in feed.items] == list(range(1, len(feed.items) + 1))

    hook = create_webhook.sync(client=client, body=WebhookInput(url="http://127.0.0.1:9/python"))
    assert hook.secret.startswith("whsec_")
    deleted = delete_webhook.sync_detailed(hook.webhook.webhook_id, client=client)
    assert deleted.status_code == 200, deleted.content
    print(f"{len(seen)} enterprises listed, {len(feed.items)} changes followed, a request repeated")


if __name__ == "__main__":
    main(sys.argv[1])
