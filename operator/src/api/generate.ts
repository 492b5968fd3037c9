/** Writes crds/kafkaproxies.yaml and docs/kafkaproxy.md: `make docs`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { crdYaml } from "./crd.ts";
import { resourceReference } from "./reference.ts";

const root = join(import.meta.dirname, "../../..");
writeFileSync(join(root, "crds/kafkaproxies.yaml"), crdYaml());
writeFileSync(join(root, "docs/kafkaproxy.md"), resourceReference());
