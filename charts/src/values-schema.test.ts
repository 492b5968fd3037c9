import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { valuesSchema } from "./values-schema.ts";

const properties = (text: string) =>
  valuesSchema(text)["properties"] as Record<string, Record<string, unknown>>;

describe("schema of values", () => {
  it("takes types from defaults and the rest from comments", () => {
    const text = `# Heading.

# How many.
# @min 0
# @max 9
count: 1
# Where
# it is.
# @pattern ^[a-z]*$
place: ""
# Who.
who:
  # On.
  # @enum a, b
  mode: a
  # Either.
  # @type integer, string
  most: 1
  # Names.
  # @items string
  names: []
# Any.
# @keys any
pod: {a: {b: 1}}
# Labels.
# @keys string
labels: {}
`;
    const found = properties(text);
    assert.deepEqual(found["count"], {
      description: "How many.",
      type: "integer",
      minimum: 0,
      maximum: 9,
      default: 1,
    });
    assert.deepEqual(found["place"], {
      description: "Where it is.",
      type: "string",
      pattern: "^[a-z]*$",
      default: "",
    });
    assert.deepEqual(found["who"], {
      description: "Who.",
      type: "object",
      additionalProperties: false,
      properties: {
        mode: { description: "On.", enum: ["a", "b"], default: "a" },
        most: { description: "Either.", type: ["integer", "string"], default: 1 },
        names: { description: "Names.", type: "array", items: { type: "string" }, default: [] },
      },
    });
    assert.deepEqual(found["pod"], {
      description: "Any.",
      type: "object",
      default: { a: { b: 1 } },
    });
    assert.deepEqual(found["labels"], {
      description: "Labels.",
      type: "object",
      additionalProperties: { type: "string" },
      default: {},
    });
  });

  it("refuses keys that are not in the file, and knows what Helm hands down itself", () => {
    assert.equal(valuesSchema("# A.\na: 1\n")["additionalProperties"], false);
    assert.deepEqual(Object.keys(properties("# A.\na: 1\n")), ["a", "enabled", "global"]);
  });

  const bad: readonly (readonly [string, RegExp])[] = [
    ["a: 1\n", /^Error: values.yaml: a has no comment$/u],
    ["# A.\na:\n  b: 1\n", /^Error: values.yaml: a.b has no comment$/u],
    ["# A.\n# @least 1\na: 1\n", /^Error: values.yaml: a: @least is none of /u],
    ["# A.\n# @min\na: 1\n", /^Error: values.yaml: a: @min says nothing$/u],
    ["# A.\na: []\n", /^Error: values.yaml: a needs @items$/u],
    ["# A.\na: {}\n", /^Error: values.yaml: a needs @keys$/u],
    ["# A.\na:\n", /^Error: values.yaml: a has a default that tells no type$/u],
    ["- 1\n", /^Error: values.yaml is not a map$/u],
  ];
  for (const [text, message] of bad) {
    it(`says what is wrong with ${JSON.stringify(text)}`, () => {
      assert.throws(() => valuesSchema(text), message);
    });
  }
});
