//! Puts the layers over each other: defaults, file, variables, flags; and remembers where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::{Config, SECRETS};

/// The file that is read when no other is named and it exists.
const DEFAULT_FILE: &str = "comanda.toml";
/// Variables that are not keys: the configuration file, and the server that the client commands talk to.
const RESERVED: &[&str] = &["COMANDA_CONFIG", "COMANDA_SERVER"];
/// Below this likeness (0 to 1) a name is no suggestion.
const LIKENESS: f64 = 0.75;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{origin}: unknown key `{key}`{}", suggestion(.nearest))]
    Unknown { origin: Origin, key: String, nearest: Option<String> },
    #[error("{origin}: {problem}")]
    Malformed { origin: Origin, problem: String },
    #[error("{origin}: `{key}`: {problem}")]
    Value { origin: Origin, key: String, problem: String },
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; `comanda config` lists all keys".into(),
    }
}

/// What the command line says about the configuration.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// The file; it must be there.
    pub(crate) file: Option<PathBuf>,
    /// Keys with their values and the flag that set them.
    pub(crate) values: Vec<(String, String, String)>,
}

/// The configuration and where each of its values came from.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) config: Config,
    origins: BTreeMap<String, Origin>,
    values: BTreeMap<String, Value>,
}

impl Effective {
    /// Every key with its value and origin; secrets are hidden.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, Value, &Origin)> {
        self.values.iter().map(|(key, value)| {
            let hide = SECRETS.contains(&key.as_str()) && value.as_str().is_some_and(|v| !v.is_empty());
            let value = if hide { Value::from("(hidden)") } else { value.clone() };
            (key.as_str(), value, self.origins.get(key).unwrap_or(&Origin::Default))
        })
    }
}

/// Reads all layers.
///
/// # Errors
/// [`ConfigError`] names the place and the cure.
pub(crate) fn load(flags: &Flags, variables: impl Iterator<Item = (String, String)>) -> Result<Effective, ConfigError> {
    let mut layers = Layers::defaults()?;
    let variables: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with("COMANDA_")).collect();
    let named = flags.file.clone().or_else(|| variables.get("COMANDA_CONFIG").map(PathBuf::from));
    match named {
        Some(path) => layers.file(&path)?,
        None if Path::new(DEFAULT_FILE).exists() => layers.file(Path::new(DEFAULT_FILE))?,
        None => {}
    }
    for (name, value) in variables {
        layers.variable(&name, &value)?;
    }
    for (key, value, flag) in &flags.values {
        layers.text(key, value, Origin::Flag(flag.clone()))?;
    }
    layers.finish()
}

struct Layers {
    values: BTreeMap<String, Value>,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn defaults() -> Result<Layers, ConfigError> {
        let table = Table::try_from(Config::default())
            .map_err(|e| ConfigError::Malformed { origin: Origin::Default, problem: e.to_string() })?;
        let mut values = BTreeMap::new();
        for (name, value) in table {
            match value {
                Value::Table(section) => {
                    values.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
                }
                value => {
                    values.insert(name, value);
                }
            }
        }
        Ok(Layers { values, origins: BTreeMap::new() })
    }

    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let place = |offset: usize| Origin::File {
            path: path.into(),
            line: text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1),
        };
        let table = DeTable::parse(&text).map_err(|e| ConfigError::Malformed {
            origin: place(e.span().map_or(0, |s| s.start)),
            problem: e.message().into(),
        })?;
        self.table("", table.into_inner(), &place)
    }

    fn table(&mut self, prefix: &str, table: DeTable<'_>, place: &dyn Fn(usize) -> Origin) -> Result<(), ConfigError> {
        for (name, value) in table {
            let origin = place(name.span().start);
            let key = format!("{prefix}{}", name.get_ref());
            let value: Spanned<DeValue<'_>> = value;
            match value.into_inner() {
                DeValue::Table(section) if self.is_section(&key) => self.table(&format!("{key}."), section, place)?,
                DeValue::String(text) => self.set(&key, Value::String(text.into_owned()), origin)?,
                DeValue::Boolean(b) => self.set(&key, Value::Boolean(b), origin)?,
                DeValue::Integer(n) => {
                    let digits = i64::from_str_radix(n.as_str(), n.radix());
                    let value = digits.map_or_else(|_| Value::String(n.as_str().into()), Value::Integer);
                    self.set(&key, value, origin)?;
                }
                other => {
                    self.known(&key, &origin)?;
                    return Err(ConfigError::Value {
                        origin,
                        key,
                        problem: format!("a {} does not belong here", other.type_str()),
                    });
                }
            }
        }
        Ok(())
    }

    fn variable(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        if RESERVED.contains(&name) {
            return Ok(());
        }
        let origin = Origin::Variable(name.into());
        match self.values.keys().find(|key| variable_name(key) == name) {
            Some(key) => self.text(&key.clone(), value, origin),
            None => {
                let names = self.values.keys().map(|key| variable_name(key));
                Err(ConfigError::Unknown {
                    origin: Origin::Variable("environment".into()),
                    key: name.into(),
                    nearest: nearest(name, names),
                })
            }
        }
    }

    /// Sets a key from text: the default tells the type.
    fn text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let value = match self.values.get(key) {
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            _ => None,
        };
        self.set(key, value.unwrap_or_else(|| Value::from(text)), origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), ConfigError> {
        let default = self.known(key, &origin)?;
        if default.type_str() != value.type_str() {
            let shown = value.as_str().map_or_else(|| value.to_string(), Into::into);
            return Err(ConfigError::Value {
                problem: format!("`{shown}` is no {}", default.type_str()),
                key: key.into(),
                origin,
            });
        }
        self.values.insert(key.into(), value);
        self.origins.insert(key.into(), origin);
        Ok(())
    }

    fn known(&self, key: &str, origin: &Origin) -> Result<&Value, ConfigError> {
        self.values.get(key).ok_or_else(|| ConfigError::Unknown {
            origin: origin.clone(),
            key: key.into(),
            nearest: nearest(key, self.values.keys().cloned().chain(self.sections())),
        })
    }

    fn sections(&self) -> impl Iterator<Item = String> {
        self.values.keys().filter_map(|key| Some(key.split_once('.')?.0.to_owned()))
    }

    fn is_section(&self, key: &str) -> bool {
        self.sections().any(|section| section == key)
    }

    fn finish(self) -> Result<Effective, ConfigError> {
        let mut table = Table::new();
        for (key, value) in &self.values {
            match key.split_once('.') {
                None => {
                    table.insert(key.clone(), value.clone());
                }
                Some((section, key)) => {
                    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(section) = section {
                        section.insert(key.into(), value.clone());
                    }
                }
            }
        }
        let origin = |key: &str| self.origins.get(key).cloned().unwrap_or(Origin::Default);
        let config: Config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let key = error.path().to_string();
            ConfigError::Value { origin: origin(&key), problem: describe(error.inner(), self.values.get(&key)), key }
        })?;
        if let Some((key, problem)) = config.problem() {
            return Err(ConfigError::Value { origin: origin(key), key: key.into(), problem });
        }
        Ok(Effective { config, origins: self.origins, values: self.values })
    }
}

fn describe(error: &toml::de::Error, value: Option<&Value>) -> String {
    let message = error.message();
    match value {
        Some(value) if !message.contains('`') => {
            let shown = value.as_str().map_or_else(|| value.to_string(), Into::into);
            format!("`{shown}`: {message}")
        }
        _ => message.into(),
    }
}

fn variable_name(key: &str) -> String {
    format!("COMANDA_{}", key.replace('.', "_").to_uppercase())
}

/// The likest of the names, compared whole and by the part after the dot.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |other: &str| {
        let whole = strsim::normalized_damerau_levenshtein(name, other);
        let end = strsim::normalized_damerau_levenshtein(&last(name), &last(other));
        whole.max(end)
    };
    known
        .map(|other| (likeness(&other), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::super::Duration;
    use super::*;

    fn effective(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Effective, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file).unwrap();
        let values = flags.iter().map(|(k, v)| ((*k).into(), (*v).into(), "--set".into()));
        let flags = Flags { file: Some(path.clone()), values: values.collect() };
        let variables = variables.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        load(&flags, variables).map_err(|e| e.to_string().replace(&path.display().to_string(), "c.toml"))
    }

    #[track_caller]
    fn refused(file: &str, variables: &[(&str, &str)], message: &str) {
        assert_eq!(effective(file, variables, &[]).unwrap_err(), message);
    }

    #[test]
    fn later_layers_win_and_name_themselves() {
        let file = "listen = \"127.0.0.1:1\"\n[order]\npayment_deadline = \"5m\"\n";
        let variables = [("COMANDA_LISTEN", "127.0.0.1:2"), ("COMANDA_ENGINE_CONCURRENCY", "7"), ("HOME", "/")];
        let all = effective(file, &variables, &[("listen", "127.0.0.1:3")]).unwrap();
        assert_eq!(all.config.listen.port(), 3);
        assert_eq!(all.config.engine.concurrency, 7);
        assert_eq!(all.config.order.payment_deadline, Duration::minutes(5));
        let origin = |key: &str| all.entries().find(|(k, ..)| *k == key).unwrap().2.to_string();
        assert_eq!(origin("listen"), "--set");
        assert_eq!(origin("engine.concurrency"), "COMANDA_ENGINE_CONCURRENCY");
        assert!(origin("order.payment_deadline").ends_with("c.toml:3"));
        assert_eq!(origin("data"), "default");
    }

    #[test]
    fn secrets_are_hidden() {
        let all = effective("", &[("COMANDA_SMTP_URL", "hunter2")], &[]).unwrap();
        let shown = all.entries().find(|(key, ..)| *key == "smtp.url").unwrap().1;
        assert_eq!(shown.as_str(), Some("(hidden)"));
        assert_eq!(all.config.smtp.url, "hunter2");
        let all =
            effective("", &[("COMANDA_ENGINE_ACCESS_KEYS", "AKID:0123456789abcdef, B:fedcba9876543210")], &[]).unwrap();
        assert_eq!(all.config.access_keys().unwrap().len(), 2);
        let shown = all.entries().find(|(key, ..)| *key == "engine.access_keys").unwrap().1;
        assert_eq!(shown.as_str(), Some("(hidden)"));
        let error = effective("", &[("COMANDA_ENGINE_ACCESS_KEYS", "AKID:hunter2")], &[]).err().unwrap().to_string();
        assert!(error.contains("key 1 is not `ID:SECRET`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn mistakes_are_named_with_place_and_cure() {
        refused("lissten = 1", &[], "c.toml:1: unknown key `lissten`; did you mean `listen`?");
        refused(
            "\n[order]\npayment_dedline = \"5m\"",
            &[],
            "c.toml:3: unknown key `order.payment_dedline`; did you mean `order.payment_deadline`?",
        );
        refused("[ordr]\na = 1", &[], "c.toml:1: unknown key `ordr`; did you mean `order`?");
        refused("xyz = 1", &[], "c.toml:1: unknown key `xyz`; `comanda config` lists all keys");
        refused(
            "",
            &[("COMANDA_LISEN", "x")],
            "environment: unknown key `COMANDA_LISEN`; did you mean `COMANDA_LISTEN`?",
        );
        refused("a = ", &[], "c.toml:1: string values must be quoted, expected literal string");
        refused(
            "[order]\nreceipt_link = \"soon\"",
            &[],
            "c.toml:2: `order.receipt_link`: `soon` is no duration; write for example `15m`, `90s` or `400ms`",
        );
        refused(
            "[order]\nreceipt_link = \"1ms\"",
            &[],
            "c.toml:2: `order.receipt_link`: `1ms` is out of range; use 1s to 24h",
        );
        refused(
            "",
            &[("COMANDA_ENGINE_CONCURRENCY", "many")],
            "COMANDA_ENGINE_CONCURRENCY: `engine.concurrency`: `many` is no integer",
        );
        refused("data = 5", &[], "c.toml:1: `data`: `5` is no string");
        refused("listen = \"here\"", &[], "c.toml:1: `listen`: `here`: invalid socket address syntax");
        refused(
            "[merchant]\ntime_zone = \"Mars/Base\"",
            &[],
            "c.toml:2: `merchant.time_zone`: `Mars/Base` is no IANA time zone; write for example `America/Sao_Paulo`",
        );
        refused("[order.deep]\na = 1", &[], "c.toml:1: unknown key `order.deep`; `comanda config` lists all keys");
        refused("listen = [1]", &[], "c.toml:1: `listen`: a array does not belong here");
    }

    #[test]
    fn the_example_file_names_every_key_with_its_default() {
        let example = include_str!("../../../../comanda.toml.example");
        let uncommented: String = example
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(line))
            .fold(String::new(), |all, line| all + line + "\n");
        let all = effective(&uncommented, &[], &[]).unwrap();
        for (key, value, origin) in all.entries() {
            assert!(matches!(origin, Origin::File { .. }), "`{key}` is missing");
            let defaults = Layers::defaults().unwrap();
            assert_eq!(defaults.values.get(key), Some(&value), "{key}");
        }
    }
}
