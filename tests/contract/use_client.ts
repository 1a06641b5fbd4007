// Uses the generated TypeScript types against a running server: writes, reads, repeats, follows, and meets problems.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./contract.d.ts";

type Tier = components["schemas"]["Tier"];
type Lookup = components["schemas"]["LookupAnswer"];

const client = createClient<paths>({ baseUrl: process.argv[2] });

const written = await client.PUT("/v1/enterprises/{id}", {
  params: { path: { id: "TS-1" } },
  body: { name: "Generated Ltd", division: "990102", size: "small" },
});
assert.equal(written.response.status, 201, JSON.stringify(written.error));

const stale = await client.PUT("/v1/enterprises/{id}", {
  params: { path: { id: "TS-1" }, header: { "if-match": '"r999"' } },
  body: { name: "Generated Ltd" },
});
assert.equal(stale.response.status, 412);
assert.equal(stale.error?.type, "urn:risktier:problem:precondition-failed");

const tier = await client.GET("/v1/enterprises/{id}/tier", { params: { path: { id: "TS-1" } } });
assert.ok(tier.data);
const letter: Tier = tier.data.tier;
assert.ok(["A", "B", "C", "D"].includes(letter));
const known = await client.GET("/v1/enterprises/{id}/tier", {
  params: { path: { id: "TS-1" }, header: { "if-none-match": tier.response.headers.get("etag") ?? "" } },
});
assert.equal(known.response.status, 304);

const found = await client.POST("/v1/tiers/lookup", { body: { enterprise_ids: ["TS-1", "no-such-id"] } });
// It may come as lines too, which are text; as JSON it is this.
const { items } = found.data as Lookup;
assert.deepEqual(items.map((item) => item.enterprise_id), ["TS-1", "no-such-id"]);

const header = { "idempotency-key": randomUUID() };
const first = await client.POST("/v1/frames", { params: { header } });
const second = await client.POST("/v1/frames", { params: { header } });
assert.equal(first.response.status, 201, JSON.stringify(first.error));
assert.deepEqual(second.data, first.data);
assert.equal(second.response.headers.get("idempotency-replayed"), "true");

let cursor: string | undefined;
let numbers: number[] = [];
for (;;) {
  const feed = await client.GET("/v1/tiers/changes", { params: { query: { cursor, limit: 20 } } });
  assert.ok(feed.data, JSON.stringify(feed.error));
  numbers = numbers.concat(feed.data.items.map((item) => item.number));
  cursor = feed.data.next_cursor;
  if (feed.data.is_current) break;
}
assert.deepEqual(numbers, numbers.map((_, place) => place + 1));

const problem = await client.GET("/v1/plans/{plan_id}", { params: { path: { plan_id: "no-such-plan" } } });
assert.equal(problem.response.status, 404);
assert.equal(problem.error?.title, "The plan does not exist");
console.log(`tier ${letter} read, ${numbers.length} changes followed, a request repeated`);
