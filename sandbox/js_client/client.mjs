// A Matrix client as Element has it: matrix-js-sdk with its Rust crypto.
//
// Each line on standard input is a command as JSON, {"id": 1, "do": "send", ...}; each line on
// standard output an answer {"id": 1, "result": ...} or {"id": 1, "error": "..."}, or an event that
// was seen, {"seen": ...}. Secrets live in memory only: with the process, the device is gone.

import { createInterface } from "node:readline";

import * as sdk from "matrix-js-sdk";
import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { AllDevicesIsolationMode, OnlySignedDevicesIsolationMode } from "matrix-js-sdk/lib/crypto-api/index.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

// Node 20 has not got it yet.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new Promise((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
};

const COLOURS = ["none", "grey", "red"];
const REASONS = Object.fromEntries(
  Object.entries((await import("matrix-js-sdk/lib/crypto-api/index.js")).EventShieldReason)
    .filter(([name]) => Number.isNaN(Number(name)))
    .map(([name, value]) => [value, name]),
);

logger.disableAll?.();
for (const name of ["log", "info", "warn", "debug", "error", "trace"]) console[name] = () => {};

let client;

function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function tellEvent(event) {
  const content = event.isDecryptionFailure() ? {} : event.getContent();
  const info = event.isEncrypted() ? await client.getCrypto().getEncryptionInfoForEvent(event) : null;
  tell({
    seen: {
      room: event.getRoomId(),
      id: event.getId(),
      type: event.isDecryptionFailure() ? "m.room.encrypted" : event.getType(),
      sender: event.getSender(),
      content,
      encrypted: event.isEncrypted(),
      failure: event.isDecryptionFailure() ? String(event.decryptionFailureReason) : null,
      shield: info && COLOURS[info.shieldColour],
      why: info && info.shieldReason !== null ? REASONS[info.shieldReason] ?? String(info.shieldReason) : null,
    },
  });
}

async function untilSynced() {
  const done = (state) => state === "PREPARED" || state === "SYNCING";
  if (done(client.getSyncState())) return;
  await new Promise((resolve) => {
    client.on(sdk.ClientEvent.Sync, (state) => done(state) && resolve());
  });
}

const commands = {
  // Log in and listen. `signed`: with a cross-signing identity that vouches for the device.
  // `strict`: have nothing to do with devices that their users have not signed.
  async start({ url, user, password, signed, strict }) {
    const login = sdk.createClient({ baseUrl: url, logger: quiet });
    const account = await login.loginRequest({
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password,
    });
    client = sdk.createClient({
      baseUrl: url,
      userId: account.user_id,
      deviceId: account.device_id,
      accessToken: account.access_token,
      logger: quiet,
    });
    await client.initRustCrypto({ useIndexedDB: false });
    const crypto = client.getCrypto();
    crypto.setDeviceIsolationMode(strict ? new OnlySignedDevicesIsolationMode() : new AllDevicesIsolationMode(false));
    client.on(sdk.RoomEvent.Timeline, (event, _room, toStart) => {
      if (toStart) return;
      if (!event.isEncrypted()) tellEvent(event);
      else if (!event.isBeingDecrypted() && !event.shouldAttemptDecryption()) tellEvent(event);
    });
    client.on(sdk.MatrixEventEvent.Decrypted, (event) => tellEvent(event));
    client.on(CryptoEvent.KeysChanged, () => {});
    await client.startClient({ initialSyncLimit: 100, pollTimeout: 10_000 });
    await untilSynced();
    if (signed) {
      await crypto.bootstrapCrossSigning({
        setupNewCrossSigning: true,
        authUploadDeviceSigningKeys: (make) =>
          make({ type: "m.login.password", identifier: { type: "m.id.user", user }, password }),
      });
    }
    return { user: account.user_id, device: account.device_id };
  },

  async create_room({ name, invite }) {
    const made = await client.createRoom({
      name,
      invite,
      preset: "private_chat",
      initial_state: [
        { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
      ],
    });
    return { room: made.room_id };
  },

  async join({ room }) {
    await client.joinRoom(room);
    return {};
  },

  async send({ room, type, content }) {
    return { event: (await client.sendEvent(room, type, content)).event_id };
  },

  // What is known of a user's devices and identity.
  async devices({ user }) {
    const crypto = client.getCrypto();
    const devices = (await crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
    const found = [];
    for (const id of devices.keys()) {
      const status = await crypto.getDeviceVerificationStatus(user, id);
      found.push({ id, signed: status?.signedByOwner ?? false });
    }
    const identity = await crypto.userHasCrossSigningKeys(user, true);
    return { devices: found, identity };
  },

  async is_encrypted({ room }) {
    return { encrypted: await client.getCrypto().isEncryptionEnabledInRoom(room) };
  },

  // Put a file, encrypted by this client's own means, where others can fetch it.
  async upload({ data, type }) {
    const made = await client.uploadContent(Buffer.from(data, "base64"), { type, includeFilename: false });
    return { url: made.content_uri };
  },

  // Fetch an encrypted file, and decrypt it as Element does: by the browser's own crypto.
  async download({ file }) {
    const url = client.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
    if (!answer.ok) throw new Error(`the file can't be fetched: ${answer.status}`);
    const sealed = await answer.arrayBuffer();
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", sealed));
    if (!digest.equals(Buffer.from(file.hashes.sha256, "base64"))) throw new Error("the hash is another one");
    const key = await crypto.subtle.importKey("jwk", file.key, "AES-CTR", false, ["encrypt", "decrypt"]);
    const counter = Buffer.from(file.iv, "base64");
    const data = await crypto.subtle.decrypt({ name: "AES-CTR", counter, length: 64 }, key, sealed);
    return { data: Buffer.from(data).toString("base64") };
  },

  async stop() {
    client.stopClient();
    return {};
  },
};

const quiet = {
  trace() {}, debug() {}, info() {}, warn() {}, error() {},
  getChild() { return quiet; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: what, ...options } = JSON.parse(line);
  commands[what](options).then(
    (result) => tell({ id, result }),
    (error) => tell({ id, error: String(error?.stack ?? error) }),
  );
}
process.exit(0);
