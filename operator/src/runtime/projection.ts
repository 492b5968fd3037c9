/**
 * What of `live` stands where `desired` says something. Two projections of one `desired` differ only
 * if somebody changed a field that is ours; defaults that the API server fills in, the form in which
 * it writes a quantity, and fields of others are in neither or the same in both.
 */
export function project(live: unknown, desired: unknown): unknown {
  if (Array.isArray(desired)) return projectList(live, desired);
  if (isRecord(desired)) {
    if (!isRecord(live)) return live ?? null;
    // Own fields alone, read and made as such: a label may be called `constructor`, or `__proto__`.
    return Object.fromEntries(
      Object.entries(desired)
        .filter(([, wanted]) => wanted !== undefined)
        .map(([name, wanted]) => [
          name,
          project(Object.hasOwn(live, name) ? live[name] : undefined, wanted),
        ]),
    );
  }
  return live ?? null;
}

/** What tells the elements of the API's lists apart; a list without one belongs to us as a whole. */
const elementKeys = [["name"], ["uid"], ["containerPort", "protocol"], ["port", "protocol"]];

function projectList(live: unknown, desired: readonly unknown[]): unknown {
  if (!Array.isArray(live)) return live ?? null;
  const keys = elementKeys.find(([first]) =>
    desired.every((element) => isRecord(element) && first !== undefined && first in element),
  );
  if (keys === undefined || desired.length === 0) {
    return live.map((element, index) =>
      index < desired.length ? project(element, desired[index]) : (element as unknown),
    );
  }
  return desired.map((wanted) =>
    project(
      live.find((element) => sameElement(element, wanted, keys)),
      wanted,
    ),
  );
}

function sameElement(live: unknown, wanted: unknown, keys: readonly string[]): boolean {
  if (!isRecord(live) || !isRecord(wanted)) return false;
  return keys.every((key) => wanted[key] === undefined || live[key] === wanted[key]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
