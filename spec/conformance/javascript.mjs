// The AWS SDK for JavaScript, version 3, as a client of `awsync serve`.
//
// Usage: node javascript.mjs AWSYNC PEERS; PEERS/node_modules has the SDK. Each check prints a line; the last line is
// `N passed, N failed`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [awsync, peers] = process.argv.slice(2);
const require = createRequire(join(resolve(peers), "package.json"));
const sqsSdk = require("@aws-sdk/client-sqs");
const lambdaSdk = require("@aws-sdk/client-lambda");
const stsSdk = require("@aws-sdk/client-sts");

const { SQS } = sqsSdk;
const { Lambda } = lambdaSdk;
const { STS } = stsSdk;

const account = "123456789012";
const arn = `arn:aws:lambda:us-east-1:${account}:function:answers`;
const here = dirname(fileURLToPath(import.meta.url));
const checks = [];
const check = (name, run) => checks.push({ name, run });

// `awsync serve`, with the variables that it printed.
async function serve() {
  const child = spawn(awsync, ["serve", "--quiet", "--timeout", "3", join(here, "answers.lua")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const variables = {};
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const [, name, value] = line.match(/^export (\w+)=(.*)$/);
    variables[name] = value;
    if (name === "AWS_SESSION_TOKEN") break;
  }
  assert.ok("AWS_SESSION_TOKEN" in variables, "awsync serve did not start");
  const ended = new Promise((done) => child.once("exit", done));
  return { variables, stop: () => (child.kill("SIGTERM"), ended) };
}

function settings(v, changes = {}) {
  return {
    endpoint: v.AWS_ENDPOINT_URL,
    region: v.AWS_REGION,
    credentials: { accessKeyId: v.AWS_ACCESS_KEY_ID, secretAccessKey: v.AWS_SECRET_ACCESS_KEY },
    maxAttempts: 1,
    ...changes,
  };
}

// A queue for the time of one function.
async function withQueue(sqs, name, attributes, use) {
  const { QueueUrl } = await sqs.createQueue({ QueueName: name, Attributes: attributes });
  try {
    await use(QueueUrl);
  } finally {
    await sqs.deleteQueue({ QueueUrl });
  }
}

// The call fails with that class of the SDK's, or where there is none, that name.
async function fails(promise, expected, status) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  const name = typeof expected === "string" ? expected : expected.name;
  assert.ok(error, `${name} was expected`);
  if (typeof expected !== "string") assert.ok(error instanceof expected, `${error.name}: ${error.message}`);
  assert.equal(error.name, name, error.message);
  assert.equal(error.$metadata.httpStatusCode, status);
  return error;
}

// This process has a wrong clock while `use` runs; the server has not.
async function withClockOff(minutes, use) {
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...parts) {
      if (parts.length > 0) super(...parts);
      else super(globalThis.Date.now());
    }
    static now() {
      return Right.now() + minutes * 60000;
    }
  };
  try {
    await use();
  } finally {
    globalThis.Date = Right;
  }
}

const text = (payload) => Buffer.from(payload).toString();
const event = (value) => Buffer.from(JSON.stringify(value));
const call = (lambda, value, more) => lambda.invoke({ FunctionName: "answers", Payload: event(value), ...more });

check("a message comes as it went", async (v) => {
  const sqs = new SQS(settings(v));
  await withQueue(sqs, "plain", {}, async (QueueUrl) => {
    assert.equal((await sqs.getQueueUrl({ QueueName: "plain" })).QueueUrl, QueueUrl);
    // the SDK compares the digests of bodies with what it sent and what it got
    const sent = await sqs.sendMessage({
      QueueUrl,
      MessageBody: "grüße <&>\"'\t\n",
      MessageAttributes: {
        text: { DataType: "String", StringValue: "b & c" },
        bytes: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
      },
    });
    const { Messages: got } = await sqs.receiveMessage({
      QueueUrl,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    });
    assert.equal(got.length, 1);
    assert.equal(got[0].Body, "grüße <&>\"'\t\n");
    assert.equal(got[0].MessageId, sent.MessageId);
    assert.equal(got[0].MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
    assert.equal(got[0].MessageAttributes.text.StringValue, "b & c");
    assert.deepEqual([...got[0].MessageAttributes.bytes.BinaryValue], [0, 255]);
    assert.equal(got[0].Attributes.ApproximateReceiveCount, "1");
    await sqs.deleteMessage({ QueueUrl, ReceiptHandle: got[0].ReceiptHandle });
    assert.equal((await sqs.receiveMessage({ QueueUrl })).Messages, undefined);
  });
});

check("a FIFO queue keeps order and takes no doubles", async (v) => {
  const sqs = new SQS(settings(v));
  const attributes = { FifoQueue: "true", ContentBasedDeduplication: "true" };
  await withQueue(sqs, "line.fifo", attributes, async (QueueUrl) => {
    const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `m${i}`, MessageBody: `${i}`, MessageGroupId: "g" }));
    const sent = await sqs.sendMessageBatch({ QueueUrl, Entries });
    assert.equal(sent.Successful.length, 10);
    assert.equal((sent.Failed ?? []).length, 0);
    const again = await sqs.sendMessage({ QueueUrl, MessageBody: "3", MessageGroupId: "g" });
    assert.equal(again.MessageId, sent.Successful[3].MessageId);
    const { Messages: got } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
    assert.deepEqual(got.map((m) => m.Body), Entries.map((e) => e.MessageBody));
    const gone = await sqs.deleteMessageBatch({
      QueueUrl,
      Entries: got.map((m) => ({ Id: m.MessageId, ReceiptHandle: m.ReceiptHandle })),
    });
    assert.equal(gone.Successful.length, 10);
    await fails(sqs.sendMessage({ QueueUrl, MessageBody: "no group" }), "MissingParameter", 400);
  });
});

check("a batch may fail in part", async (v) => {
  const sqs = new SQS(settings(v));
  await withQueue(sqs, "batch", {}, async (QueueUrl) => {
    const sent = await sqs.sendMessageBatch({
      QueueUrl,
      Entries: [{ Id: "good", MessageBody: "1" }, { Id: "bad", MessageBody: "2", DelaySeconds: 901 }],
    });
    assert.deepEqual(sent.Successful.map((e) => e.Id), ["good"]);
    assert.deepEqual(sent.Failed.map((e) => [e.Id, e.SenderFault, e.Code]), [["bad", true, "InvalidParameterValue"]]);
  });
});

check("attributes are set and read, tags are kept", async (v) => {
  const sqs = new SQS(settings(v));
  await withQueue(sqs, "attributes", { VisibilityTimeout: "7" }, async (QueueUrl) => {
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { MessageRetentionPeriod: "600" } });
    await sqs.sendMessage({ QueueUrl, MessageBody: "1" });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    assert.equal(Attributes.QueueArn, `arn:aws:sqs:us-east-1:${account}:attributes`);
    assert.equal(Attributes.VisibilityTimeout, "7");
    assert.equal(Attributes.MessageRetentionPeriod, "600");
    assert.equal(Attributes.ApproximateNumberOfMessages, "1");
    await sqs.tagQueue({ QueueUrl, Tags: { team: "blue", "a b": "c&d" } });
    await sqs.untagQueue({ QueueUrl, TagKeys: ["team"] });
    assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { "a b": "c&d" });
    const names = [];
    for await (const page of sqsSdk.paginateListQueues({ client: sqs, pageSize: 1 }, { QueueNamePrefix: "attr" }))
      names.push(...(page.QueueUrls ?? []));
    assert.deepEqual(names, [QueueUrl]);
  });
});

check("a long poll ends when a message comes", async (v) => {
  const sqs = new SQS(settings(v));
  await withQueue(sqs, "poll", {}, async (QueueUrl) => {
    let begun = performance.now();
    assert.equal((await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 1 })).Messages, undefined);
    assert.ok(performance.now() - begun >= 990);
    begun = performance.now();
    const waiting = sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 20 });
    await sleep(300);
    await sqs.sendMessage({ QueueUrl, MessageBody: "late" });
    assert.deepEqual((await waiting).Messages.map((m) => m.Body), ["late"]);
    assert.ok(performance.now() - begun < 19000);
  });
});

check("errors of SQS have the class of the SDK", async (v) => {
  const sqs = new SQS(settings(v));
  const nowhere = `${v.AWS_ENDPOINT_URL}/${account}/nowhere`;
  const error = await fails(sqs.sendMessage({ QueueUrl: nowhere, MessageBody: "x" }), sqsSdk.QueueDoesNotExist, 400);
  assert.equal(error.message, "The specified queue does not exist.");
  await fails(sqs.getQueueUrl({ QueueName: "nowhere" }), sqsSdk.QueueDoesNotExist, 400);
  await withQueue(sqs, "errors", { VisibilityTimeout: "30" }, async (QueueUrl) => {
    const other = { QueueName: "errors", Attributes: { VisibilityTimeout: "31" } };
    const Entries = [{ Id: "a", MessageBody: "x" }, { Id: "a", MessageBody: "x" }];
    await fails(sqs.createQueue(other), sqsSdk.QueueNameExists, 400);
    await fails(sqs.sendMessageBatch({ QueueUrl, Entries: [] }), sqsSdk.EmptyBatchRequest, 400);
    await fails(sqs.sendMessageBatch({ QueueUrl, Entries }), sqsSdk.BatchEntryIdsNotDistinct, 400);
    await fails(sqs.deleteMessage({ QueueUrl, ReceiptHandle: "nonsense" }), sqsSdk.ReceiptHandleIsInvalid, 404);
    await fails(sqs.sendMessage({ QueueUrl, MessageBody: "\x01" }), sqsSdk.InvalidMessageContents, 400);
    await fails(sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Colour"] }), sqsSdk.InvalidAttributeName, 400);
    await sqs.purgeQueue({ QueueUrl });
    await fails(sqs.purgeQueue({ QueueUrl }), sqsSdk.PurgeQueueInProgress, 403);
  });
});

check("a synchronous call has answer and log", async (v) => {
  const lambda = new Lambda(settings(v));
  const answer = await call(lambda, { act: "squares" }, { LogType: "Tail" });
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.FunctionError, undefined);
  assert.equal(answer.ExecutedVersion, "$LATEST");
  assert.deepEqual(JSON.parse(text(answer.Payload)), { statusCode: 200, body: "30" });
  const log = Buffer.from(answer.LogResult, "base64").toString();
  assert.match(log, new RegExp(`^START RequestId: ${answer.$metadata.requestId} Version`));
  assert.match(log, /\nREPORT RequestId: /);
  assert.equal((await call(lambda, "x")).LogResult, undefined);
});

check("the context is what the caller knows", async (v) => {
  const client = { custom: { tenant: "blue" } };
  const answer = await call(new Lambda(settings(v)), { act: "context" }, {
    ClientContext: event(client).toString("base64"),
  });
  const context = JSON.parse(text(answer.Payload));
  assert.equal(context.request_id, answer.$metadata.requestId);
  assert.equal(context.arn, arn);
  assert.deepEqual(context.client, client);
});

check("events and dry runs are accepted", async (v) => {
  const lambda = new Lambda(settings(v));
  const accepted = await call(lambda, { n: 1 }, { InvocationType: "Event" });
  assert.equal(accepted.StatusCode, 202);
  assert.equal(accepted.Payload?.length ?? 0, 0);
  assert.equal((await call(lambda, { n: 1 }, { InvocationType: "DryRun" })).StatusCode, 204);
});

check("an event that fails leaves its record in a queue", async (v) => {
  const sqs = new SQS(settings(v));
  const lambda = new Lambda(settings(v));
  await withQueue(sqs, "failures", {}, async (QueueUrl) => {
    await lambda.putFunctionEventInvokeConfig({
      FunctionName: "answers",
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: `arn:aws:sqs:us-east-1:${account}:failures` } },
    });
    const { $metadata } = await call(lambda, { act: "error", text: "sold out" }, { InvocationType: "Event" });
    const { Messages } = await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 20 });
    const record = JSON.parse(Messages[0].Body);
    assert.equal(record.requestContext.requestId, $metadata.requestId);
    assert.equal(record.responsePayload.errorMessage, "sold out");
    await lambda.deleteFunctionEventInvokeConfig({ FunctionName: "answers" });
  });
});

check("an error of the function is an answer", async (v) => {
  const lambda = new Lambda(settings(v));
  for (const [value, type, message] of [
    [{ act: "error", text: "sold out" }, "Function.Error", /^sold out$/],
    [{ act: "exit", status: 3 }, "Runtime.ExitError", /exit status 3$/],
    [{ act: "hang" }, "Sandbox.Timedout", /timed out after 3.00 seconds$/],
  ]) {
    const answer = await call(lambda, value);
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.FunctionError, "Unhandled");
    const error = JSON.parse(text(answer.Payload));
    assert.equal(error.errorType, type);
    assert.match(error.errorMessage, message);
  }
});

check("errors of Lambda have the class of the SDK", async (v) => {
  const lambda = new Lambda(settings(v));
  const { ResourceNotFoundException, InvalidRequestContentException, RequestTooLargeException } = lambdaSdk;
  const error = await fails(lambda.invoke({ FunctionName: "nobody" }), ResourceNotFoundException, 404);
  assert.equal(error.message, `Function not found: ${arn.replace("answers", "nobody")}:$LATEST`);
  const broken = lambda.invoke({ FunctionName: "answers", Payload: Buffer.from("{") });
  await fails(broken, InvalidRequestContentException, 400);
  await fails(call(lambda, "x".repeat(1048575), { InvocationType: "Event" }), RequestTooLargeException, 413);
  await fails(call(lambda, "x".repeat(6291455)), RequestTooLargeException, 413);
});

check("a reserved concurrency of 0 throttles", async (v) => {
  const lambda = new Lambda(settings(v));
  await lambda.putFunctionConcurrency({ FunctionName: "answers", ReservedConcurrentExecutions: 0 });
  try {
    const error = await fails(call(lambda, 1), lambdaSdk.TooManyRequestsException, 429);
    assert.equal(error.Reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
  } finally {
    await lambda.deleteFunctionConcurrency({ FunctionName: "answers" });
  }
  assert.equal((await call(lambda, 1)).StatusCode, 200);
});

check("strangers are refused", async (v) => {
  const key = v.AWS_ACCESS_KEY_ID;
  const wrong = settings(v, { credentials: { accessKeyId: key, secretAccessKey: "wrong" } });
  const unknown = settings(v, { credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" } });
  await fails(new SQS(wrong).listQueues({}), "SignatureDoesNotMatch", 403);
  await fails(new SQS(unknown).listQueues({}), "InvalidClientTokenId", 403);
  await fails(new Lambda(wrong).invoke({ FunctionName: "answers" }), "InvalidSignatureException", 403);
  await fails(new Lambda(unknown).invoke({ FunctionName: "answers" }), "UnrecognizedClientException", 403);
  await fails(new STS(wrong).getCallerIdentity({}), "SignatureDoesNotMatch", 403);
  await fails(new STS(unknown).getCallerIdentity({}), "InvalidClientTokenId", 403);
});

check("a clock that is off is told so, and the SDK corrects it by our date", async (v) => {
  const calls = [
    (more) => new SQS(settings(v, more)).listQueues({}),
    (more) => call(new Lambda(settings(v, more)), 1),
    (more) => new STS(settings(v, more)).getCallerIdentity({}),
  ];
  const names = ["SignatureDoesNotMatch", "InvalidSignatureException", "SignatureDoesNotMatch"];
  for (const [i, attempt] of calls.entries()) {
    for (const minutes of [-20, 20]) {
      await withClockOff(minutes, async () => {
        const error = await fails(attempt({ maxAttempts: 1 }), names[i], 403);
        assert.match(error.message, minutes < 0 ? /^Signature expired: / : /^Signature not yet current: /);
        assert.equal((await attempt({ maxAttempts: 2 })).$metadata.attempts, 2);
      });
    }
  }
});

check("STS knows the caller", async (v) => {
  const got = await new STS(settings(v)).getCallerIdentity({});
  assert.equal(got.Account, account);
  assert.ok(got.Arn.startsWith(`arn:aws:iam::${account}:`), got.Arn);
});

const versions = ["sqs", "lambda", "sts"].map(
  (name) => `@aws-sdk/client-${name} ${require(`@aws-sdk/client-${name}/package.json`).version}`,
);
console.log(versions.join(", "), "on Node", process.version);
const server = await serve();
let failed = 0;
for (const { name, run } of checks) {
  try {
    await run(server.variables);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    const place = error.stack?.split("\n").find((line) => line.includes("javascript.mjs")) ?? "";
    console.log(`FAILED  ${name}: ${error.name}: ${error.message} (${place.trim()})`);
  }
}
await server.stop();
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
