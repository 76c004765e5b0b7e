//! What is wrong with definitions, where, and the cure.

use std::collections::BTreeMap;

use asl::{Definition, Severity, substitute};

/// `want`: what is reported, one `CODE POINTER` a line; `hint` must be in one of the messages.
fn check(text: &str, want: &str, hint: &str) {
    let found = match Definition::parse(text) {
        Ok(definition) => definition.warnings().to_vec(),
        Err(diagnostics) => diagnostics,
    };
    let got: Vec<String> = found
        .iter()
        .map(|d| format!("{}{} {}", if d.severity == Severity::Warning { "~" } else { "" }, d.code, d.pointer))
        .collect();
    assert_eq!(got.join("\n"), want, "{text}\n{found:?}");
    assert!(found.iter().any(|d| d.message.contains(hint)) || hint.is_empty(), "no `{hint}` in {found:?}");
}

/// A flow with one state `S` of these fields.
fn one(fields: &str) -> String {
    format!(r#"{{"StartAt": "S", "States": {{"S": {{{fields}}}}}}}"#)
}

#[test]
fn flows() {
    check("", "NOT_JSON ", "");
    check("[]", "NOT_AN_OBJECT ", "");
    check("{}", "MISSING_FIELD \nMISSING_FIELD ", "`StartAt` is missing");
    check(r#"{"StartAt": "A", "States": {}}"#, "NO_STATES /States", "");
    check(r#"{"StartAt": 1, "States": {"A": {"Type": "Succeed"}}}"#, "WRONG_TYPE /StartAt", "");
    check(
        r#"{"StartAt": "Reserve", "States": {"ReserveStock": {"Type": "Succeed"}}}"#,
        "MISSING_TRANSITION_TARGET /StartAt",
        "",
    );
    check(
        r#"{"StartAt": "A", "Stats": 1, "Version": "2", "TimeoutSeconds": 0, "States": {"A": {"Type": "Succeed"}}}"#,
        "UNKNOWN_FIELD /Stats\nTOO_SMALL /TimeoutSeconds\nUNKNOWN_VERSION /Version",
        "did you mean `States`?",
    );
    check(
        r#"{"QueryLanguage": "XPath", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#,
        "UNKNOWN_QUERY_LANGUAGE /QueryLanguage",
        "`JSONata`",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}"#,
        "NO_TERMINAL_STATE ",
        "",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}}"#,
        "UNREACHABLE_STATE /States/B",
        "",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Pass", "End": true}}}"#,
        "DUPLICATE_FIELD /States/A",
        "",
    );
    let nested = r#"{"StartAt": "A", "States": {"A": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}]}}}"#;
    check(nested, "DUPLICATE_STATE_NAME /States/A/Branches/0/States/A", "taken by /States/A");
}

#[test]
fn states() {
    check(&one(""), "MISSING_FIELD /States/S", "`Type` is missing");
    check(&one(r#""Type": "Taks""#), "UNKNOWN_STATE_TYPE /States/S/Type", "did you mean `Task`?");
    check(&one(r#""Type": "Pass""#), "MISSING_NEXT /States/S", "\"End\": true");
    check(
        &one(r#""Type": "Pass", "Next": "T""#),
        "MISSING_TRANSITION_TARGET /States/S/Next\nNO_TERMINAL_STATE ",
        "no state `T`",
    );
    check(&one(r#""Type": "Pass", "End": true, "Next": "S""#), "CONFLICTING_FIELDS /States/S/End", "");
    check(
        &one(r#""Type": "Pass", "End": true, "ResultsPath": "$.a""#),
        "UNKNOWN_FIELD /States/S/ResultsPath",
        "`ResultPath`",
    );
    check(&one(r#""Type": "Pass", "End": true, "Output": 1"#), "WRONG_QUERY_LANGUAGE /States/S/Output", "JSONata");
    check(
        &one(
            r#""Type": "Pass", "End": true, "InputPath": "a", "ResultPath": "$.a[*]", "Parameters": {"a.$": "$.[", "b.$": 1}"#,
        ),
        "BAD_PATH /States/S/InputPath\nBAD_PATH /States/S/Parameters/a.$\nBAD_PATH /States/S/Parameters/b.$\nNOT_A_REFERENCE /States/S/ResultPath",
        "did you mean `$.a`?",
    );
    check(
        &one(r#""Type": "Pass", "End": true, "Parameters": {"a.$": "States.Fromat('x')"}"#),
        "BAD_PATH /States/S/Parameters/a.$",
        "did you mean `States.Format`?",
    );
    check(
        &one(r#""Type": "Pass", "End": true, "Parameters": {"a.$": "States.MathAdd(1)"}"#),
        "BAD_PATH /States/S/Parameters/a.$",
        "takes 2 arguments, not 1",
    );
    check(&one(r#""Type": "Wait", "End": true"#), "MISSING_FIELD /States/S", "");
    check(
        &one(r#""Type": "Wait", "End": true, "Seconds": 1, "Timestamp": "x""#),
        "CONFLICTING_FIELDS /States/S/Timestamp",
        "",
    );
    check(
        &one(r#""Type": "Wait", "End": true, "Timestamp": "2016-13-05T21:29:29Z""#),
        "BAD_TIMESTAMP /States/S/Timestamp",
        "",
    );
    check(&one(r#""Type": "Fail", "Error": "a", "ErrorPath": "$.a""#), "CONFLICTING_FIELDS /States/S/ErrorPath", "");
    check(&one(r#""Type": "Pass", "End": true, "Assign": {"1a": 1}"#), "BAD_NAME /States/S/Assign/1a", "");
}

#[test]
fn tasks() {
    let lambda = r#""Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;
    check(&one(r#""Type": "Task", "End": true"#), "MISSING_FIELD /States/S", "`Resource` is missing");
    check(
        &one(r#""Type": "Task", "End": true, "Resource": "arn:aws:states:::glue:startJobRun.sync""#),
        "UNSUPPORTED_RESOURCE /States/S/Resource",
        "sqs:sendMessage",
    );
    check(
        &one(r#""Type": "Task", "End": true, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken""#),
        "~TOKEN_NOT_PASSED /States/S/Parameters",
        "$$.Task.Token",
    );
    check(
        &one(r#""Type": "Task", "End": true, "Resource": "arn:aws:states:::lambda:invoke",
               "Parameters": {"FunctionName": "f", "Payload.$": "$", "step.$": "$$.State.Name"}"#),
        "UNKNOWN_FIELD /States/S/Parameters/step.$",
        "goes into `Payload`",
    );
    let task = |fields: &str| one(&format!(r#""Type": "Task", "End": true, {lambda}, {fields}"#));
    check(&task(r#""TimeoutSeconds": 5, "HeartbeatSeconds": 5"#), "BAD_HEARTBEAT /States/S/HeartbeatSeconds", "");
    check(
        &task(r#""TimeoutSeconds": 5, "TimeoutSecondsPath": "$.t""#),
        "CONFLICTING_FIELDS /States/S/TimeoutSecondsPath",
        "",
    );
    check(&task(r#""Retry": [{}]"#), "BAD_ERROR_EQUALS /States/S/Retry/0/ErrorEquals", "");
    check(
        &task(r#""Retry": [{"ErrorEquals": ["States.ALL", "E"]}]"#),
        "BAD_ERROR_EQUALS /States/S/Retry/0/ErrorEquals",
        "stand alone",
    );
    check(
        &task(
            r#""Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"], "BackoffRate": 0.5, "MaxAttemps": 1}]"#,
        ),
        "UNKNOWN_FIELD /States/S/Retry/1/MaxAttemps\nTOO_SMALL /States/S/Retry/1/BackoffRate\nBAD_ERROR_EQUALS /States/S/Retry/0/ErrorEquals",
        "did you mean `MaxAttempts`?",
    );
    check(
        &task(r#""Catch": [{"ErrorEquals": ["E"]}, {"ErrorEquals": ["F"], "Next": "S", "ResultPath": "$$.a"}]"#),
        "MISSING_FIELD /States/S/Catch/0\nNOT_A_REFERENCE /States/S/Catch/1/ResultPath",
        "",
    );
}

#[test]
fn warnings() {
    check(
        &one(
            r#""Type": "Pass", "End": true, "Assign": {"total": 1}, "Parameters": {"t.$": "States.MathAdd($totl, $total)"}"#,
        ),
        "~UNSET_VARIABLE /States/S",
        "did you mean `total`?",
    );
    check(
        &one(r#""Type": "Task", "End": true, "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
                "Retry": [{"ErrorEquals": ["State.ALL", "States.Http.StatusCode.503", "States.Timeout"]}]"#),
        "~UNKNOWN_ERROR_NAME /States/S/Retry/0/ErrorEquals",
        "did you mean `States.ALL`?",
    );
}

#[test]
fn jsonata() {
    let flow = |states: &str| format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "S", "States": {{{states}}}}}"#);
    let one = |fields: &str| flow(&format!(r#""S": {{{fields}, "End": true}}"#));
    check(&one(r#""Type": "Pass", "QueryLanguage": "JSONPath""#), "BAD_QUERY_LANGUAGE /States/S", "JSONPath");
    check(
        &one(r#""Type": "Pass", "InputPath": "$.a""#),
        "WRONG_QUERY_LANGUAGE /States/S/InputPath",
        "belongs to JSONPath",
    );
    check(&one(r#""Type": "Pass", "Parameters": {}"#), "WRONG_QUERY_LANGUAGE /States/S/Parameters", "");
    check(&one(r#""Type": "Pass", "Output": {"a": ["{% 1 + %}"]}"#), "BAD_EXPRESSION /States/S/Output/a/0", "S0207");
    check(&one(r#""Type": "Pass", "Output": "{% 1""#), "BAD_EXPRESSION /States/S/Output", "does not end");
    check(&one(r#""Type": "Pass", "Output": "x{% 1 %}""#), "BAD_EXPRESSION /States/S/Output", "must begin");
    check(&one(r#""Type": "Pass", "Output": "{% $eval('1') %}""#), "BAD_EXPRESSION /States/S/Output", "$eval");
    check(&one(r#""Type": "Pass", "Output": "{% ($states := 1) %}""#), "BAD_EXPRESSION /States/S/Output", "reserved");
    check(
        &one(r#""Type": "Pass", "Assign": {"states": 1, "a-b": 2}"#),
        "BAD_NAME /States/S/Assign/states\nBAD_NAME /States/S/Assign/a-b",
        "",
    );
    check(&one(r#""Type": "Pass", "Output": "{% $lost %}""#), "~UNSET_VARIABLE /States/S", "`lost`");
    check(
        &one(r#""Type": "Wait", "SecondsPath": "$.a""#),
        "WRONG_QUERY_LANGUAGE /States/S/SecondsPath\nMISSING_FIELD /States/S",
        "",
    );
    check(&one(r#""Type": "Wait", "Seconds": "5""#), "WRONG_TYPE /States/S/Seconds", "");
    check(
        &flow(
            r#""S": {"Type": "Choice", "Default": "E", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "E"}]}, "E": {"Type": "Succeed"}"#,
        ),
        "UNKNOWN_FIELD /States/S/Choices/0/Variable\nUNKNOWN_FIELD /States/S/Choices/0/IsNull\nMISSING_FIELD /States/S/Choices/0",
        "`Condition` is missing",
    );
    check(
        &flow(
            r#""S": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"}, "P": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"x": 2}, "End": true}}}]}"#,
        ),
        "~SHADOWED_VARIABLE /States/P/Branches/0/States/A",
        "rename",
    );
    let task = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;
    check(
        &one(&format!(r#"{task}, "Catch": [{{"ErrorEquals": ["E"], "ResultPath": "$.e", "Next": "S"}}]"#)),
        "WRONG_QUERY_LANGUAGE /States/S/Catch/0/ResultPath",
        "",
    );
}

/// Express state machines refuse what they cannot wait for.
#[test]
fn express() {
    let check = |fields: &str, want: &str| {
        let definition = Definition::parse(&one(fields)).unwrap_or_else(|d| panic!("{fields}: {d:?}"));
        let found: Vec<String> =
            definition.express_problems().iter().map(|d| format!("{} at {}", d.message, d.pointer)).collect();
        assert_eq!(found.join("\n"), want, "{fields}");
    };
    let task = |resource: &str| format!(r#""Type": "Task", "End": true, "Resource": "{resource}""#);
    check(&task("arn:aws:lambda:us-east-1:123456789012:function:f"), "");
    check(
        &task("arn:aws:states:us-east-1:123456789012:activity:a"),
        "Express state machine does not support Activity ARN at /States/S/Resource",
    );
    check(
        &task("arn:aws:states:::sqs:sendMessage.waitForTaskToken"),
        "Express state machine does not support '.waitForTaskToken' service integration  at /States/S/Resource",
    );
    check(
        &task("arn:aws:states:::states:startExecution.sync:2"),
        "Express state machine does not support '.sync' service integration at /States/S/Resource",
    );
}

#[test]
fn choices_and_forks() {
    let choice = |rule: &str| {
        format!(
            r#"{{"StartAt": "S", "States": {{"E": {{"Type": "Succeed"}},
                "S": {{"Type": "Choice", "Default": "E", "Choices": [{{"Next": "E", {rule}}}]}}}}}}"#
        )
    };
    check(
        &choice(r#""Variable": "$.a", "StringEqual": "x""#),
        "UNKNOWN_FIELD /States/S/Choices/0/StringEqual",
        "`StringEquals`",
    );
    check(&choice(r#""Variable": "$.a", "NumericEquals": "1""#), "WRONG_TYPE /States/S/Choices/0/NumericEquals", "");
    check(&choice(r#""Variable": "$.a""#), "MISSING_FIELD /States/S/Choices/0", "");
    check(
        &choice(r#""Variable": "$.a", "IsNull": true, "IsString": true"#),
        "CONFLICTING_FIELDS /States/S/Choices/0/IsString",
        "`And`",
    );
    check(
        &choice(r#""And": [{"Variable": "$.a", "IsNull": true, "Next": "E"}]"#),
        "MISPLACED_FIELD /States/S/Choices/0/And/0/Next",
        "",
    );
    check(&choice(r#""Condition": "{% true %}""#), "WRONG_QUERY_LANGUAGE /States/S/Choices/0/Condition", "");
    check(
        &choice(r#""Not": {"Variable": "$.a", "StringMatches": "a\\b"}"#),
        "BAD_PATTERN /States/S/Choices/0/Not/StringMatches",
        "",
    );
    check(&one(r#""Type": "Parallel", "End": true"#), "MISSING_FIELD /States/S", "");
    check(&one(r#""Type": "Map", "End": true"#), "MISSING_FIELD /States/S", "`ItemProcessor` is missing");
    let map = |fields: &str, config: &str| {
        one(&format!(
            r#""Type": "Map", "End": true, {fields} "ItemProcessor": {{{config} "StartAt": "E", "States": {{"E": {{"Type": "Succeed"}}}}}}"#
        ))
    };
    check(
        &map("", r#""ProcessorConfig": {"Mode": "DISTRIBUTD"}, "#),
        "BAD_MODE /States/S/ItemProcessor/ProcessorConfig/Mode",
        "",
    );
    check(
        &map(
            r#""ItemReader": {"ReaderConfig": {"InputType": "XML"}}, "#,
            r#""ProcessorConfig": {"Mode": "DISTRIBUTED"}, "#,
        ),
        "MISSING_FIELD /States/S/ItemReader\nBAD_READER /States/S/ItemReader/ReaderConfig/InputType",
        "JSONL",
    );
    check(
        &map(r#""ItemBatcher": {"MaxItemsPerBatch": 1}, "#, ""),
        "DISTRIBUTED_ONLY /States/S/ItemBatcher",
        "DISTRIBUTED",
    );
    check(
        &map(r#""ItemBatcher": {}, "#, r#""ProcessorConfig": {"Mode": "DISTRIBUTED"}, "#),
        "MISSING_FIELD /States/S/ItemBatcher",
        "how large",
    );
    check(&map(r#""Label": "a b", "#, ""), "BAD_LABEL /States/S/Label\n~NO_EFFECT /States/S/Label", "");
}

/// Findings in AWS's words, as `InvalidDefinition` quotes them.
#[test]
fn in_the_words_of_aws() {
    let check = |text: &str, want: &str| {
        let found = Definition::parse(text).expect_err(text);
        let errors = found.iter().filter(|d| d.severity == Severity::Error);
        let told: Vec<String> = errors.map(|d| d.finding().to_string()).collect();
        assert_eq!(told.join(", "), want, "{text}");
    };
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}"#,
        "MISSING_END_STATE: Workflow has no terminal state at null",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Succeed"}}}"#,
        "MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C",
    );
    check(
        &one(r#""Type": "Pass", "Next": "NOPE""#),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/S/Next, MISSING_END_STATE: Workflow has no \
         terminal state at null",
    );
    let choice = r#"{"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [
        {"Variable": "$.a", "IsNull": true, "Next": "NOPE"}], "Default": "D"}, "D": {"Type": "Succeed"}}}"#;
    check(choice, "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/C/Choices[0]/Next");
    let field = "SCHEMA_VALIDATION_FAILED: Field 'TimeoutSeconds' is not supported at /States/S";
    check(&one(r#""Type": "Pass", "TimeoutSeconds": 1, "End": true"#), field);
    check(
        &one(r#""Type": "Pass", "Output": 1, "End": true"#),
        "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the \
         'JSONata' QueryLanguage at /States/S",
    );
    check(
        &one(r#""Type": "Pass", "Parameters": {"a": {"b.$": "nothing"}}, "End": true"#),
        "SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function \
         call at /States/S/Parameters/a",
    );
    let map = |fields: &str| {
        one(&format!(
            r#""Type": "Map", "End": true, {fields}, "ItemProcessor": {{"StartAt": "E", "States": {{"E": {{"Type": "Succeed"}}}}}}"#
        ))
    };
    check(&map(r#""MaxConcurrency": -1"#), "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/S/MaxConcurrency");
    check(
        &map(r#""ToleratedFailurePercentage": 101"#),
        "SCHEMA_VALIDATION_FAILED: Maximum value is 100.0 at /States/S/ToleratedFailurePercentage",
    );
    check(
        &map(r#""MaxConcurrency": 1, "MaxConcurrencyPath": "$.a""#),
        "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [MaxConcurrency, \
         MaxConcurrencyPath] at /States/S",
    );
    let output = |text: &str| {
        one(&format!(r#""Type": "Pass", "QueryLanguage": "JSONata", "Output": "{{% {text} %}}", "End": true"#))
    };
    let top =
        "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/S/Output";
    for text in ["phone", "phone.x", "$sum(phone)", "[1, phone]", "$states.input & phone", "true ? phone[0] : 1"] {
        check(&output(text), top);
    }
    for text in ["$states.input.phone", "$states.input[phone = 1]", "$map($x, function($v) { $v.phone })", "$x.(phone)"]
    {
        assert!(Definition::parse(&output(text)).is_ok(), "{text}");
    }
    check(&output("1 +"), "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/S/Output");
    check(
        &one(r#""Type": "Task", "Resource": "arn:aws:states:::dynamodb:query", "End": true"#),
        "SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::dynamodb:query is not recognized. The value is \
         not a valid resource ARN, or the resource is not available in this region. at /States/S/Resource",
    );
}

#[test]
fn hostile_definitions() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    check(&deep, "NOT_JSON ", "");
    check(&one(&format!(r#""Type": "Pass", "End": true, "Result": {deep}"#)), "NOT_JSON ", "");
    let calls = format!("{}1{}", "States.Array(".repeat(5000), ")".repeat(5000));
    check(
        &one(&format!(r#""Type": "Pass", "End": true, "Parameters": {{"a.$": "{calls}"}}"#)),
        "BAD_PATH /States/S/Parameters/a.$",
        "nest deeper",
    );
    let mut scopes = one(r#""Type": "Succeed""#);
    for n in 0..21 {
        scopes = format!(
            r#"{{"StartAt": "P{n}", "States": {{"P{n}": {{"Type": "Parallel", "End": true, "Branches": [{scopes}]}}}}}}"#
        );
    }
    check(
        &scopes,
        &format!("TOO_DEEP {}", (0..21).rev().map(|n| format!("/States/P{n}/Branches/0")).collect::<String>()),
        "",
    );
    let large = one(&format!(r#""Type": "Pass", "End": true, "Comment": "{}""#, "x".repeat(1 << 20)));
    check(&large, "DEFINITION_TOO_LARGE ", "");
}

#[test]
fn placeholders() {
    let names = BTreeMap::from([("ReserveStock".to_owned(), "arn:\"f\"".to_owned())]);
    assert_eq!(
        substitute(r#"{"a": "${ReserveStock}", "b": "$${x y}"}"#, &names).as_deref(),
        Ok(r#"{"a": "arn:\"f\"", "b": "$${x y}"}"#)
    );
    let found = substitute("\n${ReservStock} ${Zzz}", &names).expect_err("unknown names");
    let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "line 2: `${ReservStock}` has no value; did you mean `${ReserveStock}`?",
            "line 2: `${Zzz}` has no value; give `Zzz` a value, or remove the placeholder",
        ]
    );
}

#[test]
fn a_flow_can_be_looked_at() {
    let flow = r#"{"Comment": "c", "StartAt": "Each", "TimeoutSeconds": 60, "States": {
        "Each": {"Type": "Map", "Next": "Done", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
            "ItemProcessor": {"StartAt": "Do", "States": {"Do": {"Type": "Task", "End": true, "Comment": "does",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do"}}}},
        "Done": {"Type": "Succeed"}}}"#;
    let definition = Definition::parse(flow).expect("a flow");
    assert_eq!((definition.comment(), definition.start_at(), definition.timeout_s()), (Some("c"), "Each", Some(60)));
    let states: Vec<_> = definition.states().map(|state| (state.name(), state.kind(), state.followers())).collect();
    assert_eq!(states, [("Each", "Map", vec!["Done", "Done"]), ("Done", "Succeed", vec![])]);
    let inner = definition.states().next().expect("a state").scopes();
    assert_eq!(inner[0][0].pointer(), "/States/Each/ItemProcessor/States/Do");
    assert_eq!(inner[0][0].comment(), Some("does"));
    assert_eq!(definition.resources().len(), 1);
    assert_eq!(definition.all_states().count(), 3);
}
