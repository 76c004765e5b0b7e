//! Figures for CloudWatch, as lines of the log in its embedded metric format.

use std::io::Write as _;

use serde_json::{Map, Value as Json, json};

use super::Environment;

/// Writes a line with these figures: name, unit, value.
pub(super) fn tell(environment: &Environment, figures: &[(&str, &str, i64)], now: i64) {
    let line = line(&environment.namespace, &environment.stage, figures, now);
    // Figures that cannot be written are told a minute later.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn line(namespace: &str, stage: &str, figures: &[(&str, &str, i64)], now: i64) -> Json {
    let metrics: Vec<Json> = figures.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let directive = json!({ "Namespace": namespace, "Dimensions": [["Stage"]], "Metrics": metrics });
    let mut line = Map::new();
    line.insert("_aws".into(), json!({ "Timestamp": now, "CloudWatchMetrics": [directive] }));
    line.insert("Stage".into(), stage.into());
    line.extend(figures.iter().map(|(name, _, value)| ((*name).to_owned(), Json::from(*value))));
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_figures() {
        let line = line("Comanda", "prod", &[("DeadMessages", "Count", 3)], 5);
        assert_eq!(line["DeadMessages"], 3);
        assert_eq!(line.pointer("/_aws/CloudWatchMetrics/0/Metrics/0/Name"), Some(&json!("DeadMessages")));
        assert_eq!(line.pointer("/_aws/CloudWatchMetrics/0/Dimensions/0/0"), Some(&json!("Stage")));
    }
}
