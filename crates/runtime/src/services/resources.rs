//! The resources that flows may use, as they are declared: tables, topics, buses, connections, functions elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{pattern, queues};

/// The most subscriptions of a topic, so that a message for each fits one commit.
const MAX_SUBSCRIPTIONS: usize = 64;
/// The most rules of a bus, so that ten events for each fit one commit.
const MAX_RULES: usize = 8;
/// The longest time a function elsewhere may take: as long as a Lambda function.
const MAX_FUNCTION_S: u64 = 900;

/// Everything that is declared. Read from a file, then [`Resources::resolve`]d.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Tables by name.
    pub tables: BTreeMap<String, TableSchema>,
    /// Topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// Event buses by name; `default` is always there.
    pub buses: BTreeMap<String, Bus>,
    /// Connections of `http:invoke` by name.
    pub connections: BTreeMap<String, Connection>,
    /// Functions that run elsewhere.
    pub functions: Functions,
}

/// The key of a table's items.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSchema {
    /// The partition key.
    pub partition: KeyAttribute,
    /// The sort key, if items have one.
    pub sort: Option<KeyAttribute>,
}

/// An attribute of a key, written as its name and type: `order_id:S`, `line:N`, `digest:B`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyAttribute {
    /// The attribute.
    pub name: String,
    /// `S`, `N` or `B`.
    pub kind: String,
}

impl TryFrom<String> for KeyAttribute {
    type Error = String;

    fn try_from(text: String) -> Result<KeyAttribute, String> {
        match text.rsplit_once(':') {
            Some((name, kind @ ("S" | "N" | "B"))) if !name.is_empty() => {
                Ok(KeyAttribute { name: name.into(), kind: kind.into() })
            }
            _ => Err(format!("`{text}` is no key; write its name and type: `id:S` (text), `id:N` (number), `id:B`")),
        }
    }
}

/// A topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Who gets its messages.
    pub subscriptions: Vec<Subscription>,
}

/// A queue that gets the messages of a topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The queue.
    pub queue: String,
    /// Whether it gets the message itself, not one that says of which topic it is.
    #[serde(default)]
    pub raw: bool,
}

/// An event bus.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Rules by name.
    #[serde(default)]
    pub rules: BTreeMap<String, Rule>,
}

/// Which events go to a queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// An event pattern; as an object, or as a text of JSON.
    pub pattern: Value,
    /// The queue.
    pub queue: String,
}

/// How `http:invoke` proves who it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// What is sent with each request.
    pub authorization: Authorization,
    /// The only hosts that may be called with it; empty: any.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether `http://` may be used for hosts other than this machine.
    #[serde(default)]
    pub insecure: bool,
}

/// See [`Connection`].
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Authorization {
    /// Nothing.
    None,
    /// A header with a key.
    ApiKey {
        /// The header's name.
        header: String,
        /// Its value.
        value: Secret,
    },
    /// A user and password (RFC 7617).
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that is fetched with the client's credentials (RFC 6749, section 4.4).
    Oauth {
        /// Where tokens are given.
        token_url: String,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// The scope to ask for.
        #[serde(default)]
        scope: Option<String>,
    },
}

/// A secret: never shown. Declared as `env:NAME`, the variable that holds it, or as itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Its text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Functions that are called over HTTP, by the Lambda Invoke API.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Functions {
    /// Where functions are that neither the engine nor `endpoints` has; none: there are no others.
    pub endpoint: Option<String>,
    /// How long a function may take, in seconds, unless it says so itself.
    pub timeout_seconds: Option<u64>,
    /// Functions by name.
    pub endpoints: BTreeMap<String, FunctionEndpoint>,
}

/// Where a function is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionEndpoint {
    /// The beginning of the URL, before `/2015-03-31/functions/`.
    pub endpoint: String,
    /// How long it may take, in seconds.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
}

impl Functions {
    /// Where a function is called, and how long it may take.
    pub(super) fn place(&self, name: &str) -> Option<(&str, Duration)> {
        let own = self.endpoints.get(name);
        let endpoint = own.map(|own| own.endpoint.as_str()).or(self.endpoint.as_deref())?;
        let seconds = own.and_then(|own| own.timeout_seconds).or(self.timeout_seconds).unwrap_or(MAX_FUNCTION_S);
        Some((endpoint, Duration::from_secs(seconds)))
    }
}

impl Resources {
    /// Looks secrets up by the names of their variables, and checks everything.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn resolve(mut self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Resources, String> {
        for (name, connection) in &mut self.connections {
            let secret = match &mut connection.authorization {
                Authorization::None => continue,
                Authorization::ApiKey { value, .. } => value,
                Authorization::Basic { password, .. } => password,
                Authorization::Oauth { client_secret, .. } => client_secret,
            };
            if let Some(variable) = secret.0.strip_prefix("env:") {
                let missing = || format!("connection `{name}`: the variable `{variable}` is not set");
                secret.0 = lookup(variable).ok_or_else(missing)?;
            }
        }
        for (name, table) in &self.tables {
            if table.sort.as_ref().is_some_and(|sort| sort.name == table.partition.name) {
                return Err(format!("table `{name}`: partition and sort key are the same attribute"));
            }
        }
        let open = |place: &str, queue: &str| match queues::is_open(queue) {
            true => Ok(()),
            false => Err(format!("{place}: `{queue}` is no queue that may be sent to")),
        };
        for (name, topic) in &self.topics {
            if topic.subscriptions.len() > MAX_SUBSCRIPTIONS {
                return Err(format!("topic `{name}`: more than {MAX_SUBSCRIPTIONS} subscriptions"));
            }
            for subscription in &topic.subscriptions {
                open(&format!("topic `{name}`"), &subscription.queue)?;
            }
        }
        for (name, bus) in &mut self.buses {
            if bus.rules.len() > MAX_RULES {
                return Err(format!("bus `{name}`: more than {MAX_RULES} rules"));
            }
            for (rule_name, rule) in &mut bus.rules {
                let place = format!("rule `{rule_name}` of bus `{name}`");
                if let Value::String(text) = &rule.pattern {
                    rule.pattern = serde_json::from_str(text).map_err(|e| format!("{place}: the pattern: {e}"))?;
                }
                pattern::check(&rule.pattern).map_err(|problem| format!("{place}: {problem}"))?;
                open(&place, &rule.queue)?;
            }
        }
        self.check_functions()?;
        Ok(self)
    }

    fn check_functions(&self) -> Result<(), String> {
        let functions = &self.functions;
        let endpoints = functions.endpoints.iter().map(|(name, own)| (name.as_str(), &own.endpoint));
        for (name, endpoint) in endpoints.chain(functions.endpoint.iter().map(|endpoint| ("endpoint", endpoint))) {
            if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
                return Err(format!("functions: `{name}`: `{endpoint}` must begin with http:// or https://"));
            }
        }
        let times = functions.endpoints.values().filter_map(|own| own.timeout_seconds).chain(functions.timeout_seconds);
        match times.into_iter().find(|seconds| !(1..=MAX_FUNCTION_S).contains(seconds)) {
            Some(seconds) => Err(format!("functions: {seconds} is out of range; use 1 to {MAX_FUNCTION_S} seconds")),
            None => Ok(()),
        }
    }
}
