// Peer: node:http streamed through unzipper, SHA-256 against the metadata, @aws-sdk/lib-storage.
//
// One entry after the other, as the stream brings them; lib-storage sends up to four parts at once. The
// digest is known when the last byte has gone by, so an object that does not match is deleted again, as
// typical streaming code does.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { Transform } from "node:stream";
import { DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import unzipper from "unzipper";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { export_job_id: id, url } = job.exports[0];
const s3 = new S3Client({ endpoint: job.endpoint, forcePathStyle: true });
const dynamodb = new DynamoDBClient({ endpoint: job.endpoint });

console.log("ready");
await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));

const metadata = new Map();
for await (const page of paginateQuery({ client: dynamodb }, {
  TableName: job.table,
  KeyConditionExpression: "export_job_id = :id",
  ExpressionAttributeValues: { ":id": { S: id } },
})) {
  for (const item of page.Items) metadata.set(item.file_path.S, item);
}

const { get } = url.startsWith("https:") ? https : http;
const response = await new Promise((resolve, reject) => get(url, resolve).on("error", reject));
if (response.statusCode !== 200) throw new Error(`the archive server answers ${response.statusCode}`);
for await (const entry of response.pipe(unzipper.Parse({ forceStream: true }))) {
  const item = metadata.get(entry.path);
  if (!item) {
    await entry.autodrain().promise();
    continue;
  }
  const digest = createHash("sha256");
  let size = 0;
  const hashing = new Transform({
    transform(chunk, _, done) {
      digest.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const target = { Bucket: job.bucket, Key: `exports/${id}/${entry.path}` };
  await new Upload({ client: s3, params: { ...target, Body: entry.pipe(hashing) } }).done();
  if (size !== Number(item.size.N) || digest.digest("hex") !== item.sha256.S) {
    await s3.send(new DeleteObjectCommand(target));
  }
}
console.log("done");
process.exit(0);
