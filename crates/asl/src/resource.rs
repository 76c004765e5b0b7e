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
    /// `lambda:invoke`; the arguments hold `FunctionName` and `Payload`.
    LambdaInvoke,
    /// `sqs:sendMessage`.
    SqsSendMessage,
    /// `sns:publish`.
    SnsPublish,
    /// `dynamodb:getItem` and its like.
    DynamoDb {
        /// `getItem`, `putItem`, `updateItem` or `deleteItem`.
        action: String,
    },
    /// `states:startExecution`.
    StartExecution,
    /// `http:invoke`.
    HttpInvoke,
    /// `events:putEvents`.
    PutEvents,
    /// `aws-sdk:service:action`.
    AwsSdk {
        /// The service, such as `s3`.
        service: String,
        /// The action, such as `getObject`.
        action: String,
    },
    /// An activity, whose tasks workers fetch.
    Activity {
        /// The activity's name.
        name: String,
    },
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

/// What may be written, for messages.
const SUPPORTED: &str = "a function's ARN (arn:aws:lambda:...:function:NAME), an activity's ARN, or arn:aws:states::: with \
     lambda:invoke[.waitForTaskToken], sqs:sendMessage[.waitForTaskToken], sns:publish[.waitForTaskToken], \
     dynamodb:getItem|putItem|updateItem|deleteItem, states:startExecution[.sync|.sync:2|.waitForTaskToken], \
     http:invoke, events:putEvents[.waitForTaskToken], aws-sdk:SERVICE:ACTION[.waitForTaskToken] of s3, dynamodb, \
     sqs, sns, sfn, eventbridge or lambda";
/// The services of `aws-sdk:` resources.
const SDK_SERVICES: [&str; 7] = ["s3", "dynamodb", "sqs", "sns", "sfn", "eventbridge", "lambda"];

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
            return Err(format!("`{raw}` is not a resource; write {SUPPORTED}"));
        }
        match service {
            "lambda" => {
                let name = rest.strip_prefix("function:").and_then(|r| r.split(':').next());
                match name.filter(|name| !name.is_empty()) {
                    Some(name) => parsed(Kind::Function { name: name.into() }, Pattern::RequestResponse),
                    None => Err(format!("`{raw}` does not name a function; write {SUPPORTED}")),
                }
            }
            "states" if !region.is_empty() || !account.is_empty() => match rest.strip_prefix("activity:") {
                Some(name) if !name.is_empty() => {
                    parsed(Kind::Activity { name: name.into() }, Pattern::RequestResponse)
                }
                _ => Err(format!("`{raw}` does not name an activity; write {SUPPORTED}")),
            },
            "states" => match integration(rest) {
                Some((kind, pattern)) => parsed(kind, pattern),
                None => Err(format!("`{raw}` is not supported; write {SUPPORTED}")),
            },
            _ => Err(format!("`{raw}` is not supported; write {SUPPORTED}")),
        }
    }

    /// The `resourceType` of the history's events, such as `lambda`.
    pub fn resource_type(&self) -> &str {
        match &self.kind {
            Kind::Function { .. } | Kind::LambdaInvoke => "lambda",
            Kind::Activity { .. } => "activity",
            _ => self.integration_text().rsplit_once(':').map_or("", |(service, _)| match service {
                "states" => "states",
                other => other,
            }),
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
    let (target, pattern) = if let Some(target) = text.strip_suffix(".waitForTaskToken") {
        (target, Pattern::WaitForTaskToken)
    } else if let Some(target) = text.strip_suffix(".sync:2") {
        (target, Pattern::Sync2)
    } else if let Some(target) = text.strip_suffix(".sync") {
        (target, Pattern::Sync)
    } else {
        (text, Pattern::RequestResponse)
    };
    let mut parts = target.split(':');
    let (service, action, deeper) = (parts.next()?, parts.next()?, parts.next());
    let kind = match (service, action, deeper) {
        ("aws-sdk", service, Some(action)) if SDK_SERVICES.contains(&service) && !action.is_empty() => {
            Kind::AwsSdk { service: service.into(), action: action.into() }
        }
        ("lambda", "invoke", None) => Kind::LambdaInvoke,
        ("sqs", "sendMessage", None) => Kind::SqsSendMessage,
        ("sns", "publish", None) => Kind::SnsPublish,
        ("dynamodb", "getItem" | "putItem" | "updateItem" | "deleteItem", None) => {
            Kind::DynamoDb { action: action.into() }
        }
        ("states", "startExecution", None) => Kind::StartExecution,
        ("http", "invoke", None) => Kind::HttpInvoke,
        ("events", "putEvents", None) => Kind::PutEvents,
        _ => return None,
    };
    let allowed = match (&kind, pattern) {
        (_, Pattern::RequestResponse) => true,
        (Kind::StartExecution, _) => true,
        (Kind::DynamoDb { .. } | Kind::HttpInvoke, _) => false,
        (_, pattern) => pattern == Pattern::WaitForTaskToken,
    };
    (allowed && parts.next().is_none()).then_some((kind, pattern))
}
