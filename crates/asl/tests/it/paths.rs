//! JSONPath: our own table, and Jayway's answers where the conformance data is at hand.

use asl::path::Path;
use serde_json::{Value, json};

/// `want`: JSON, `missing`, `invalid` (for such data) or `syntax` (no such path).
fn check(path: &str, data: &Value, want: &str) {
    let got = match Path::parse(path).map(|path| path.find(data).map(|found| found.into_owned())) {
        Err(_) => "syntax".to_owned(),
        Ok(Err(asl::path::Error::NotFound(_))) => "missing".to_owned(),
        Ok(Err(_)) => "invalid".to_owned(),
        Ok(Ok(value)) => value.to_string(),
    };
    assert_eq!(got, want, "{path}");
}

#[test]
fn paths() {
    let data = json!({
        "lines": [{ "sku": "a", "n": 1 }, { "sku": "b", "n": 2 }, { "sku": "c" }],
        "who": { "name": "Ana", "tags": ["x", "y"] },
        "with space": 1,
        "none": null,
    });
    for (path, want) in [
        ("$.who.name", r#""Ana""#),
        ("$['who']['name']", r#""Ana""#),
        ("$['with space']", "1"),
        ("$.none", "null"),
        ("$.lines[1].sku", r#""b""#),
        ("$.lines[-1]", "missing"),
        ("$.lines[3]", "missing"),
        ("$.lines[(@.length-1)].sku", r#""c""#),
        ("$.lines[*].n", "[1,2]"),
        ("$.lines[0,2].sku", r#"["a","c"]"#),
        ("$.lines[-2:].sku", r#"["b","c"]"#),
        ("$.lines[:1].sku", r#"["a"]"#),
        ("$.lines[?(@.n > 1)].sku", r#"["b"]"#),
        ("$.lines[?(@.n)].sku", r#"["a","b"]"#),
        ("$.lines[?(!@.n)].sku", r#"["c"]"#),
        ("$.lines[?(@.sku == 'a' || (@.n >= 2 && @.sku != 'z'))].sku", r#"["a","b"]"#),
        ("$.lines[?(@.sku =~ /[AB]/i)].sku", r#"["a","b"]"#),
        ("$.lines[?(@.sku == $.who.tags[0])]", "[]"),
        ("$.who['name','tags']", r#"{"name":"Ana","tags":["x","y"]}"#),
        ("$..sku", r#"["a","b","c"]"#),
        ("$..tags[0]", r#"["x"]"#),
        ("$.missing", "missing"),
        ("$.missing[*].x", "[]"),
        ("$.who[0]", "invalid"),
        ("$.with space", "syntax"),
        ("$.lines[", "syntax"),
        ("$.lines[]", "syntax"),
        ("$..", "syntax"),
        ("$.who[\"name\"]", "syntax"),
        ("$.lines[?(@.n in [1])]", "syntax"),
        ("$.lines[?(@.n > 1]", "syntax"),
    ] {
        check(path, &data, want);
    }
}

#[test]
fn explanations() {
    let data = json!({ "a": { "b": 1 } });
    for (path, want) in [
        ("$.x", "No results for path: $['x']"),
        ("$.a.x", "No results for path: $['a']['x']"),
        ("$.x.y", "Missing property in path $['x']"),
        ("$.a.b.c", "Property ['c'] not found in path $['a']['b']"),
    ] {
        let path = Path::parse(path).expect("a path");
        let error = path.find(&data).expect_err("nothing");
        assert_eq!(path.explain(&error), want);
    }
}

#[test]
fn hostile_paths_end() {
    let mut data = json!(1);
    for _ in 0..90 {
        data = json!({ "a": data, "b": [1, 2, 3] });
    }
    let path = Path::parse("$..*..*..*..*").expect("a path");
    assert!(path.find(&data).is_err(), "the steps are bounded");
    let deep = format!("$.a[?({}1==1{})]", "(".repeat(5000), ")".repeat(5000));
    assert!(Path::parse(&deep).is_err());
}

#[test]
fn jayway() {
    let Some(folder) = crate::conformance::folder() else {
        println!("not run: there is no conformance data; COMANDA_CONFORMANCE names its folder");
        return;
    };
    let text = std::fs::read_to_string(folder.join("jayway.json")).expect("jayway.json");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut different = Vec::new();
    let answers = file["answers"].as_array().expect("answers");
    for answer in answers {
        let text = answer["path"].as_str().expect("a path");
        let path = Path::parse(text);
        let got = path.as_ref().ok().and_then(|path| path.find(&file["data"]).ok().map(|found| found.into_owned()));
        let definite = path.as_ref().is_ok_and(Path::is_definite);
        let agrees = match (&got, answer.get("ok")) {
            (Some(got), Some(want)) => {
                same(got, want, text.contains('*')) && answer["definite"].as_bool() == Some(definite)
            }
            (None, None) => true,
            _ => false,
        };
        if !agrees {
            different.push(format!("{text}: want {}, got {got:?}", answer.get("ok").or(answer.get("err")).unwrap()));
        }
    }
    println!("Jayway: {}/{}", answers.len() - different.len(), answers.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Java's maps have another order than ours, so what `*` lists may be in any.
fn same(got: &Value, want: &Value, any_order: bool) -> bool {
    if !any_order {
        return got == want;
    }
    let texts = |value: &Value| {
        let mut texts: Vec<String> = value.as_array().into_iter().flatten().map(canonical).collect();
        texts.sort();
        texts
    };
    texts(got) == texts(want)
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<String> = map.iter().map(|(key, item)| format!("{key}:{}", canonical(item))).collect();
            fields.sort();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
