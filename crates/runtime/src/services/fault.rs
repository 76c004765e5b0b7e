//! Errors of services as AWS names and words them: differently for its optimised integrations and for `aws-sdk:` ones.

use asl::resource::{Integration, Service};
use store::ReadError;

use crate::machines::uuid;
use crate::task::Failure;

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An error of the service's model.
    Service {
        /// The exception, such as `ResourceNotFoundException`; `None` if the service's model has none for it.
        exception: Option<&'static str>,
        /// The error code on the wire, such as `ValidationException`.
        code: &'static str,
        /// The HTTP status.
        status: u16,
        /// What is wrong.
        message: String,
    },
    /// An error with the name that flows see.
    Named(Failure),
}

impl Fault {
    /// An error whose exception and code have one name, with status 400.
    pub(crate) fn of(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::Service { exception: Some(code), code, status: 400, message: message.into() }
    }

    /// An error that the service's model has no exception for, with status 400.
    pub(crate) fn unmodelled(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::Service { exception: None, code, status: 400, message: message.into() }
    }

    /// A field that is missing or of the wrong type.
    pub(crate) fn argument(integration: &Integration, problem: impl std::fmt::Display) -> Fault {
        Fault::Named(Failure::new(
            "States.Runtime",
            format!("the arguments of `{}:{}` are not valid: {problem}", integration.prefix, integration.action),
        ))
    }

    /// As the flow sees it.
    pub(crate) fn failure(self, integration: &Integration) -> Failure {
        let (exception, code, status, message) = match self {
            Fault::Named(failure) => return failure,
            Fault::Service { exception, code, status, message } => (exception, code, status, message),
        };
        let Names { optimised, wire, unmodelled, sdk, sdk_unmodelled } = names(integration.service);
        let id = uuid();
        match integration.sdk {
            false => Failure::new(
                format!("{optimised}.{}", exception.unwrap_or(unmodelled)),
                format!(
                    "{message} (Service: {wire}; Status Code: {status}; Error Code: {code}; Request ID: {id}; \
                     Proxy: null)"
                ),
            ),
            true => {
                // As recorded: the newer integrations tell how often they tried.
                let attempts =
                    if integration.service == Service::StepFunctions { " (SDK Attempt Count: 1)" } else { "" };
                let extended = match integration.service {
                    Service::S3 => format!(", Extended Request ID: {}", uuid()),
                    _ => String::new(),
                };
                Failure::new(
                    format!("{sdk}.{}", exception.unwrap_or(sdk_unmodelled)),
                    format!("{message} (Service: {sdk}, Status Code: {status}, Request ID: {id}{extended}){attempts}"),
                )
            }
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Named(failure)
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Fault {
        Fault::Named(Failure::new("StoreUnavailable", error.to_string()))
    }
}

/// How a service is called in errors.
struct Names {
    optimised: &'static str,
    wire: &'static str,
    unmodelled: &'static str,
    sdk: &'static str,
    sdk_unmodelled: &'static str,
}

fn names(service: Service) -> Names {
    let (optimised, wire, unmodelled, sdk, sdk_unmodelled) = match service {
        Service::Lambda => ("Lambda", "AWSLambda", "AWSLambdaException", "Lambda", "LambdaException"),
        Service::Sqs => ("SQS", "AmazonSQS", "AmazonSQSException", "Sqs", "SqsException"),
        Service::Sns => ("SNS", "AmazonSNS", "AmazonSNSException", "Sns", "SnsException"),
        Service::DynamoDb => {
            ("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException", "DynamoDb", "DynamoDbException")
        }
        Service::StepFunctions => {
            ("StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException", "Sfn", "SfnException")
        }
        Service::Http => ("Http", "Http", "HttpException", "Http", "HttpException"),
        Service::EventBridge => {
            ("EventBridge", "AmazonEventBridge", "AmazonEventBridgeException", "EventBridge", "EventBridgeException")
        }
        Service::S3 => ("S3", "AmazonS3", "AmazonS3Exception", "S3", "S3Exception"),
    };
    Names { optimised, wire, unmodelled, sdk, sdk_unmodelled }
}
