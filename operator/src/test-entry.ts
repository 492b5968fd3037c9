/** What the tests run as an operator's process: the operator, with the service account that they give it. */
import { runOperator } from "./index.ts";

const { IMAGE: image = "", FOLDER: serviceAccountFolder, ELECT } = process.env;
process.exitCode = await runOperator({
  image,
  serviceAccountFolder,
  leaderElect: ELECT === "yes",
  logLevel: "debug",
  admin: { host: "127.0.0.1", port: 0 },
  environment: process.env,
});
