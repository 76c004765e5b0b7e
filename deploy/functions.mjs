// What runs as Lambda functions, and what each may do. generate.mjs makes the template of it.

/**
 * Rights, by name. Each is the statements of an IAM policy; `via` names the service through which the right needs DataKey.
 * A right on "*" says why.
 */
export const rights = {
  log: (name) => [`{Sid: Log, Effect: Allow, Action: [logs:CreateLogStream, logs:PutLogEvents], Resource: !GetAtt ${name}Log.Arn}`],
  trace: () => [
    "# X-Ray knows no resources: whoever may send traces may send them all.",
    '{Sid: Trace, Effect: Allow, Action: [xray:PutTraceSegments, xray:PutTelemetryRecords, xray:PutSpans, xray:PutSpansForIndexing], Resource: "*"}',
  ],
  // Of the whole table, though most functions change a few kinds of rows: IAM could tell them apart by leading keys, but every
  // function commits its changes with its own row of `steps` and with messages, and a flow's function may place any of the
  // records of an order, so the lists would name nearly all.
  rows: () => [
    "{Sid: Rows, Effect: Allow, Action: [dynamodb:GetItem, dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem, dynamodb:ConditionCheckItem], Resource: !GetAtt Table.Arn}",
  ],
  lists: () => ['{Sid: Lists, Effect: Allow, Action: dynamodb:Query, Resource: [!GetAtt Table.Arn, !Sub "${Table.Arn}/index/*"]}'],
  // For `GET /v1/audit` alone.
  scan: () => ["{Sid: Audit, Effect: Allow, Action: dynamodb:Scan, Resource: !GetAtt Table.Arn}"],
  changes: () => [
    "{Sid: Changes, Effect: Allow, Action: [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator], Resource: !GetAtt Table.StreamArn}",
    "# A stream's name is chosen by AWS, so those of this table can only be listed together.",
    '{Sid: FindChanges, Effect: Allow, Action: dynamodb:ListStreams, Resource: !Sub "${Table.Arn}/stream/*"}',
  ],
  masterKey: () => ["{Sid: MasterKey, Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: !GetAtt MasterKey.Id}"],
  provider: () => ["{Sid: Provider, Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: !GetAtt ProviderSecrets.Id}"],
  writeReceipts: () => [
    '{Sid: WriteReceipts, Effect: Allow, Action: [s3:PutObject, s3:GetObject], Resource: !Sub "${Receipts.Arn}/receipts/*"}',
    // Without it S3 says "forbidden" of an object that is not there.
    "{Sid: KnowAbsence, Effect: Allow, Action: s3:ListBucket, Resource: !GetAtt Receipts.Arn}",
  ],
  sendMail: () => [
    "{Sid: SendMail, Effect: Allow, Action: ses:SendEmail, Resource: [!Sub 'arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${MailIdentity}', !Sub 'arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${AWS::StackName}']}",
  ],
  startFlows: () => ["{Sid: StartFlows, Effect: Allow, Action: states:StartExecution, Resource: [#{machineArns}]}"],
  answerTasks: () => ["{Sid: AnswerTasks, Effect: Allow, Action: [states:SendTaskSuccess, states:SendTaskFailure, states:SendTaskHeartbeat], Resource: [#{machineArns}]}"],
  send: () => ["{Sid: Send, Effect: Allow, Action: sqs:SendMessage, Resource: [#{queueArns}]}"],
  seeQueues: () => ["{Sid: SeeQueues, Effect: Allow, Action: sqs:GetQueueAttributes, Resource: [#{queueArns}]}"],
  undelivered: () => ["{Sid: Undelivered, Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Undelivered.Arn}"],
  consume: (_, queue) => [`{Sid: Consume, Effect: Allow, Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ChangeMessageVisibility], Resource: !GetAtt ${queue}.Arn}`],
  personal: () => [
    '{Sid: Personal, Effect: Allow, Action: [kms:Decrypt, kms:GenerateDataKey], Resource: !GetAtt PersonalKey.Arn, Condition: {StringEquals: {"kms:EncryptionContext:table": !Ref Table, "kms:EncryptionContext:purpose": personal}}}',
  ],
  publish: () => ["{Sid: Publish, Effect: Allow, Action: sns:Publish, Resource: !Ref OrderEvents}"],
};

/** Through which service a right uses DataKey. */
export const via = {
  rows: "dynamodb", lists: "dynamodb", scan: "dynamodb", changes: "dynamodb", masterKey: "secretsmanager", provider: "secretsmanager",
  writeReceipts: "s3", send: "sqs", undelivered: "sqs", consume: "sqs", publish: "sns",
};

/** What every function may. */
const all = ["log", "trace", "rows", "lists", "masterKey", "personal"];
/** What each function of the flows may beyond that; a function that a flow names must stand here. */
export const steps = {
  ValidateOrder: [], ReserveStock: [], RequestPayment: ["provider"], RefusePayment: [], AwaitPayment: [], CommitStock: [],
  CapturePayment: ["provider"], SendNotification: [], GenerateReceipt: ["writeReceipts"], AwaitPreparation: [],
  DispatchDelivery: [], AwaitDelivery: [], AwaitHandover: [], CompleteOrder: [], ReversePayment: ["provider"], SettleLater: [],
  ReleaseStock: [], CloseOrder: [], FlagOrder: [], ReopenOrder: [], GiveBack: ["provider"], RequestRefund: ["provider"],
  FlagRefund: [], IssueCreditNote: ["writeReceipts"], TellRefund: [],
};

/** The queues: one consumer each. `fifo` where messages of a group are handled one after the other. */
export const queues = {
  "mail": { timeout: 60, rights: ["sendMail"] },
  "ended-flows": { timeout: 30, rights: [] },
  "simulator-webhooks": { timeout: 30, rights: ["provider"] },
  "simulator-timers": { timeout: 30, rights: ["provider"] },
  "simulator-courier": { timeout: 30, rights: [] },
};

/** The rest. */
export const others = {
  Api: { handler: "api", memory: 512, timeout: 29, rights: ["scan", "provider", "writeReceipts"], about: "the HTTP interface",
    // The same tokens as the authorizer's: on public routes it checks none.
    variables: { COMANDA_SIGN_IN_ISSUER: "!Sub https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}", COMANDA_SIGN_IN_AUDIENCE: "!Ref PagesClient" } },
  Relay: { handler: "relay", memory: 512, timeout: 60, rights: ["changes", "startFlows", "answerTasks", "send", "undelivered", "publish"], about: "messages of a commit go where they are handled, changes of orders to their topic" },
  Ticker: { handler: "ticker", memory: 512, timeout: 60, rights: ["provider", "startFlows", "answerTasks", "send", "seeQueues"], about: "periodic work: late messages, polling, the daily close, figures for the alarms" },
  Seed: { handler: "seed", memory: 256, timeout: 60, rights: [], about: "makes what the functions need to begin with; invoked by scripts/deploy" },
};

export const rightsOf = (own) => [...all, ...own];

/** Routes that need no sign-in: customers show a tracking link, others a signature. */
export const publicRoutes = [
  "GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs", "GET /docs/{file+}", "GET /v1/catalogue", "GET /v1/catalogue/products/{sku}",
  "POST /place-order", "POST /v1/orders", "GET /v1/orders/{id}", "GET /v1/orders/{id}/receipt",
  "POST /v1/orders/{id}/payments", "POST /v1/orders/{id}/payments/check", "POST /v1/orders/{id}/cancel", "GET /v1/receipts/{file}",
  "GET /v1/payments/{order}/refunds", "GET /v1/orders/{id}/refunds/{refund}/credit-note", "GET /v1/credit-notes/{file}",
  "POST /v1/webhooks/{provider}", "POST /v1/delivery/callbacks",
];

/** Paths that CloudFront sends to the API; all others are files of the pages. */
export const apiPaths = ["/v1/*", "/place-order", "/openapi.json", "/docs", "/docs/*", "/healthz", "/readyz"];

/** Roles of people. */
export const groups = {
  customer: "orders with an account", kitchen: "prepares orders", courier: "delivers orders", finance: "refunds, statements, ledger",
  operator: "flows, queues, the inbox", admin: "everything",
};

/** Flow files that are not deployed, and why. */
export const notDeployed = { bench: "the benchmark of the embedded engine" };
