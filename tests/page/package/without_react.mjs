// Takes the client where there is no React; prints what it offers.
import * as client from "@chatd/react/client";

process.stdout.write(JSON.stringify(Object.keys(client)));
