//! The language's own suite, and what AWS adds.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Expression, Found, Scope};

/// What cannot agree, and why.
const KNOWN: [(&str, &str); 3] = [
    ("function-eval/", "AWS removes $eval"),
    ("range-operator/case021", "ten million items exceed the bounds of an evaluation"),
    ("range-operator/case024", "the same"),
];

fn evaluate(text: &str, input: Option<&Value>, bindings: &Value, depth: u32) -> Result<Found, super::Error> {
    let draws = std::cell::Cell::new(0);
    let draw = || {
        draws.set(draws.get() + 1);
        crate::environment::random(7, draws.get())
    };
    let scope = Scope {
        input,
        states: None,
        variable: &|name| bindings.get(name),
        draw: &draw,
        now_ms: 1_795_172_400_000,
        depth,
    };
    Expression::parse(text)?.evaluate(&scope)
}

fn same(want: &Value, got: &Value, unordered: bool) -> bool {
    match (want, got) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) if unordered => {
            let sorted = |items: &Vec<Value>| {
                let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            sorted(a) == sorted(b)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, false)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b, false)))
        }
        _ => want == got,
    }
}

#[test]
fn the_suite_of_the_language() {
    let folder = match std::env::var_os("COMANDA_CONFORMANCE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
    };
    let Ok(text) = std::fs::read_to_string(folder.join("jsonata-2.0.6.json")) else {
        println!("not run: there is no conformance data; COMANDA_CONFORMANCE names its folder");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    let (mut passed, mut known, mut different) = (0, 0, Vec::new());
    for case in &cases {
        let (id, text) = (case["id"].as_str().unwrap_or_default(), case["expr"].as_str().unwrap_or_default());
        let depth = case["depth"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(Scope::DEPTH);
        let got = evaluate(text, case.get("input"), &case["bindings"], depth);
        let agrees = match (&got, case.get("code"), case.get("result")) {
            (Err(error), Some(code), _) => code == error.code,
            (Ok(Found::Value(got)), None, Some(want)) => same(want, got, case["unordered"] == true),
            (Ok(Found::Nothing | Found::Function), None, None) => true,
            _ => false,
        };
        if agrees {
            passed += 1;
        } else if KNOWN.iter().any(|(part, _)| id.starts_with(part)) {
            known += 1;
        } else {
            let want = case.get("code").or(case.get("result")).cloned().unwrap_or(json!("nothing"));
            let got = match got {
                Ok(found) => format!("{found:?}"),
                Err(error) => error.to_string(),
            };
            let cut = |text: String| text.chars().take(300).collect::<String>();
            different.push(format!("{id}: {text}\n    want {}\n    got  {}", cut(want.to_string()), cut(got)));
        }
    }
    println!("JSONata suite: {passed} of {} agree, {known} are known to differ", cases.len());
    assert!(different.is_empty(), "{} cases differ:\n{}", different.len(), different.join("\n"));
}

/// `want` is JSON, `nothing`, `function` or the code of an error.
fn check(text: &str, input: &str, want: &str) {
    let input: Value = serde_json::from_str(input).expect("an input");
    let got = match evaluate(text, Some(&input), &json!({}), Scope::DEPTH) {
        Ok(Found::Value(value)) => value.to_string(),
        Ok(Found::Nothing) => "nothing".into(),
        Ok(Found::Function) => "function".into(),
        Err(error) => error.code.into(),
    };
    assert_eq!(got, want, "{}", text.chars().take(200).collect::<String>());
}

#[test]
fn what_the_suite_leaves_out() {
    check("a.b[1]", r#"{"a": [{"b": [1, 2]}, {"b": [3, 4]}]}"#, "[2,4]");
    check("big", r#"{"big": 9007199254740993}"#, "9007199254740993");
    check("small + 1", r#"{"small": 0.1}"#, "1.1");
    check("$now()", "null", r#""2026-11-20T11:00:00.000Z""#);
    check("$millis()", "null", "1795172400000");
    check("$uuid() = $uuid()", "null", "false");
    check("$random() < 1", "null", "true");
    check("$random(5) = $random(5)", "null", "true");
    check("$partition([1..5], 2)", "null", "[[1,2],[3,4],[5]]");
    check("$range(0, 10, 5)", "null", "[0,5,10]");
    check("$range(3, 1, -1)", "null", "[3,2,1]");
    check("$range(1, 2, 0)", "null", "D3001");
    check(r#"$hash("a", "MD5")"#, "null", r#""0cc175b9c0f1b6a831c399e269772661""#);
    check(r#"$hash("a", "MD6")"#, "null", "D3001");
    check(r#"$parse("{\"a\":[1,2]}").a[1]"#, "null", "2");
    check(r#"$parse("{")"#, "null", "D3001");
    check("$eval('1')", "null", "T1006");
    check("1/0", "null", "D1001");
    check("$x := function($a) { $a }", "null", "function");
    check("$contains('a/b', /a\\/b/)", "null", "true");
    check("$replace('a[b', /[\\[]/, '-')", "null", r#""a-b""#);
    check("$map([1, 2], $string)", "null", r#"["1","2"]"#);
    check("$fromMillis(0, '[Y]-[M01]', '-0530')", "null", r#""1969-12""#);
}

/// Whatever would not end, or would fill the memory or the stack, is an error.
#[test]
fn what_has_no_end_is_ended() {
    let deep = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(5000), close.repeat(5000));
    check(&deep("(", "1", ")"), "null", "U1001");
    check(&deep("[", "1", "]"), "null", "U1001");
    check(&deep("-", "1", ""), "null", "U1001");
    check(&format!("1{}", "+1".repeat(5000)), "null", "U1001");
    check(&format!("a{}", ".a".repeat(5000)), "null", "U1001");
    check(&format!("a{}", "[0]".repeat(5000)), "null", "U1001");
    check("($f := function() { $f() }; $f())", "null", "U1001");
    check("($f := function($n) { 1 + $f($n) }; $f(1))", "null", "U1001");
    check("($f := function($n) { [$f($n)] }; $f(1))", "null", "U1001");
    check("$reduce([1..100000], function($a, $b) { [[$a]] })", "null", "D2015");
    check("$reduce([1..100000], function($a, $b) { {'a': $a} })", "null", "D2015");
    check("$reduce([1..100000], function($a, $b) { $a.{'f': function() { 1 }} }, {'a': 1})", "null", "D2015");
    check("($g := function($f, $n) { $n = 0 ? $f : $g($f ~> $string, $n - 1) }; $g($string, 9999))", "null", "D2015");
    check("($g := function($f, $n) { $n = 0 ? $f : $g($pad(?, $f), $n - 1) }; $g(1, 9999))", "null", "D2015");
    check("$reduce([1..60], function($a, $b) { $a & $a }, 'abcdefghij')", "null", "D2015");
    check("$reduce([1..60], function($a, $b) { $append($a, $a) }, [1, 2, 3])", "null", "D2015");
    check("$pad('', 1e15)", "null", "D2015");
    check("$range(0, 1, 1e-300)", "null", "D2015");
    check("[1..1e7]", "null", "U1001");
    check("$reduce([1..200], function($a, $b) { $a ~> |$|{'x': $}| }, {'y': 1})", "null", "D2015");
    check("{'a': {}} ~> |**|{'x': $}|", "null", r#"{"a":{"x":{}},"x":{"a":{}}}"#);
    check("$match($join($map([1..30000], function() { 'a' })), /(a*)*b/)", "null", "nothing");
    check("$sort([1..3000], function($a, $b) { true })[0]", "null", "3000");
    check("$formatInteger(1e300, 'w')", "null", "D3130");
    check("$formatInteger(1e300, 'I')", "null", "D3130");
}

mod fuzz {
    use proptest::prelude::*;

    use super::*;

    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("$".to_owned()),
            Just("%".to_owned()),
            Just("*".to_owned()),
            Just("**".to_owned()),
            "[a-c]{1,2}",
            "\\$[a-c]",
            "-?[0-9]{1,3}(\\.[0-9])?",
            "'[a-c \\[\\]#,.0]{0,6}'",
            "/[a-c.*+?|()\\[\\]]{1,5}/i?",
            prop::sample::select(vec![
                "true",
                "null",
                "[]",
                "{}",
                "$$",
                "1e308",
                "$states",
                "'[Y]-[MNn]'",
                "'#,##0.00'"
            ])
            .prop_map(String::from),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            let operators = vec![
                ".", "+", "-", "*", "/", "%", "=", "!=", "<", ">=", "&", " and ", " or ", " in ", "..", "~>", "?",
                ":=", "@", "#", "^", "|",
            ];
            prop_oneof![
                (inner.clone(), prop::sample::select(operators), inner.clone())
                    .prop_map(|(a, operator, b)| format!("{a}{operator}{b}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}{{{b}:{a}}}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}^(>{b},{a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}@$a.{b}#$b[$a={b}]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a};{b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("($f:=function($a,$b){{{a}}};$f({b}))")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}?{b}:{a}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}~>|{b}|{{'a':{a}}},'b'|")),
                (prop::sample::select(super::super::functions::names()), prop::collection::vec(inner.clone(), 0..4))
                    .prop_map(|(name, arguments)| format!("${name}({})", arguments.join(","))),
                (prop::sample::select(super::super::functions::names()), inner.clone())
                    .prop_map(|(name, a)| format!("{a}.${name}(?,{a})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("[{a},{b}..{a}]")),
            ]
        })
    }

    fn data() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-c#,.0\\[\\] ]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a-c]{1,2}", inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_expression_ends(text in expression(), input in data()) {
            let bindings = json!({ "a": input, "b": [1, { "a": 2 }], "c": "c" });
            let first = evaluate(&text, Some(&input), &bindings, Scope::DEPTH);
            let again = evaluate(&text, Some(&input), &bindings, Scope::DEPTH);
            prop_assert_eq!(first.map_err(|e| e.code), again.map_err(|e| e.code));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[\\PC]{0,40}|[-\\[\\](){}$a%*.:=?/^@#|&'\"\\\\0-9~<>, ]{0,30}") {
            drop(evaluate(&text, None, &json!({}), Scope::DEPTH));
        }
    }
}

/// The short way and the long way find the same.
#[test]
fn plain_paths() {
    let value = json!({ "a": { "b": [1], "c": [], "d": { "e": 1.5 }, "f": [{ "g": 1 }], "n": null, "big": 9007199254740993i64 } });
    for path in ["a", "a.b", "a.c", "a.d.e", "a.f.g", "a.f", "a.n", "a.n.x", "a.x.y", "a.big", "x"] {
        let find = |text: &str| {
            let bindings = json!({ "v": value });
            evaluate(text, None, &bindings, Scope::DEPTH).map_err(|e| e.code)
        };
        let (short, long) = (find(&format!("$v.{path}")), find(&format!("($v).{path}")));
        assert_eq!(short, long, "{path}");
    }
}
