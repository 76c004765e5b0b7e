//! Compares how a case went with what it expects.

use asl::Outcome;
use serde_json::Value;

use super::cases::{Expect, Seconds, Status};
use super::play::Played;

/// The most differences told of one value.
const MOST_DIFFERENCES: usize = 20;
/// Durations are compared to the millisecond.
const PRECISION: f64 = 0.0005;

/// What is not as expected, a line each.
pub(crate) fn judge(expect: &Expect, played: &Played) -> Vec<String> {
    let mut wrong = played.problems.clone();
    outcome(expect, played, &mut wrong);
    path(expect, played, &mut wrong);
    calls(expect, played, &mut wrong);
    let took = seconds(played);
    let fits = match expect.seconds {
        None => true,
        Some(Seconds::Exactly(want)) => (took - want).abs() < PRECISION,
        Some(Seconds::Between { min, max }) => took + PRECISION > min && took - PRECISION < max,
    };
    if let (false, Some(want)) = (fits, expect.seconds) {
        let want = match want {
            Seconds::Exactly(seconds) => seconds.to_string(),
            Seconds::Between { min, max } => format!("{min} to {max}"),
        };
        wrong.push(format!("seconds: expected {want}, took {took}"));
    }
    wrong
}

/// How long it took.
#[expect(clippy::cast_precision_loss, reason = "years in milliseconds fit")]
pub(crate) fn seconds(played: &Played) -> f64 {
    played.done.elapsed_ms as f64 / 1000.0
}

/// How it ended, as the API says it.
pub(crate) fn status(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        None => "RUNNING",
        Some(Outcome::Succeeded { .. }) => "SUCCEEDED",
        Some(Outcome::Failed { .. }) => "FAILED",
        Some(Outcome::TimedOut { .. }) => "TIMED_OUT",
        Some(Outcome::Aborted { .. }) => "ABORTED",
    }
}

fn outcome(expect: &Expect, played: &Played, wrong: &mut Vec<String>) {
    let outcome = played.done.outcome.as_ref();
    let want = match expect.status {
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMED_OUT",
        Status::Aborted => "ABORTED",
        Status::Running => "RUNNING",
    };
    let (output, error, cause) = match outcome {
        None => (None, None, None),
        Some(Outcome::Succeeded { output }) => (Some(output), None, None),
        Some(
            Outcome::Failed { error, cause } | Outcome::TimedOut { error, cause } | Outcome::Aborted { error, cause },
        ) => (None, error.as_deref(), cause.as_deref()),
    };
    let got = status(outcome);
    if got != want {
        let mut line = format!("status: expected {want}, got {got}");
        match (error, outcome) {
            (Some(error), _) => line.push_str(&format!(" ({error}: {})", cause.unwrap_or("no cause"))),
            (None, None) => line.push_str(&format!(" (it waits at {})", played.done.waits_at.join(", "))),
            _ => {}
        }
        wrong.push(line);
    }
    if let Some(want) = &expect.output {
        differ("output", want, output, true, wrong);
    }
    if let Some(want) = &expect.output_exactly {
        differ("output", want, output, false, wrong);
    }
    let mut text = |what: &str, want: &Option<String>, got: Option<&str>| {
        if let Some(want) = want
            && got != Some(want)
        {
            wrong.push(format!("{what}: expected `{want}`, got {}", quoted(got)));
        }
    };
    text("error", &expect.error, error);
    text("cause", &expect.cause, cause);
    if let Some(want) = &expect.cause_contains
        && !cause.is_some_and(|cause| cause.contains(want.as_str()))
    {
        wrong.push(format!("cause: expected to contain `{want}`, got {}", quoted(cause)));
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"))
}

fn path(expect: &Expect, played: &Played, wrong: &mut Vec<String>) {
    let went = &played.path;
    if let Some(want) = &expect.path
        && want != went
    {
        let same = want.iter().zip(went).take_while(|(want, got)| want == got).count();
        let at = |path: &[String]| path.get(same).map_or_else(|| "the end".to_owned(), |state| format!("`{state}`"));
        wrong.push(format!(
            "path: expected {} as state {}, got {}\n    expected {}\n    went     {}",
            at(want),
            same + 1,
            at(went),
            want.join(" > "),
            went.join(" > ")
        ));
    }
    let mut rest = went.iter();
    if let Some(missing) = expect.visits.iter().find(|state| !rest.any(|went| went == *state)) {
        let order = if went.contains(missing) { " in this order" } else { "" };
        wrong.push(format!("visits: `{missing}` is not visited{order}\n    went {}", went.join(" > ")));
    }
    for state in expect.avoids.iter().filter(|state| went.contains(state)) {
        wrong.push(format!("avoids: `{state}` is visited\n    went {}", went.join(" > ")));
    }
}

fn calls(expect: &Expect, played: &Played, wrong: &mut Vec<String>) {
    let of = |name: &str| {
        let is_called = |task: &&asl::TaskStart| task.state == *name || task.path == *name;
        played.done.tasks.iter().filter(is_called).collect::<Vec<_>>()
    };
    for (state, want) in &expect.calls {
        let got = of(state).len();
        if got != *want {
            wrong.push(format!("calls: expected {want} of `{state}`, got {got}"));
        }
    }
    for (state, want) in &expect.inputs {
        let got = of(state);
        if got.len() < want.len() {
            wrong.push(format!("inputs: expected {} calls of `{state}`, got {}", want.len(), got.len()));
        }
        for (n, (want, got)) in want.iter().zip(got).enumerate() {
            differ(&format!("inputs of `{state}`, call {}", n + 1), want, Some(&got.arguments), true, wrong);
        }
    }
}

/// Notes where two values differ. With `part`, objects may have more fields than expected.
fn differ(what: &str, want: &Value, got: Option<&Value>, part: bool, wrong: &mut Vec<String>) {
    let Some(got) = got else {
        wrong.push(format!("{what}: expected {want}, got none"));
        return;
    };
    let mut found = Vec::new();
    compare("", want, got, part, &mut found);
    let more = found.len().saturating_sub(MOST_DIFFERENCES);
    for (pointer, difference) in found.into_iter().take(MOST_DIFFERENCES) {
        let at = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
        wrong.push(format!("{what}{at}: {difference}"));
    }
    if more > 0 {
        wrong.push(format!("{what}: {more} more differences"));
    }
}

fn compare(pointer: &str, want: &Value, got: &Value, part: bool, found: &mut Vec<(String, String)>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            for (field, want) in want {
                let pointer = format!("{pointer}/{field}");
                match got.get(field) {
                    Some(got) => compare(&pointer, want, got, part, found),
                    None => found.push((pointer, format!("expected {want}, got none"))),
                }
            }
            let extra = got.iter().filter(|(field, _)| !part && !want.contains_key(*field));
            found.extend(extra.map(|(field, got)| (format!("{pointer}/{field}"), format!("expected none, got {got}"))));
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            for (n, (want, got)) in want.iter().zip(got).enumerate() {
                compare(&format!("{pointer}/{n}"), want, got, part, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if a == b || a.as_f64() == b.as_f64() => {}
        _ if want == got => {}
        _ => found.push((pointer.to_owned(), format!("expected {want}, got {got}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::compare;

    fn differences(want: &Value, got: &Value, part: bool) -> String {
        let mut found = Vec::new();
        compare("", want, got, part, &mut found);
        found.into_iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn values_are_compared_in_part_or_exactly() {
        for (want, got, part, exactly) in [
            (json!({"a": 1}), json!({"a": 1.0, "b": 2}), "", "/b expected none, got 2"),
            (json!({"a": [1, {}]}), json!({"a": [1, {"x": 1}]}), "", "/a/1/x expected none, got 1"),
            (json!([1]), json!([1, 2]), " expected [1], got [1,2]", " expected [1], got [1,2]"),
            (json!({"a": null}), json!({}), "/a expected null, got none", "/a expected null, got none"),
            (json!({"a": "x"}), json!({"a": "y"}), "/a expected \"x\", got \"y\"", "/a expected \"x\", got \"y\""),
        ] {
            assert_eq!(differences(&want, &got, true), part);
            assert_eq!(differences(&want, &got, false), exactly);
        }
    }
}
