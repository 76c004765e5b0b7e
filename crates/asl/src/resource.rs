//! What a Task's `Resource` names.

use std::fmt;

/// A parsed `Resource` and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The text in the definition.
    pub raw: String,
    /// What is called.
    pub kind: Kind,
    /// How the answer is awaited.
    pub pattern: Pattern,
}

/// What a task calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A function by its bare ARN; the arguments are its payload.
    Function {
        /// The function's name, without version or alias.
        name: String,
    },
    /// An activity, whose tasks workers fetch.
    Activity {
        /// The activity's name.
        name: String,
    },
    /// An action of a service.
    Service(&'static Integration),
}

/// The services that tasks call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Functions.
    Lambda,
    /// Queues.
    Sqs,
    /// Topics.
    Sns,
    /// Tables.
    DynamoDb,
    /// Executions of other flows.
    StepFunctions,
    /// HTTP endpoints of others.
    Http,
    /// Event buses.
    EventBridge,
    /// Objects.
    S3,
}

/// An action of a service that tasks may call.
#[derive(Debug, PartialEq, Eq)]
pub struct Integration {
    /// The service.
    pub service: Service,
    /// Its name in resources, such as `states`, or `aws-sdk:sfn`.
    pub prefix: &'static str,
    /// The action, such as `startExecution`.
    pub action: &'static str,
    /// Whether it is one of the `aws-sdk:` resources, which name errors and answer in a way of their own.
    pub sdk: bool,
    /// How its answer may be awaited, besides by request and response.
    patterns: &'static [Pattern],
}

/// How the answer of a task is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// The call's own answer is the result.
    RequestResponse,
    /// Somebody reports the result with the task token.
    WaitForTaskToken,
    /// The end of the started execution is the result; its output is a string.
    Sync,
    /// Like [`Pattern::Sync`], but its output is JSON.
    Sync2,
}

const TOKEN: &[Pattern] = &[Pattern::WaitForTaskToken];
const EXECUTION: &[Pattern] = &[Pattern::WaitForTaskToken, Pattern::Sync, Pattern::Sync2];
const NONE: &[Pattern] = &[];

const fn optimised(
    service: Service,
    prefix: &'static str,
    action: &'static str,
    patterns: &'static [Pattern],
) -> Integration {
    Integration { service, prefix, action, sdk: false, patterns }
}

const fn sdk(service: Service, prefix: &'static str, action: &'static str) -> Integration {
    Integration { service, prefix, action, sdk: true, patterns: TOKEN }
}

/// Everything that a task may call beside functions and activities. The host serves all of it.
pub static INTEGRATIONS: [Integration; 30] = [
    optimised(Service::Lambda, "lambda", "invoke", TOKEN),
    optimised(Service::Sqs, "sqs", "sendMessage", TOKEN),
    optimised(Service::Sns, "sns", "publish", TOKEN),
    optimised(Service::DynamoDb, "dynamodb", "getItem", NONE),
    optimised(Service::DynamoDb, "dynamodb", "putItem", NONE),
    optimised(Service::DynamoDb, "dynamodb", "updateItem", NONE),
    optimised(Service::DynamoDb, "dynamodb", "deleteItem", NONE),
    optimised(Service::StepFunctions, "states", "startExecution", EXECUTION),
    optimised(Service::Http, "http", "invoke", NONE),
    optimised(Service::EventBridge, "events", "putEvents", TOKEN),
    sdk(Service::S3, "aws-sdk:s3", "getObject"),
    sdk(Service::S3, "aws-sdk:s3", "putObject"),
    sdk(Service::S3, "aws-sdk:s3", "deleteObject"),
    sdk(Service::S3, "aws-sdk:s3", "headObject"),
    sdk(Service::S3, "aws-sdk:s3", "listObjectsV2"),
    sdk(Service::S3, "aws-sdk:s3", "listBuckets"),
    sdk(Service::DynamoDb, "aws-sdk:dynamodb", "getItem"),
    sdk(Service::DynamoDb, "aws-sdk:dynamodb", "putItem"),
    sdk(Service::DynamoDb, "aws-sdk:dynamodb", "updateItem"),
    sdk(Service::DynamoDb, "aws-sdk:dynamodb", "deleteItem"),
    sdk(Service::DynamoDb, "aws-sdk:dynamodb", "query"),
    sdk(Service::Sqs, "aws-sdk:sqs", "sendMessage"),
    sdk(Service::Sns, "aws-sdk:sns", "publish"),
    sdk(Service::StepFunctions, "aws-sdk:sfn", "startExecution"),
    sdk(Service::StepFunctions, "aws-sdk:sfn", "startSyncExecution"),
    sdk(Service::StepFunctions, "aws-sdk:sfn", "stopExecution"),
    sdk(Service::StepFunctions, "aws-sdk:sfn", "sendTaskSuccess"),
    sdk(Service::StepFunctions, "aws-sdk:sfn", "sendTaskFailure"),
    sdk(Service::EventBridge, "aws-sdk:eventbridge", "putEvents"),
    sdk(Service::Lambda, "aws-sdk:lambda", "invoke"),
];

impl Integration {
    /// The integration of a resource such as `aws-sdk:s3` and `getObject`.
    pub fn find(prefix: &str, action: &str) -> Option<&'static Integration> {
        INTEGRATIONS.iter().find(|known| known.prefix == prefix && known.action == action)
    }

    fn allows(&self, pattern: Pattern) -> bool {
        pattern == Pattern::RequestResponse || self.patterns.contains(&pattern)
    }
}

impl Pattern {
    /// What a resource ends with.
    fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
        }
    }

    /// Whether the call's own answer is not the result.
    pub fn is_awaited(self) -> bool {
        self != Pattern::RequestResponse
    }
}

/// What may be written, for messages: made of [`INTEGRATIONS`], actions of one service put together.
fn supported() -> String {
    let mut text = String::from(
        "a function's ARN (arn:aws:lambda:...:function:NAME), an activity's ARN, or arn:aws:states::: with ",
    );
    let mut last: Option<&Integration> = None;
    for integration in &INTEGRATIONS {
        match last {
            Some(before) if before.prefix == integration.prefix && before.patterns == integration.patterns => {
                text.push('|');
            }
            Some(_) => {
                text.push_str(&format!(", {}:", integration.prefix));
            }
            None => text.push_str(&format!("{}:", integration.prefix)),
        }
        text.push_str(integration.action);
        if !integration.sdk {
            for pattern in integration.patterns {
                text.push_str(&format!("[{}]", pattern.suffix()));
            }
        }
        last = Some(integration);
    }
    text.push_str(" (each aws-sdk: one also with .waitForTaskToken)");
    text
}

impl Resource {
    /// Parses a resource.
    ///
    /// # Errors
    /// A sentence that lists what is supported.
    pub fn parse(raw: &str) -> Result<Resource, String> {
        let parsed = |kind, pattern| Ok(Resource { raw: raw.into(), kind, pattern });
        let mut parts = raw.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, service, region, account, rest) = (next(), next(), next(), next(), next(), next());
        if arn != "arn" || !partition.starts_with("aws") || rest.is_empty() {
            return Err(format!("`{raw}` is not a resource; write {}", supported()));
        }
        match service {
            "lambda" => {
                let name = rest.strip_prefix("function:").and_then(|r| r.split(':').next());
                match name.filter(|name| !name.is_empty()) {
                    Some(name) => parsed(Kind::Function { name: name.into() }, Pattern::RequestResponse),
                    None => Err(format!("`{raw}` does not name a function; write {}", supported())),
                }
            }
            "states" if !region.is_empty() || !account.is_empty() => match rest.strip_prefix("activity:") {
                Some(name) if !name.is_empty() => {
                    parsed(Kind::Activity { name: name.into() }, Pattern::RequestResponse)
                }
                _ => Err(format!("`{raw}` does not name an activity; write {}", supported())),
            },
            "states" => match integration(rest) {
                Some((kind, pattern)) => parsed(kind, pattern),
                None => Err(format!("`{raw}` is not supported; write {}", supported())),
            },
            _ => Err(format!("`{raw}` is not supported; write {}", supported())),
        }
    }

    /// The `resourceType` of the history's events, such as `lambda`.
    pub fn resource_type(&self) -> &str {
        match &self.kind {
            Kind::Function { .. } => "lambda",
            Kind::Activity { .. } => "activity",
            Kind::Service(integration) => integration.prefix,
        }
    }

    /// The `resource` of the history's events, such as `sendMessage.waitForTaskToken`.
    pub fn resource_action(&self) -> &str {
        let text = self.integration_text();
        match text.strip_suffix(".sync:2").and_then(|head| head.rsplit_once(':')) {
            Some((service, _)) => text.get(service.len() + 1..).unwrap_or(text),
            None => text.rsplit_once(':').map_or(text, |(_, action)| action),
        }
    }

    fn integration_text(&self) -> &str {
        self.raw.splitn(6, ':').nth(5).unwrap_or_default()
    }

    /// Whether it calls a function.
    pub fn is_function(&self) -> bool {
        match &self.kind {
            Kind::Function { .. } => true,
            Kind::Activity { .. } => false,
            Kind::Service(integration) => integration.service == Service::Lambda,
        }
    }

    /// Whether the result comes with the task token.
    pub fn waits_for_token(&self) -> bool {
        self.pattern == Pattern::WaitForTaskToken
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

fn integration(text: &str) -> Option<(Kind, Pattern)> {
    let patterns = [Pattern::WaitForTaskToken, Pattern::Sync2, Pattern::Sync];
    let awaited = patterns.into_iter().find_map(|pattern| Some((text.strip_suffix(pattern.suffix())?, pattern)));
    let (target, pattern) = awaited.unwrap_or((text, Pattern::RequestResponse));
    let (prefix, action) = target.rsplit_once(':')?;
    let integration = Integration::find(prefix, action).filter(|integration| integration.allows(pattern))?;
    Some((Kind::Service(integration), pattern))
}
