// Makes template.yaml of functions.mjs, parts/*.yaml and the flows. Why a generator: thirty functions differ in name, time
// limit and rights only, and each has a role, a log and an entry in a substitution.
// usage: node deploy/generate.mjs [--check]
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiPaths, groups, notDeployed, others, publicRoutes, queues, rights, rightsOf, steps, via } from "./functions.mjs";

const folder = new URL(".", import.meta.url).pathname;
const flowsFolder = join(folder, "../flows");
const problems = [];

const pascal = (name) => name.split("-").map((word) => word[0].toUpperCase() + word.slice(1)).join("");
const indent = (text, by) => text.split("\n").map((line) => (line === "" ? line : " ".repeat(by) + line)).join("\n");
const part = (name) => readFileSync(join(folder, "parts", `${name}.yaml`), "utf8").trimEnd();
const resources = (name) => part(name).replace(/^Resources:\n/, "");

/** The deployed flows: name, placeholders, and the time limit of each function in seconds. */
const flows = readdirSync(flowsFolder)
  .filter((file) => file.endsWith(".asl.json"))
  .map((file) => ({ name: file.replace(/\.asl\.json$/, ""), text: readFileSync(join(flowsFolder, file), "utf8") }))
  .filter(({ name }) => !(name in notDeployed))
  .map(({ name, text }) => ({ name, id: `${pascal(name)}Flow`, text, placeholders: [...new Set([...text.matchAll(/\$\{(\w+)\}/g)].map((m) => m[1]))].sort() }))
  .sort((a, b) => a.name.localeCompare(b.name));

/** How long a function may run: as long as the states that wait for its answer do. Those that wait for a token do not. */
const limits = {};
const look = (value) => {
  if (value === null || typeof value !== "object") return;
  const named = /^\$\{(\w+)\}$/.exec(typeof value.Resource === "string" ? value.Resource : "");
  if (named && value.TimeoutSeconds) limits[named[1]] = Math.max(limits[named[1]] ?? 0, value.TimeoutSeconds);
  Object.values(value).forEach(look);
};
flows.forEach(({ text }) => look(JSON.parse(text)));
const TOKEN_STEP_SECONDS = 30;

const used = new Set(flows.flatMap((flow) => flow.placeholders));
for (const flow of flows) {
  for (const name of flow.placeholders) {
    if (!(name in steps)) problems.push(`the flow \`${flow.name}\` names \`${name}\`: give it a line in deploy/functions.mjs (steps), or the flow one in notDeployed`);
  }
}
for (const name of Object.keys(steps)) if (!used.has(name)) problems.push(`\`${name}\` in deploy/functions.mjs (steps) is named by no flow: delete it`);

const arn = (service, rest) => `!Sub "arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${rest}"`;
const queueId = (name) => `${pascal(name)}Queue`;
const lists = {
  machineArns: flows.map(({ name }) => arn("states", `stateMachine:\${AWS::StackName}-${name}`)).join(", "),
  queueArns: Object.keys(queues).map((name) => `!GetAtt ${queueId(name)}.Arn`).join(", "),
};
const fill = (text, values) => text.replace(/#\{(\w+)\}/g, (whole, key) => {
  if (!(key in values)) problems.push(`nothing fills ${whole}`);
  return values[key] ?? whole;
});

const statement = (line) => (line.startsWith("#") ? line : `- ${fill(line, lists)}`);

/** One function: role with its own rights only, log, the function. */
const lambda = ({ name, handler, memory = 256, timeout, own, queue, about, variables = {} }) => {
  const granted = rightsOf(own);
  const statements = granted.flatMap((right) => rights[right](name, queue)).map(statement);
  const ownVariables = Object.entries({ ...(granted.includes("provider") ? { COMANDA_PROVIDER_SECRETS: "!Ref ProviderSecrets" } : {}), ...variables });
  const environment = ownVariables.length === 0 ? "" : `
      Environment:
        Variables:
${ownVariables.map(([key, value]) => `          ${key}: ${value}`).join("\n")}`;
  const services = [...new Set(granted.map((right) => via[right]).filter(Boolean))].sort();
  const keyed = services.map((service) => `!Sub "${service}.\${AWS::Region}.amazonaws.com"`).join(", ");
  statements.push(`- Sid: ThroughServices
  Effect: Allow
  Action: [kms:Decrypt, kms:GenerateDataKey]
  Resource: !GetAtt DataKey.Arn
  Condition: {StringEquals: {"kms:ViaService": [${keyed}]}}`);
  return `  # ${about}
  ${name}Function:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub \${AWS::StackName}-${name}
      Handler: ${handler}${memory === 256 ? "" : `\n      MemorySize: ${memory}`}
      Timeout: ${timeout}
      Role: !GetAtt ${name}Role.Arn
      LoggingConfig: {LogGroup: !Ref ${name}Log}${environment}

  ${name}Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: *lambda
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
${indent(statements.join("\n"), 14)}

${log(`${name}Log`, `/aws/lambda/\${AWS::StackName}-${name}`)}
  ${name}Errors:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref ${name}Log
      FilterPattern: '?ERROR ?"Task timed out" ?"Runtime exited" ?"Runtime.ExitError"'
      MetricTransformations: [{MetricNamespace: Comanda, MetricName: !Sub "\${Stage}-logged-errors", MetricValue: "1", DefaultValue: 0}]
`.replace("*lambda", `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}`);
};

const log = (id, name) => `  ${id}:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      LogGroupName: !Sub ${name}
      RetentionInDays: !Ref LogDays
      KmsKeyId: !GetAtt DataKey.Arn
`;

const stepFunctions = () => Object.entries(steps).map(([name, own]) =>
  lambda({ name, handler: `fn.${name}`, timeout: limits[name] ?? TOKEN_STEP_SECONDS, own, about: `a step of: ${flows.filter((f) => f.placeholders.includes(name)).map((f) => f.name).join(", ")}` }));

// A step that answers "out of stock" is an error to Lambda too, so functions of flows are judged by what they log and by the
// end of their flow; these have no such answers.
const otherFunctions = () => Object.entries(others).flatMap(([name, { rights: own, ...rest }]) => [
  lambda({ name, own, ...rest }),
  // Who seeds by hand sees it fail.
  name === "Seed" ? "" : alarm(`${name}Fails`, `the function ${name} failed`, `
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref ${name}Function}]
      Statistic: Sum
      Threshold: 0`),
]).filter((text) => text !== "");

const MAX_RECEIVES = 3;
const queue = ([name, { timeout, fifo = false, rights: own }]) => {
  const id = pascal(name);
  const ending = fifo ? ".fifo" : "";
  const kind = fifo ? "\n      FifoQueue: true\n      DeduplicationScope: messageGroup\n      FifoThroughputLimit: perMessageGroupId" : "";
  const deadKind = fifo ? "      FifoQueue: true\n" : "";
  return `  ${id}Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      QueueName: !Sub \${AWS::StackName}-${name}${ending}${kind}
      KmsMasterKeyId: !Ref DataKey
      KmsDataKeyReusePeriodSeconds: 86400
      MessageRetentionPeriod: 1209600
      # Six times the function's time limit, as AWS advises: a batch in work is not handed out twice.
      VisibilityTimeout: ${timeout * 6}
      RedrivePolicy: {deadLetterTargetArn: !GetAtt ${id}Dead.Arn, maxReceiveCount: ${MAX_RECEIVES}}

  ${id}Dead:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
${deadKind}      KmsMasterKeyId: !Ref DataKey
      KmsDataKeyReusePeriodSeconds: 86400
      MessageRetentionPeriod: 1209600
      RedriveAllowPolicy: {redrivePermission: byQueue, sourceQueueArns: [${arn("sqs", `\${AWS::StackName}-${name}${ending}`)}]}

  ${id}Source:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Queue${id}Function
      EventSourceArn: !GetAtt ${id}Queue.Arn
      BatchSize: 10
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: {MaximumConcurrency: 100}

${deadAlarm(`${id}DeadAlarm`, name, `${id}Dead`)}
${alarm(`${id}OldAlarm`, `messages of ${name} wait for 15 minutes`, `
      Namespace: AWS/SQS
      MetricName: ApproximateAgeOfOldestMessage
      Dimensions: [{Name: QueueName, Value: !GetAtt ${id}Queue.QueueName}]
      Statistic: Maximum
      Threshold: 900`)}
${lambda({ name: `Queue${id}`, handler: `queue.${name}`, timeout, own: [...own, "consume"], queue: `${id}Queue`, about: `consumes ${name}` })}`;
};

/** An alarm that rings at a value above the threshold. */
const alarm = (id, about, settings) => `  ${id}:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: !Sub "\${AWS::StackName}: ${about}"
      AlarmActions: [!Ref Alarms]
      OKActions: [!Ref Alarms]
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 1
      Period: 60
      TreatMissingData: notBreaching${settings}
`;
const deadAlarm = (id, name, queueId) => alarm(id, `${name} has dead letters; docs/aws.md says how to redrive them`, `
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt ${queueId}.QueueName}]
      Statistic: Maximum
      Threshold: 0`);

const flow = ({ name, id, placeholders }) => `  ${id}:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub \${AWS::StackName}-${name}
      Type: STANDARD
      DefinitionUri: ../flows/${name}.asl.json
      DefinitionSubstitutions:
${placeholders.map((p) => `        ${p}: !GetAtt ${p}Function.Arn`).join("\n")}
      Role: !GetAtt ${id}Role.Arn
      # Errors only: the history has the rest, and the data is not logged.
      Logging:
        Level: ERROR
        IncludeExecutionData: false
        Destinations: [{CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt ${id}Log.Arn}}]
      Tracing: {Enabled: true}

  ${id}Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: states.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Sid: Steps
                Effect: Allow
                Action: lambda:InvokeFunction
                Resource:
${placeholders.map((p) => `                  - !GetAtt ${p}Function.Arn`).join("\n")}
              # The delivery of logs and traces knows no resources.
              - Sid: LogAndTrace
                Effect: Allow
                Action: [logs:CreateLogDelivery, logs:GetLogDelivery, logs:UpdateLogDelivery, logs:DeleteLogDelivery, logs:ListLogDeliveries,
                  logs:PutResourcePolicy, logs:DescribeResourcePolicies, logs:DescribeLogGroups, xray:PutTraceSegments,
                  xray:PutTelemetryRecords, xray:GetSamplingRules, xray:GetSamplingTargets]
                Resource: "*"

${log(`${id}Log`, `/aws/vendedlogs/states/\${AWS::StackName}-${name}`)}
${["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"].map((metric) =>
  alarm(`${id}${metric}`, `${metric} of the flow ${name}`, `
      Namespace: AWS/States
      MetricName: ${metric}
      Dimensions: [{Name: StateMachineArn, Value: !Ref ${id}}]
      Statistic: Sum
      Threshold: 0`)).join("\n")}`;

const tableAlarms = () => ["ReadThrottleEvents", "WriteThrottleEvents"].map((metric) =>
  alarm(`Table${metric}`, `${metric} of the table; docs/aws.md tells hot keys from quotas`, `
      Namespace: AWS/DynamoDB
      MetricName: ${metric}
      Dimensions: [{Name: TableName, Value: !Ref Table}]
      Statistic: Sum
      Threshold: 0`));

const routes = () => publicRoutes.map((key) => {
  const id = "Public" + key.replace(/[^A-Za-z]+/g, " ").trim().split(" ").map((w) => w[0].toUpperCase() + w.slice(1).toLowerCase()).join("");
  return `  ${id}:
    Type: AWS::ApiGatewayV2::Route
    Metadata:
      checkov: {skip: [{id: CKV_AWS_309, comment: "needs no sign-in: a tracking link, a signature, or nothing secret"}]}
    Properties:
      ApiId: !Ref Api
      RouteKey: ${key}
      AuthorizationType: NONE
      Target: !Sub integrations/\${ApiIntegration}
`;
});

const userGroups = () => Object.entries(groups).map(([name, about], i) => `  ${pascal(name)}Group:
    Type: AWS::Cognito::UserPoolGroup
    Properties: {GroupName: ${name}, UserPoolId: !Ref Users, Description: "${about}", Precedence: ${Object.keys(groups).length - i}}
`);

const behaviours = () => apiPaths.map((path) => `- PathPattern: ${path}
  TargetOriginId: api
  ViewerProtocolPolicy: https-only
  AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
  Compress: true
  # AWS's own policies CachingDisabled and AllViewerExceptHostHeader.
  CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
  OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac
  ResponseHeadersPolicyId: !Ref PageHeaders`).join("\n");

/** A map from our names to addresses, as JSON in a variable. */
const json = (entries) => `!Sub '{${entries.map(([key, value]) => `"${key}": "${value}"`).join(", ")}}'`;

const widget = (title, metrics, extra = "") => ({ title, metrics, extra });
const dashboard = () => {
  const region = "${AWS::Region}";
  const states = (metric) => flows.map(({ id, name }) => ["AWS/States", metric, "StateMachineArn", `\${${id}}`, { label: `${name} ${metric}` }]);
  const widgets = [
    widget("Orders: executions", [...states("ExecutionsStarted"), ...states("ExecutionsSucceeded"), ...states("ExecutionsFailed")], "Sum"),
    widget("API: requests and errors", [["AWS/ApiGateway", "Count", "ApiId", "${Api}"], [".", "4xx", ".", "."], [".", "5xx", ".", "."]], "Sum"),
    widget("API: latency, 99 of 100 (ms)", [["AWS/ApiGateway", "Latency", "ApiId", "${Api}"], [".", "IntegrationLatency", ".", "."]], "p99"),
    widget("Orders that need a person, dead messages in the table", [["Comanda", "StuckMoney", "Stage", "${Stage}"], [".", "DeadMessages", ".", "."]], "Maximum"),
    widget("Dead letters", Object.keys(queues).map((name) => ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", `\${${pascal(name)}Dead.QueueName}`]), "Maximum"),
    widget("Relay: age of what it works on (ms)", [["AWS/Lambda", "IteratorAge", "FunctionName", "${RelayFunction}"]], "Maximum"),
    widget("Table: units and throttling", [["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", "${Table}"], [".", "ConsumedReadCapacityUnits", ".", "."], [".", "WriteThrottleEvents", ".", "."], [".", "ReadThrottleEvents", ".", "."], [".", "TransactionConflict", ".", "."]], "Sum"),
    widget("Functions: errors and throttles, whole account", [["AWS/Lambda", "Errors"], [".", "Throttles"], [".", "ConcurrentExecutions", { stat: "Maximum" }]], "Sum"),
  ];
  const body = {
    widgets: widgets.map(({ title, metrics, extra }, i) => ({
      type: "metric", x: (i % 2) * 12, y: Math.floor(i / 2) * 6, width: 12, height: 6,
      properties: { title, metrics, stat: extra, period: 60, region, view: "timeSeries" },
    })),
  };
  return `  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardName: !Ref AWS::StackName
      DashboardBody: !Sub >-
${indent(JSON.stringify(body, null, 1).replace(/\n\s*/g, "\n"), 8)}
`;
};

const globals = () => `Globals:
  Function:
    Runtime: provided.al2023
    Architectures: [!Ref Architecture]
    CodeUri: ../target/lambda/comanda.zip
    MemorySize: 256
    Tracing: Active
    KmsKeyArn: !GetAtt DataKey.Arn
    Environment:
      Variables:
        COMANDA_STAGE: !Ref Stage
        COMANDA_TABLE: !Ref Table
        COMANDA_BUCKET: !Ref Receipts
        COMANDA_QUEUES: ${json(Object.keys(queues).map((name) => [name, `\${${queueId(name)}}`]))}
        COMANDA_STATE_MACHINES: ${json(flows.map(({ name }) => [name, `arn:\${AWS::Partition}:states:\${AWS::Region}:\${AWS::AccountId}:stateMachine:\${AWS::StackName}-${name}`]))}
        COMANDA_SECRETS: !Ref MasterKey
        COMANDA_PAYMENT_PROVIDER: !Ref PaymentProvider
        COMANDA_KMS_KEY: !GetAtt PersonalKey.Arn
        COMANDA_EVENTS_TOPIC: !Ref OrderEvents
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: !Ref SpansTo
        COMANDA_MAIL_FROM: !Ref MailFrom
        COMANDA_MAIL_CONFIGURATION: !Ref MailSettings
        COMANDA_METRICS_NAMESPACE: Comanda
        COMANDA_PUBLIC_URL: !If [HasPublicUrl, !Ref PublicUrl, !If [HasDomain, !Sub "https://\${DomainName}", !Sub "https://\${Pages.DomainName}"]]
        COMANDA_MERCHANT_NAME: !Ref MerchantName
        COMANDA_MERCHANT_TAX_ID: !Ref MerchantTaxId
        COMANDA_MERCHANT_ADDRESS: !Ref MerchantAddress
        COMANDA_MERCHANT_CURRENCY: !Ref Currency
        COMANDA_MERCHANT_TIME_ZONE: !Ref TimeZone`;

const section = (title, ...texts) => `  # --- ${title}\n\n${texts.map((text) => text.trimEnd()).join("\n\n")}`;
const template = () => [
  `# Made by deploy/generate.mjs: change deploy/functions.mjs or deploy/parts, then run \`node deploy/generate.mjs\`.
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: Comanda, from checkout to delivery, on Step Functions, Lambda and DynamoDB`,
  part("parameters"),
  globals(),
  "Resources:\n" + [
    section("keys and secrets", resources("keys")),
    section("what is kept", resources("data")),
    section("the flows", ...flows.map(flow)),
    section("their functions", ...stepFunctions()),
    section("queues and their consumers", ...Object.entries(queues).map(queue)),
    section("HTTP, the relay, the clock", ...otherFunctions(), resources("work")),
    section("the API", resources("api"), ...routes()),
    section("who may sign in", resources("identity"), ...userGroups()),
    section("the pages", fill(resources("pages"), { behaviours: indent(behaviours(), 10) })),
    section("alarms", resources("alarms"), ...tableAlarms(), deadAlarm("UndeliveredAlarm", "what could not be delivered at all", "Undelivered"), dashboard()),
  ].join("\n\n"),
  part("outputs"),
].join("\n\n") + "\n";

const text = template();
const lines = text.split("\n");
lines.forEach((line, at) => {
  if (!/Resource: "\*"/.test(line)) return;
  let start = at;
  while (start > 0 && !/^\s*- \{?Sid:/.test(lines[start])) start -= 1;
  if (!lines[start - 1].trim().startsWith("#")) problems.push(`${lines[start].trim()}: a right on "*" needs a comment that says why`);
});
for (const problem of problems) console.error(`PROBLEM ${problem}`);
if (problems.length > 0) process.exit(1);
const file = join(folder, "template.yaml");
if (!process.argv.includes("--check")) {
  writeFileSync(file, text);
} else if (readFileSync(file, "utf8") !== text) {
  console.error("deploy/template.yaml is not what deploy/generate.mjs makes; run `node deploy/generate.mjs`");
  process.exit(1);
}
